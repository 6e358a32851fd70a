"""Somebody's model made a bundle."""
