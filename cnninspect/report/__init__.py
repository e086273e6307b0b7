"""Quantities, verdicts, rows and documents. Every other room may import this one; it imports no other room."""
