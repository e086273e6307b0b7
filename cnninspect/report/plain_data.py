"""Numbers as data that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason


def quantity_to_dict(quantity: Quantity) -> dict[str, Any]:
    """The contract's Q object."""
    return {
        "value": plain(quantity.value),
        "unit": quantity.unit.value,
        "status": quantity.status.value,
        "analytic": plain(quantity.analytic),
        "measured": {name: plain(value) for name, value in quantity.measured.items()},
        "verdict": quantity.verdict.value,
        **({"reasons": dict(quantity.reasons)} if quantity.reasons else {}),
        **({"parts": plain(quantity.parts)} if quantity.parts else {}),
        **({"why": [reason_to_dict(reason) for reason in quantity.why]} if quantity.why else {}),
    }


def quantity_from_dict(data: Mapping[str, Any]) -> Quantity:
    """The inverse of `quantity_to_dict`."""
    return Quantity(
        frozen(data["value"]),
        Unit(data["unit"]),
        Status(data["status"]),
        frozen(data["analytic"]),
        {name: frozen(value) for name, value in data["measured"].items()},
        Verdict(data["verdict"]),
        data.get("reasons", {}),
        data.get("parts", {}),
        tuple(reason_from_dict(item) for item in data.get("why", ())),
    )


def reason_to_dict(reason: Reason) -> dict[str, str]:
    """A reason as it stands in a `why` list of the JSON."""
    return {"cause": reason.cause.value, "text": reason.text}


def reason_from_dict(data: Mapping[str, str]) -> Reason:
    """The inverse of `reason_to_dict`."""
    return Reason(Cause(data["cause"]), data["text"])


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: tuples as lists and infinity, for which it has no number, as a word."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    return tuple(frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
