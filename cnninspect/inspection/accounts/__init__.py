"""What a command may add to a report: one account per file, none of them imported unasked."""
