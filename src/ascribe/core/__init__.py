"""The mathematics: coalitions, plans, games, conditionals, attributions.

Pure functions of arrays. Imports numpy, scipy and array typing only: no file, clock, log, environment or global
random state (random numbers come in as a seed or a generator).
"""
