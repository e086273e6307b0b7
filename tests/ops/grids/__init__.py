"""Samples of layers and functions, one file per family of formulas, each with MODULES and FUNCTIONS."""
