"""Tests of readers of other libraries' models, against those libraries."""
