"""What a report leaves open."""

from typing import Any

from cnninspect.report.document import Report


def unverified(report: Report) -> dict[Any, str]:
    """Every number of a row that was looked at and does not match, and the total of MACs if it is not exact."""
    left = {
        (row.label, name): quantity.verdict.value
        for row in report.rows
        for name, quantity in row.quantities.items()
        if quantity.verdict.value not in ("match", "not_run")
    }
    status = report.totals["macs"].status.value
    return left if status == "exact" else {**left, "total": status}
