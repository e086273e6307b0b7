"""Quantities, verdicts, rows and documents: what everybody may use, and that uses nobody."""
