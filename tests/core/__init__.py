"""Tests of the mathematics, against formulas that are derived here a second time."""
