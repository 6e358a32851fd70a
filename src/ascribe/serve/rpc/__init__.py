"""The gRPC door and what stands behind its methods: it translates, decides nothing, and knows no HTTP."""
