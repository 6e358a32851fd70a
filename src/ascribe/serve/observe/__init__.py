"""What a server tells whoever watches it: log lines, metrics, traces, pages."""
