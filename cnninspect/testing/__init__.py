"""What tests assert about a report, where their baselines are, and the pytest plugin."""
