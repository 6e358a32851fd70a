"""The data lake: Delta tables of vectors, quarantine and dead letters, each row kept once."""
