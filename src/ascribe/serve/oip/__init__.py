"""The Open Inference Protocol, as both doors speak it."""
