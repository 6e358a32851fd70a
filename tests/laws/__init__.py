"""Laws: what must hold for every member of a table."""
