"""Reports with accounts on networks of the tests' own."""

from __future__ import annotations

from typing import Any

from cnninspect.inspection.accounts import Account
from cnninspect.inspection.pipeline import inspect_model
from cnninspect.report.document import Report


def inspected(model: Any, *accounts: Account, shape: Any = None, **options: Any) -> Report:
    """The report on a model with these accounts."""
    return inspect_model(model, shape, command="flops", accounts=accounts, **options)


def column(report: Report, name: str) -> dict[str, Any]:
    """The values of one number by the label of the row; rows without it are left out."""
    return {row.label: row.extra[name].value for row in report.rows if name in row.extra}
