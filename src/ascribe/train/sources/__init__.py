"""Where telemetry comes from. One file a source, one interface (`source.py`), one row in `opening.py`."""
