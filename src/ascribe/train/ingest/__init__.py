"""Telemetry into the lake, each row once."""
