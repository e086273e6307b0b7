"""From what the user names to a model and its inputs. Only `grammar` and `specs` do without torch."""
