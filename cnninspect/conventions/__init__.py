"""How other counters count: conventions as data, applied to a run, and the search for the one behind a number."""
