"""The JSON of every document and of its parts, in both directions, and how its text is laid out.

Objects are passed as objects inside the process: `to_json` is for writers of files, `from_json` for their readers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

from cnninspect.report.parts import (
    AlignedRows,
    Asked,
    BaselineFile,
    CounterConvention,
    Machine,
    MemoryDetails,
    OtherNetwork,
    Peak,
    SeenInput,
    Sight,
    Timing,
    VariedNetwork,
)
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import TOTAL, Check, Number, ReceptiveField, Row, RowId, Uncounted

SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)

_PER_SAMPLE = "schema 1 divided neurons by a guessed batch size: write the file again to compare them"
SCHEMA_1_NEURONS = Quantity(None, Unit.ELEMENTS, Status.UNKNOWN, why=(Reason(Cause.NOT_MEASURED, _PER_SAMPLE),))
"""What stands for the neurons of a schema 1 file, which cannot be compared unless its batch had one sample."""

Data = Mapping[str, Any]


def to_json(fields: Data) -> dict[str, Any]:
    """The contract's JSON document of a document's fields; parts that are None are left out."""
    fields = {"totals": {}, "rows": (), **fields}
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: form.write(fields[name]) for name, form in _FORMS.items() if fields.get(name) is not None},
    }


def from_json(data: Data) -> dict[str, Any]:
    """A document's fields, the inverse of `to_json`; ValueError for another schema version."""
    if data.get("schema_version") not in READ_VERSIONS:
        versions = " and ".join(map(str, READ_VERSIONS))
        raise ValueError(f"schema_version is {data.get('schema_version')!r}, this version reads {versions}")
    found = {name: form.read(data[name]) for name, form in _FORMS.items() if data.get(name) is not None}
    return _of_schema_1(found) if data["schema_version"] == 1 else found


def _of_schema_1(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schema 1 document: its neurons are left out, with the reason, unless the batch had one sample."""
    inputs = fields["run"].get("inputs") or [{"shape": ()}]
    batch = inputs[0]["shape"][0] if len(inputs[0]["shape"]) > 1 else 1
    if batch == 1 or "neurons" not in fields["totals"]:
        return fields
    rows = tuple(replace(row, neurons=None) for row in fields["rows"])
    return {**fields, "totals": {**fields["totals"], "neurons": SCHEMA_1_NEURONS}, "rows": rows}


def laid_out(document: Data, *, sort_keys: bool = False) -> str:
    """The document as text for people and for `diff`: one line per row, total and check, and a newline at the end."""

    def text(value: Any) -> str:
        return json.dumps(value, allow_nan=False, sort_keys=sort_keys)

    def lines(value: Any) -> str:
        """A value on one line, or on one line for each of the objects that it holds."""
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return "[\n" + ",\n".join(f"    {text(item)}" for item in value) + "\n  ]"
        if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            named = sorted(value.items()) if sort_keys else value.items()
            return "{\n" + ",\n".join(f"    {text(name)}: {text(item)}" for name, item in named) + "\n  }"
        return text(value)

    named = sorted(document.items()) if sort_keys else document.items()
    return "{\n" + ",\n".join(f"  {text(name)}: {lines(value)}" for name, value in named) + "\n}\n"


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: tuples as lists; infinity, for which JSON has no number, as a word."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
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
        **{name: plain(value) for name, value in details.items() if value is not None},
        **_why_to_json(field.why),
    }


def _why_to_json(why: Sequence[Reason]) -> dict[str, Any]:
    return {"why": [{"cause": reason.cause.value, "text": reason.text} for reason in why]} if why else {}


def _why(data: Data) -> tuple[Reason, ...]:
    return tuple(Reason(Cause(item["cause"]), item["text"]) for item in data.get("why", ()))


def _number(data: Data) -> Number:
    return _field(data) if "jump" in data else _quantity(data)


def _quantity(data: Data) -> Quantity:
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


def _field(data: Data) -> ReceptiveField:
    cause = data["global"]["cause"] if data.get("global") else None
    size, jump, padding, image = (frozen(data.get(name)) for name in ("size", "jump", "padding", "image"))
    status, verdict = Status(data["status"]), Verdict(data["verdict"])
    return ReceptiveField(
        size, jump, padding, status, cause, verdict, image, data.get("found"), data.get("layer"), _why(data)
    )


def _numbers_to_json(numbers: Mapping[str, Number]) -> dict[str, Any]:
    return {name: number_to_json(number) for name, number in numbers.items()}


def _numbers(data: Data) -> dict[str, Number]:
    return {name: _number(item) for name, item in data.items()}


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
        **_numbers_to_json(row.extra),
    }


def _row(data: Data) -> Row:
    numbers: dict[str, Any] = {name: None if data.get(name) is None else _quantity(data[name]) for name in _ROW_NUMBERS}
    field = data.get("receptive_field")
    return Row(
        **{name: data[name] for name in _ROW_FACTS},
        hyperparameters={name: frozen(value) for name, value in data["hyperparameters"].items()},
        input_shapes=tuple(tuple(shape) for shape in data["input_shapes"]),
        **numbers,
        receptive_field=None if field is None else _field(field),
        computes=data.get("computes", True),
        layer_like=data.get("layer_like", True),
        parent=data.get("parent"),
        where=data.get("where"),
        extra={name: _quantity(item) for name, item in data.items() if _is_added(name, item)},
    )


def _is_added(name: str, item: Any) -> bool:
    """Whether an item of a row's JSON is a number that an account added."""
    return name not in Row.__dataclass_fields__ and isinstance(item, Mapping) and "unit" in item


def _uncounted_to_json(item: Uncounted) -> dict[str, Any]:
    return {"op": item.op, "calls": item.calls, "rows": list(item.rows), "quantity": item.quantity}


def _uncounted(data: Data) -> Uncounted:
    return Uncounted(data["op"], data["calls"], tuple(data["rows"]), data["quantity"])


def _check_to_json(check: Check) -> dict[str, Any]:
    place = check.row or RowId(TOTAL, "")
    return {
        "name": check.name,
        **_id_to_json(place),
        "expected": plain(check.expected),
        "found": plain(check.found),
        "source": check.source,
        "verdict": check.verdict.value,
        "hint": check.hint,
        "counter": check.counter,
        **{name: status.value for name, status in _bounds(check).items()},
    }


def _bounds(check: Check) -> dict[str, Status]:
    """The sides of a check that are no exact numbers; most checks have none."""
    sides = {"expected_status": check.expected_status, "found_status": check.found_status}
    return {name: status for name, status in sides.items() if status is not Status.EXACT}


def _check(data: Data) -> Check:
    place = _id(data)
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
    )


def _id_to_json(row: RowId) -> dict[str, Any]:
    return {"path": row.path, "call": row.call, "kind": row.kind, "functional": row.functional}


def _id(data: Data) -> RowId:
    return RowId(data["path"], data["kind"], data["call"], data.get("functional", False))


def _convention_to_json(about: CounterConvention) -> dict[str, Any]:
    return {name: value for name, value in asdict(about).items() if name != "failed" or value is not None}


def _memory(data: Data) -> MemoryDetails:
    return MemoryDetails(data["optimizer"], None if data["peak_at"] is None else Peak(**data["peak_at"]))


def _sight_to_json(sight: Sight) -> dict[str, Any]:
    return {
        "layer": sight.layer,
        **_id_to_json(sight.row),
        "positions": list(sight.positions),
        "at": list(sight.at),
        "inputs": [_seen_to_json(seen) for seen in sight.inputs],
    }


def _seen_to_json(seen: SeenInput) -> dict[str, Any]:
    forms = {name: plain(getattr(seen, name)) for name in ("image", "local", "strict", "endless")}
    return {"name": seen.name, **forms, "global": seen.is_global}


def _sight(data: Data) -> Sight:
    return Sight(
        data["layer"],
        _id(data),
        tuple(data["positions"]),
        tuple(data["at"]),
        tuple(_seen(seen) for seen in data["inputs"]),
    )


def _seen(data: Data) -> SeenInput:
    image, local, strict, endless = (frozen(data[name]) for name in ("image", "local", "strict", "endless"))
    return SeenInput(data["name"], image, local, strict, endless, data["global"])


def _asked(data: Data) -> Asked:
    return Asked(data["layer"], frozen(data["at"]))


def _varied_to_json(network: VariedNetwork) -> dict[str, Any]:
    return {
        "arguments": plain(network.arguments),
        "layer": network.layer,
        "map": list(network.map),
        "receptive_field": number_to_json(network.receptive_field),
        "params": number_to_json(network.params),
        "macs": number_to_json(network.macs),
        "inputs": plain(network.inputs),
    }


def _varied(data: Data) -> VariedNetwork:
    numbers = (_field(data["receptive_field"]), _quantity(data["params"]), _quantity(data["macs"]))
    return VariedNetwork(data["arguments"], data["layer"], tuple(data["map"]), *numbers, data["inputs"])


def _other_to_json(other: OtherNetwork) -> dict[str, Any]:
    head = {"tool": plain(other.tool), "target": plain(other.target), "run": plain(other.run)}
    return {**head, "totals": _numbers_to_json(other.totals)}


def _other(data: Data) -> OtherNetwork:
    return OtherNetwork(data["tool"], data["target"], data["run"], _numbers(data["totals"]))


def _aligned_to_json(pair: AlignedRows) -> dict[str, Any]:
    places = {"target": pair.target, "other": pair.other}
    return {
        **{name: None if place is None else _id_to_json(place) for name, place in places.items()},
        "output_shape": plain(pair.output_shape),
        "params": list(pair.params),
        "macs": list(pair.macs),
        "verdict": pair.verdict.value,
        "differs": list(pair.differs),
    }


def _aligned(data: Data) -> AlignedRows:
    target, other = (None if data[name] is None else _id(data[name]) for name in ("target", "other"))
    shapes, params, macs = (frozen(data[name]) for name in ("output_shape", "params", "macs"))
    return AlignedRows(target, other, shapes, params, macs, Verdict(data["verdict"]), tuple(data["differs"]))


@dataclass(frozen=True)
class _Form:
    """How one field of a document is written as JSON and read back."""

    write: Callable[[Any], Any] = plain
    read: Callable[[Any], Any] = lambda data: data


def _each(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> _Form:
    """The form of a tuple whose items have this one."""
    return _Form(lambda items: [write(item) for item in items], lambda data: tuple(read(item) for item in data))


def _named(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> _Form:
    """The form of a mapping whose values have this one."""
    return _Form(
        lambda items: {name: write(item) for name, item in items.items()},
        lambda data: {name: read(item) for name, item in data.items()},
    )


_FORMS = {
    "command": _Form(),
    "tool": _Form(),
    "target": _Form(),
    "run": _Form(),
    "totals": _Form(_numbers_to_json, _numbers),
    "rows": _each(row_to_json, _row),
    "uncounted": _each(_uncounted_to_json, _uncounted),
    "notes": _Form(list, tuple),
    "verdict": _Form(lambda verdict: verdict.value, Verdict),
    "checks": _each(_check_to_json, _check),
    "counters": _named(_convention_to_json, lambda data: CounterConvention(**data)),
    "machine": _Form(asdict, lambda data: Machine(**data)),
    "ops": _each(row_to_json, _row),
    "classes": _Form(),
    "memory": _Form(asdict, _memory),
    "timing": _Form(asdict, lambda data: Timing(**data)),
    "baseline": _Form(asdict, lambda data: BaselineFile(**data)),
    "other": _Form(_other_to_json, _other),
    "aligned": _each(_aligned_to_json, _aligned),
    "sights": _each(_sight_to_json, _sight),
    "asked": _Form(lambda asked: plain(asdict(asked)), _asked),
    "varied": _each(_varied_to_json, _varied),
}
"""The form of every field that a document may have, in the order of the JSON."""
