"""Parts of a compiled explanation: each writes its share of the one graph (`train/compile.py`)."""
