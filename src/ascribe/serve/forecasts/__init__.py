"""The room of forecasts: samples in, curves out."""
