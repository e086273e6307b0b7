"""From what the user names to a model and its inputs. Only `grammar` does without torch."""
