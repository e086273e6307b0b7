"""Receptive fields by arithmetic on the trace: `intervals(trace)[value]` is the Field of a value.

`intervals` gives a mapping from the value ids of the trace to Fields, `row_fields` one `report.ReceptiveField` (or
None) per call, `total_field` that of the last output which still has a spatial map.
"""
