"""Resolves a TARGET to a model and its inputs. Only `grammar` does not import torch."""
