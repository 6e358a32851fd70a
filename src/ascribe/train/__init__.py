"""The offline wing: telemetry in, a bundle out. Needs the `train` extra."""
