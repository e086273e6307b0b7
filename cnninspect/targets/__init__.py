"""From what the user names to a model and its inputs. Only `grammar`, `options` and `specs` do without torch."""
