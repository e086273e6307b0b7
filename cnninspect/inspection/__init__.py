"""Where the analytic and the measured side meet: one run, judged and written down as a report."""
