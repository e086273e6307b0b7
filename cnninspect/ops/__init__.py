"""The analytic side: output shape, parameters and MACs of layers and ops, as integer functions."""
