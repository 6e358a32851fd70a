"""What outlives a request: jobs of many rows, and attributions that come later."""
