"""The HTTP door and what stands behind its routes: it translates, decides nothing, and knows no gRPC."""
