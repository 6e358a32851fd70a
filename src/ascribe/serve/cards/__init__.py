"""What a server says of itself: its models, their past, the offline side."""
