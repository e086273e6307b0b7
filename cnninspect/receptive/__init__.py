"""Receptive fields by arithmetic on the trace.

`intervals.intervals(trace)` maps the value ids of the trace to Fields; `rows.row_fields(trace)` gives one
`report.ReceptiveField` (or None) per call, `rows.total_field` that of the last output which still is a map.
"""
