"""Break one arithmetic step of the analytic side at a time, and see whether the verdicts notice."""
