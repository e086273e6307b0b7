"""Documents and their parts to JSON and back, and the layout of the JSON text.

JSON is only for files: inside the process, documents are passed as objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from cnninspect.report.json_rows import (
    Data,
    check_of,
    check_to_json,
    field_of,
    frozen,
    id_of,
    id_to_json,
    number_to_json,
    numbers_of,
    numbers_to_json,
    plain,
    quantity_of,
    row_of,
    row_to_json,
)
from cnninspect.report.parts import (
    AlignedRows,
    Asked,
    BaselineFile,
    CounterConvention,
    CounterDifference,
    Dataflow,
    EffectiveField,
    EffectiveInput,
    InfluenceRegion,
    InputField,
    LiveBytes,
    Machine,
    MemoryDetails,
    OtherCounter,
    OtherNetwork,
    Peak,
    PositionField,
    Shard,
    Timing,
    VariedNetwork,
)
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import Uncounted

SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)

_PER_SAMPLE = "schema 1 divided neurons by a guessed batch size: write the file again to compare them"
SCHEMA_1_NEURONS = Quantity(None, Unit.ELEMENTS, Status.UNKNOWN, why=(Reason(Cause.NOT_MEASURED, _PER_SAMPLE),))
"""Replaces the neurons of a schema 1 file, which can be compared only if its batch had one sample."""


def to_json(fields: Data) -> dict[str, Any]:
    """The JSON document of a document's fields; fields that are None are left out."""
    fields = {"totals": {}, "rows": (), **fields}
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: codec.write(fields[name]) for name, codec in _CODECS.items() if fields.get(name) is not None},
    }


def from_json(data: Data) -> dict[str, Any]:
    """A document's fields, the inverse of `to_json`; ValueError for another schema version."""
    if data.get("schema_version") not in READ_VERSIONS:
        versions = " and ".join(map(str, READ_VERSIONS))
        raise ValueError(f"schema_version is {data.get('schema_version')!r}, this version reads {versions}")
    found = {name: codec.read(data[name]) for name, codec in _CODECS.items() if data.get(name) is not None}
    return _of_schema_1(found) if data["schema_version"] == 1 else found


def _of_schema_1(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schema 1 document: its neurons are left out, with the reason, unless the batch had one sample."""
    inputs = fields["run"].get("inputs") or [{"shape": ()}]
    batch = inputs[0]["shape"][0] if len(inputs[0]["shape"]) > 1 else 1
    if batch == 1 or "neurons" not in fields["totals"]:
        return fields
    rows = tuple(replace(row, neurons=None) for row in fields["rows"])
    return {**fields, "totals": {**fields["totals"], "neurons": SCHEMA_1_NEURONS}, "rows": rows}


def json_text(document: Data, *, sort_keys: bool = False) -> str:
    """The document as text for people and for `diff`: one line per row, total and check, and a newline at the end."""

    def text(value: Any) -> str:
        return json.dumps(value, allow_nan=False, sort_keys=sort_keys)

    def lines(value: Any) -> str:
        """A value on one line; a list or mapping of objects on one line per object."""
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return "[\n" + ",\n".join(f"    {text(item)}" for item in value) + "\n  ]"
        if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            named = sorted(value.items()) if sort_keys else value.items()
            return "{\n" + ",\n".join(f"    {text(name)}: {text(item)}" for name, item in named) + "\n  }"
        return text(value)

    named = sorted(document.items()) if sort_keys else document.items()
    return "{\n" + ",\n".join(f"  {text(name)}: {lines(value)}" for name, value in named) + "\n}\n"


def _uncounted(data: Data) -> Uncounted:
    return Uncounted(**{**data, "rows": tuple(data["rows"])})


def _convention_to_json(about: CounterConvention) -> dict[str, Any]:
    return {name: value for name, value in asdict(about).items() if name != "failed" or value is not None}


def _other_counter(data: Data) -> OtherCounter:
    return OtherCounter(**{**data, "differences": tuple(CounterDifference(**each) for each in data["differences"])})


def _memory(data: Data) -> MemoryDetails:
    return MemoryDetails(data["optimizer"], None if data["peak_at"] is None else Peak(**data["peak_at"]))


def _position_field_to_json(field: PositionField) -> dict[str, Any]:
    return {
        "layer": field.layer,
        **id_to_json(field.row),
        "positions": list(field.positions),
        "at": list(field.at),
        "inputs": [_input_field_to_json(part) for part in field.inputs],
    }


def _input_field_to_json(part: InputField) -> dict[str, Any]:
    forms = {name: plain(getattr(part, name)) for name in ("image", "local", "strict", "endless")}
    return {"name": part.name, **forms, "global": part.is_global}


def _position_field(data: Data) -> PositionField:
    return PositionField(
        data["layer"],
        id_of(data),
        tuple(data["positions"]),
        tuple(data["at"]),
        tuple(_input_field(part) for part in data["inputs"]),
    )


def _input_field(data: Data) -> InputField:
    image, local, strict, endless = (frozen(data[name]) for name in ("image", "local", "strict", "endless"))
    return InputField(data["name"], image, local, strict, endless, data["global"])


def _effective_to_json(field: EffectiveField) -> dict[str, Any]:
    parts = [{**plain(asdict(part)), "verdict": part.verdict.value} for part in field.inputs]
    return {"samples": field.samples, "drawn": field.drawn, "inputs": parts}


def _effective(data: Data) -> EffectiveField:
    return EffectiveField(data["samples"], data["drawn"], tuple(_effective_input(part) for part in data["inputs"]))


def _effective_input(data: Data) -> EffectiveInput:
    regions = tuple(InfluenceRegion(**{**each, "box": frozen(each["box"])}) for each in data["regions"])
    parts = {name: frozen(data[name]) for name in ("image", "deviation", "deviation_of_squares", "influence")}
    return EffectiveInput(**{**data, **parts, "regions": regions, "verdict": Verdict(data["verdict"])})


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
    numbers = (field_of(data["receptive_field"]), quantity_of(data["params"]), quantity_of(data["macs"]))
    return VariedNetwork(data["arguments"], data["layer"], tuple(data["map"]), *numbers, data["inputs"])


def _shard_to_json(shard: Shard) -> dict[str, Any]:
    facts = {name: plain(getattr(shard, name)) for name in ("file", "tensors", "header_bytes", "metadata")}
    return {**facts, "file_bytes": number_to_json(shard.file_bytes)}


def _shard(data: Data) -> Shard:
    size = quantity_of(data["file_bytes"])
    return Shard(data["file"], data["tensors"], data["header_bytes"], size, data["metadata"])


def _other_to_json(other: OtherNetwork) -> dict[str, Any]:
    head = {"tool": plain(other.tool), "target": plain(other.target), "run": plain(other.run)}
    return {**head, "totals": numbers_to_json(other.totals)}


def _other(data: Data) -> OtherNetwork:
    return OtherNetwork(data["tool"], data["target"], data["run"], numbers_of(data["totals"]))


def _aligned_to_json(pair: AlignedRows) -> dict[str, Any]:
    """Exact counts as numbers, other counts as null; `bounds` holds the counts of which a bound is known."""
    places = {"target": pair.target, "other": pair.other}
    counts = {"params": pair.params, "macs": pair.macs}
    bounds = {name: [_bound(count) for count in both] for name, both in counts.items() if any(map(_bound, both))}
    return {
        **{name: None if place is None else id_to_json(place) for name, place in places.items()},
        "output_shape": plain(pair.output_shape),
        **{name: [None if count is None or _bound(count) else count.value for count in both]
           for name, both in counts.items()},
        **({"bounds": bounds} if bounds else {}),
        "verdict": pair.verdict.value,
        "differs": list(pair.differs),
    }  # fmt: skip


def _bound(count: Quantity | None) -> dict[str, Any] | None:
    is_bound = count is not None and count.status is not Status.EXACT
    return {"value": count.value, "status": count.status.value} if count is not None and is_bound else None


def _aligned(data: Data) -> AlignedRows:
    target, other = (None if data[name] is None else id_of(data[name]) for name in ("target", "other"))
    params, macs = (_counts(name, unit, data) for name, unit in (("params", Unit.PARAMS), ("macs", Unit.MACS)))
    shapes, verdict = frozen(data["output_shape"]), Verdict(data["verdict"])
    return AlignedRows(target, other, shapes, params, macs, verdict, tuple(data["differs"]))


def _counts(name: str, unit: Unit, data: Data) -> tuple[Quantity | None, Quantity | None]:
    """Both counts of this name, each exact, a bound or None."""

    def count(value: int | None, bound: Data | None) -> Quantity | None:
        if bound is not None:
            return Quantity(bound["value"], unit, Status(bound["status"]))
        return None if value is None else Quantity(value, unit)

    values, bounds = data[name], data.get("bounds", {}).get(name, (None, None))
    return count(values[0], bounds[0]), count(values[1], bounds[1])


def _frozen(data: Data) -> dict[str, Any]:
    return {name: frozen(part) for name, part in data.items()}


@dataclass(frozen=True)
class _Codec:
    """How one field of a document is written as JSON and read back."""

    write: Callable[[Any], Any] = plain
    read: Callable[[Any], Any] = lambda data: data


def _tuple_of(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> _Codec:
    """The codec of a tuple, from the functions that write and read one item."""
    return _Codec(lambda items: [write(item) for item in items], lambda data: tuple(read(item) for item in data))


def _mapping_of(write: Callable[[Any], Any], read: Callable[[Any], Any]) -> _Codec:
    """The codec of a mapping, from the functions that write and read one value."""
    return _Codec(
        lambda items: {name: write(item) for name, item in items.items()},
        lambda data: {name: read(item) for name, item in data.items()},
    )


_CODECS = {
    "command": _Codec(),
    "tool": _Codec(),
    "target": _Codec(),
    "run": _Codec(),
    "totals": _Codec(numbers_to_json, numbers_of),
    "rows": _tuple_of(row_to_json, row_of),
    "uncounted": _tuple_of(lambda item: plain(asdict(item)), _uncounted),
    "notes": _Codec(list, tuple),
    "verdict": _Codec(lambda verdict: verdict.value, Verdict),
    "checks": _tuple_of(check_to_json, check_of),
    "counters": _mapping_of(_convention_to_json, lambda data: CounterConvention(**data)),
    "machine": _Codec(asdict, lambda data: Machine(**data)),
    "ops": _tuple_of(row_to_json, row_of),
    "classes": _Codec(),
    "memory": _Codec(asdict, _memory),
    "timing": _Codec(asdict, lambda data: Timing(**data)),
    "other_counters": _tuple_of(lambda item: plain(asdict(item)), _other_counter),
    "macs_by_work": _Codec(),
    "dataflow": _Codec(lambda flow: plain(asdict(flow)), lambda data: Dataflow(**_frozen(data))),
    "live_bytes": _Codec(lambda alive: plain(asdict(alive)), lambda data: LiveBytes(**_frozen(data))),
    "baseline": _Codec(asdict, lambda data: BaselineFile(**data)),
    "other": _Codec(_other_to_json, _other),
    "aligned": _tuple_of(_aligned_to_json, _aligned),
    "sights": _tuple_of(_position_field_to_json, _position_field),
    "asked": _Codec(lambda asked: plain(asdict(asked)), _asked),
    "shards": _tuple_of(_shard_to_json, _shard),
    "effective": _Codec(_effective_to_json, _effective),
    "varied": _tuple_of(_varied_to_json, _varied),
}
"""Field of a document -> its codec, in the order of the JSON."""
