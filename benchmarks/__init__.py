"""Side-by-side measurements: one command, results kept as files in `results/`."""
