"""What is served: versions under lease, the channels that they follow, candidates beside them."""
