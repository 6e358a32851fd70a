"""Tests of trees, against games played out on small ones."""
