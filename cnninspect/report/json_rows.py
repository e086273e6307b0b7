"""Numbers, rows, checks and row identities to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import TOTAL, Check, Number, ReceptiveField, Row, RowId

Data = Mapping[str, Any]


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: tuples become lists; infinity and NaN, which JSON does not have, become strings."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def frozen(value: Any) -> Any:
    """`value` with all nested lists replaced by tuples."""
    return tuple(frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def number_to_json(number: Number) -> dict[str, Any]:
    """The contract's Q object, or its RF object."""
    if isinstance(number, ReceptiveField):
        return _field_to_json(number)
    return {
        "value": plain(number.value),
        "unit": number.unit.value,
        "status": number.status.value,
        "analytic": plain(number.analytic),
        "measured": plain(number.measured),
        "verdict": number.verdict.value,
        **({"reasons": dict(number.reasons)} if number.reasons else {}),
        **({"parts": plain(number.parts)} if number.parts else {}),
        **_why_to_json(number.why),
    }


def _field_to_json(field: ReceptiveField) -> dict[str, Any]:
    details = {"image": field.image, "found": field.found, "layer": field.layer}
    return {
        "size": plain(field.size),
        "jump": plain(field.jump),
        "padding": plain(field.padding),
        "status": field.status.value,
        "global": None if field.cause is None else {"cause": field.cause},
        "verdict": field.verdict.value,
        **({"global_along": plain(field.global_along)} if field.global_along else {}),
        **{name: plain(value) for name, value in details.items() if value is not None},
        **_why_to_json(field.why),
    }


def _why_to_json(why: Sequence[Reason]) -> dict[str, Any]:
    return {"why": [{"cause": reason.cause.value, "text": reason.text} for reason in why]} if why else {}


def _why(data: Data) -> tuple[Reason, ...]:
    return tuple(Reason(Cause(item["cause"]), item["text"]) for item in data.get("why", ()))


def number_of(data: Data) -> Number:
    """The number of a Q or RF object."""
    return field_of(data) if "jump" in data else quantity_of(data)


def quantity_of(data: Data) -> Quantity:
    """The number of a Q object."""
    return Quantity(
        frozen(data["value"]),
        Unit(data["unit"]),
        Status(data["status"]),
        frozen(data["analytic"]),
        {name: frozen(value) for name, value in data["measured"].items()},
        Verdict(data["verdict"]),
        data.get("reasons", {}),
        data.get("parts", {}),
        _why(data),
    )


def field_of(data: Data) -> ReceptiveField:
    """The receptive field of an RF object."""
    cause = data["global"]["cause"] if data.get("global") else None
    size, jump, padding, image = (frozen(data.get(name)) for name in ("size", "jump", "padding", "image"))
    status, verdict = Status(data["status"]), Verdict(data["verdict"])
    found, layer, along = data.get("found"), data.get("layer"), frozen(data.get("global_along", ()))
    if not isinstance(along, tuple) or len(along) not in (0, len(size or ())) or not all(map(_is_cause, along)):
        raise ValueError("a global_along of it does not name a layer or null for each axis")
    return ReceptiveField(size, jump, padding, status, cause, verdict, image, found, layer, _why(data), along)


def _is_cause(value: Any) -> bool:
    return value is None or isinstance(value, str)


def numbers_to_json(numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The objects of several numbers, by name."""
    return {name: number_to_json(number) for name, number in numbers.items()}


def numbers_of(data: Data) -> dict[str, Number]:
    """The inverse of `numbers_to_json`."""
    return {name: number_of(item) for name, item in data.items()}


_ROW_NUMBERS = ("output_shape", "params", "macs", "flops", "neurons")
_ROW_FACTS = ("path", "call", "kind", "depth", "leaf", "functional")


def row_to_json(row: Row) -> dict[str, Any]:
    """The contract's row object."""
    numbers: dict[str, Number | None] = {name: getattr(row, name) for name in _ROW_NUMBERS}
    numbers["receptive_field"] = row.receptive_field
    return {
        **{name: getattr(row, name) for name in _ROW_FACTS},
        "computes": row.computes,
        "layer_like": row.layer_like,
        "parent": row.parent,
        "hyperparameters": plain(row.hyperparameters),
        "input_shapes": plain(row.input_shapes),
        **{name: None if number is None else number_to_json(number) for name, number in numbers.items()},
        **({"where": row.where} if row.where is not None else {}),
        **numbers_to_json(row.extra),
    }


def row_of(data: Data) -> Row:
    """The row of a row object. An item with a `unit` and no field of that name is a number that an account added."""
    numbers: dict[str, Any] = {
        name: None if data.get(name) is None else quantity_of(data[name]) for name in _ROW_NUMBERS
    }
    field = data.get("receptive_field")
    return Row(
        **{name: data[name] for name in _ROW_FACTS},
        hyperparameters={name: frozen(value) for name, value in data["hyperparameters"].items()},
        input_shapes=tuple(tuple(shape) for shape in data["input_shapes"]),
        **numbers,
        receptive_field=None if field is None else field_of(field),
        computes=data.get("computes", True),
        layer_like=data.get("layer_like", True),
        parent=data.get("parent"),
        where=data.get("where"),
        extra={name: quantity_of(item) for name, item in data.items() if _is_added(name, item)},
    )


def _is_added(name: str, item: Any) -> bool:
    """Whether an item of a row's JSON is a number that an account added."""
    return name not in Row.__dataclass_fields__ and isinstance(item, Mapping) and "unit" in item


def check_to_json(check: Check) -> dict[str, Any]:
    """The contract's check object; a check of a total has the path `total`."""
    place = check.row or RowId(TOTAL, "")
    return {
        "name": check.name,
        **id_to_json(place),
        "expected": plain(check.expected),
        "found": plain(check.found),
        "source": check.source,
        "verdict": check.verdict.value,
        "hint": check.hint,
        "counter": check.counter,
        **{name: status.value for name, status in _bounds(check).items()},
        **({} if check.written is None else {"written": check.written}),
        **({} if check.where is None else {"where": check.where}),
    }


def _bounds(check: Check) -> dict[str, Status]:
    """The statuses of the two values of a check, without those that are exact; empty for most checks."""
    sides = {"expected_status": check.expected_status, "found_status": check.found_status}
    return {name: status for name, status in sides.items() if status is not Status.EXACT}


def check_of(data: Data) -> Check:
    """The check of a check object."""
    place = id_of(data)
    return Check(
        data["name"],
        None if place == RowId(TOTAL, "") else place,
        frozen(data["expected"]),
        frozen(data["found"]),
        data["source"],
        Verdict(data["verdict"]),
        data.get("hint"),
        data.get("counter"),
        Status(data.get("expected_status", "exact")),
        Status(data.get("found_status", "exact")),
        data.get("written"),
        data.get("where"),
    )


def id_to_json(row: RowId) -> dict[str, Any]:
    """The identity of a row as four items of a JSON object."""
    return {"path": row.path, "call": row.call, "kind": row.kind, "functional": row.functional}


def id_of(data: Data) -> RowId:
    """The row identity in a JSON object, the inverse of `id_to_json`."""
    return RowId(data["path"], data["kind"], data["call"], data.get("functional", False))
