"""What is trained, judged, stored and served: a manifest and graphs. Imports core; opened by every wing."""
