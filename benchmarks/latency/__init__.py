"""Latency of every tier beside the bare model and peers, in one run: `python -m benchmarks.latency`."""
