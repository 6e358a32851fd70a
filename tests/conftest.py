"""Property tests draw the same examples on every machine and every day; none is failed for being slow."""

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")
