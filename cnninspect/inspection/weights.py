"""The weights of a network with quantised layers: their number by formula and unpacked, and the bytes that they take.

`params` counts the elements of registered parameters, as torch does. A quantised layer may have none, or one element
for two weights: `weights` counts what they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from cnninspect.measure.quantised import Quantised, quantised
from cnninspect.ops.catalogue import declared_weights
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Unit, judge, one_sided, worst
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import Number
from cnninspect.report.sums import total_of
from cnninspect.trace.values import is_made

UNPACKED = "unpacked"
"""The counter that unpacks the weights of a layer, or asks its tensors what they stand for."""

_PADDED = "no formula says how a packing pads"
_BY_NAME = "no layer that has a formula declares these weights"
_WRAPPED = "the bytes of wrapped tensors are those that they hold, not those of their shape and type"

_LISTED = 3

Found = Mapping[str, Sequence[Quantised]]


def with_weights(report: Report, model: Any) -> Report:
    """The report with `weights` and `weights_bytes`, in total and of each quantised layer; itself if there is none."""
    found = quantised(model)
    if not found:
        return report
    layers = {path: _weights(model.get_submodule(path), held) for path, held in found.items()}
    rows = tuple(
        replace(row, extra={**row.extra, "weights": layers[row.path]})
        if row.path in layers and not (row.functional or row.call)
        else row
        for row in report.rows
    )
    totals = {**_with_true_bytes(report.totals, found), **_totals(model, found, layers)}
    return replace(
        report,
        rows=rows,
        totals=totals,
        notes=(*report.notes, *_notes(found)),
        verdict=worst(number.verdict for number in (*rows, *totals.values())),
    )


def _weights(module: nn.Module, held: Sequence[Quantised]) -> Quantity:
    """The weights of one layer: its formula against what it holds, its other parameters included."""
    whys = [Reason(Cause.NOT_COVERED, each.why) for each in held if each.why]
    if whys:
        return Quantity(None, Unit.ELEMENTS, Status.UNKNOWN, why=tuple(whys))
    measured = {UNPACKED: sum(each.elements or 0 for each in held) + sum(map(_elements, _others(module, held)))}
    declared = declared_weights(module)
    if declared is None:
        return one_sided(Unit.ELEMENTS, _BY_NAME, measured=measured)
    return judge(Unit.ELEMENTS, declared, measured)


def _others(module: nn.Module, held: Sequence[Quantised]) -> list[nn.Parameter]:
    """The parameters of a layer that are what they seem, such as its bias."""
    names = {each.name for each in held}
    own = module._parameters.items()
    return [each for name, each in own if each is not None and name not in names and is_made(each)]


def _elements(parameter: nn.Parameter) -> int:
    return parameter.numel()


def _totals(model: nn.Module, found: Found, layers: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """All weights of the network, and their bytes; a lower bound with some unknown."""
    counted = {id(each) for path in found for each in model.get_submodule(path)._parameters.values()}
    rest = [each for each in model.parameters() if id(each) not in counted and is_made(each)]
    elements = sum(map(_elements, rest))
    plain = Quantity(elements, Unit.ELEMENTS, analytic=elements, measured={UNPACKED: elements})
    whole = total_of(Unit.ELEMENTS, [plain, *layers.values()])
    beside = [each for path, held in found.items() for each in _others(model.get_submodule(path), held)]
    size = sum(each.numel() * each.element_size() for each in (*rest, *beside))
    held_bytes = [each.nbytes for held in found.values() for each in held]
    size += sum(each for each in held_bytes if each is not None)
    bytes_ = one_sided(Unit.BYTES, _PADDED, measured={"storage": size})
    if None in held_bytes:
        bytes_ = replace(bytes_, status=Status.LOWER_BOUND)
    quantised_ = [layer.value for layer in layers.values()]
    parts = {"quantised_layers": None if None in quantised_ else sum(quantised_), "other_layers": elements}
    return {"weights": replace(whole, parts=parts), "weights_bytes": bytes_}


def _with_true_bytes(totals: Mapping[str, Number], found: Found) -> dict[str, Number]:
    """The totals with the bytes that wrapped tensors hold in place of those of their shape and type."""
    wrapped = [each for held in found.values() for each in held if each.elements == each.parameters]
    more = sum((each.nbytes or 0) - each.shown for each in wrapped)
    if not wrapped:
        return dict(totals)
    why = Reason(Cause.NOT_COVERED, _WRAPPED)
    changed: dict[str, Number] = dict(totals)
    for name in ("params_bytes", "total_bytes", "peak_memory"):
        old = totals.get(name)
        if isinstance(old, Quantity) and old.value is not None:
            parts = {key: value + more if key == "parameters" else value for key, value in old.parts.items()}
            measured = {"storage": old.value + more}
            new = one_sided(Unit.BYTES, _WRAPPED, measured=measured, status=old.status, parts=parts)
            changed[name] = replace(new, reasons=old.reasons, why=(why, *(each for each in old.why)))
    return changed


def _notes(found: Found) -> Iterator[str]:
    """What params leave out or show in the place of weights, and what is not known of them."""
    ways: dict[str, list[tuple[str, Quantised]]] = {}
    for path, held in found.items():
        for each in held:
            ways.setdefault(each.why or each.how, []).append((path, each))
    for way, here in ways.items():
        shown = _some([_name(path, each) for path, each in here])
        weights, params = (sum(getattr(each, key) or 0 for _, each in here) for key in ("elements", "parameters"))
        if here[0][1].why:
            yield f"weights unknown in {shown}: {way}."
        elif weights != params:
            yield f"params counts {params:,} of the {weights:,} weights of {shown} ({way}): totals.weights counts all."
        else:
            yield f"{shown} ({way}): bytes are those that it holds, not those of its shape and type."


def _name(path: str, held: Quantised) -> str:
    """The layer, with the name of its parameter or buffer: `0.weight`, but `0` for an attribute of its own."""
    return path or held.name if held.name.startswith("_") else f"{path}.{held.name}".lstrip(".")


def _some(names: Sequence[str]) -> str:
    found = list(dict.fromkeys(names))
    return ", ".join(found[:_LISTED]) + (f" and {len(found) - _LISTED} more" if len(found) > _LISTED else "")
