"""What one position of a layer sees of the input, and what the layers on the way to it see around its centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cnninspect.errors import UsageError, nearest
from cnninspect.inspection.accounts.base import Addition, Inspected
from cnninspect.ops.catalogue import KNOWLEDGE
from cnninspect.receptive.intervals import Fields, intervals, name_of
from cnninspect.receptive.rows import last_map
from cnninspect.receptive.sights import Ends, Sight, nested, outermost, sight
from cnninspect.trace.records import Call, Trace


@dataclass(frozen=True)
class Sights:
    """`layer` is a path, or a name as messages give it; by default the last map. `at` is by default its centre."""

    layer: str | None = None
    at: Sequence[int] | None = None
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`sights` in the document, that of the layer last; none for a network without maps that is asked for none.

        Raises UsageError for a layer or a position that is not there, and for one whose field is not known.
        """
        fields = intervals(inspected.trace, KNOWLEDGE)
        call = _last(fields) if self.layer is None else _called(self.layer, inspected.trace)
        if call is None and self.at is None:
            return Addition(extra={"sights": []})
        if call is None:
            raise UsageError("no layer has a map of positions that --at could name.")
        return Addition(extra={"sights": [_plain(one) for one in self._sights(fields, call)]})

    def _sights(self, fields: Fields, call: Call) -> list[Sight]:
        try:
            return nested(fields, sight(fields, call, self.at))
        except ValueError as error:
            raise UsageError(f"{name_of(call)}: {error}.") from None


def _last(fields: Fields) -> Call | None:
    """The last map, under the name of the largest part of the network that ends in it."""
    last = last_map(fields)
    return None if last is None else outermost(fields.trace, last)


def _called(name: str, trace: Trace) -> Call:
    """The call of this name: the first use of a module, or the one that a message would call so."""
    names: dict[str, Call] = {}
    for call in trace.calls:
        for known in (name_of(call), "" if call.functional else call.path):
            names.setdefault(known, call)
    if name not in names:
        near = nearest(name, filter(None, names))
        hint = f"Nearest: {', '.join(near)}." if near else "`cnninspect rf TARGET --ops all` lists the layers."
        raise UsageError(f"no layer is called {name!r}. {hint}")
    return names[name]


def _plain(one: Sight) -> dict[str, Any]:
    """The sight as JSON can hold it."""
    return {
        "layer": name_of(one.call),
        "path": one.call.path,
        "kind": one.call.kind,
        "call": one.call.number,
        "positions": list(one.positions),
        "at": list(one.at),
        "inputs": _inputs(one),
    }


def _inputs(one: Sight) -> list[Mapping[str, Any]]:
    """What is seen of each input, axis by axis: [first, last] pixel, null for nothing; `global` if it is all."""
    names = dict.fromkeys(span.axis.input for span in one.spans)
    return [
        {
            "name": name,
            "image": [span.axis.size for span in one.spans if span.axis.input == name],
            "local": [_listed(span.local) for span in one.spans if span.axis.input == name],
            "strict": [_listed(span.strict) for span in one.spans if span.axis.input == name],
            "endless": [_listed(span.endless) for span in one.spans if span.axis.input == name],
            "global": all(span.whole for span in one.spans if span.axis.input == name),
        }
        for name in names
    ]


def _listed(ends: Ends | None) -> list[int] | None:
    return None if ends is None else [*ends]
