"""One forward pass, written down as plain data."""
