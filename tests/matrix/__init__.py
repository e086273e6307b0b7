"""The promised versions of Python and torch, each in an environment of its own: `python -m tests.matrix`."""
