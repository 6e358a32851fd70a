"""Models of several parties."""
