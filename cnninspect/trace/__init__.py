"""Records one forward pass as plain data."""
