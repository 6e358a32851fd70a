"""Forecasts: rows that are windows of a series, and how they are judged."""
