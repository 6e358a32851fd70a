"""Ascribe says how much of a prediction each input is responsible for."""
