"""Receptive fields by arithmetic on the trace.

`fields.intervals(trace, knowledge)` maps the value ids of the trace to Fields; `rows.row_fields(fields)` gives one
`report.ReceptiveField` (or None) per call, `rows.last_map` the last call whose output still is a map.
"""
