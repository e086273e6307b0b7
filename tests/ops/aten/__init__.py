"""Samples of ATen ops, one file per kind of op, each with SAMPLES; `test_rules` walks them."""
