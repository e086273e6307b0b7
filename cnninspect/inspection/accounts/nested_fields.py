"""The receptive field of one position of a layer, and the nested fields of the layers before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from cnninspect.errors import UsageError, nearest_layers
from cnninspect.inspection.accounts import Addition, Inspected
from cnninspect.receptive.fields import Fields, name_of
from cnninspect.receptive.position_fields import PositionField as Found
from cnninspect.receptive.position_fields import field_at, nested, outermost
from cnninspect.receptive.rows import last_map
from cnninspect.report.document import FieldStudy, Report
from cnninspect.report.parts import Asked, InputField, PositionField
from cnninspect.report.rows import RowId
from cnninspect.trace.records import Call, Trace


@dataclass(frozen=True)
class NestedFields:
    """`layer` is a path, or a name as messages give it; by default the last map. `at` is by default its centre."""

    layer: str | None = None
    at: Sequence[int] | None = None
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """The report becomes a FieldStudy: the field of the layer stands last.

        For a network without maps, or whose last map has an unknown field, they are empty, unless a layer or position
        is given; the rows say what is known.

        Raises UsageError for a layer or a position that is not there, and for one whose field is not known.
        """
        fields = inspected.reach
        call = self.chosen(inspected)
        if (
            self.layer is None
            and self.at is None
            and (call is None or not fields.reach(call, call.outputs[0]).is_known)
        ):
            return self._study(())
        if call is None:
            raise UsageError(
                "the network ends in no map that --at could select. Leave out --at, or name a layer that has positions."
            )
        return self._study(tuple(_position_field(one) for one in self._nested(fields, call)))

    def chosen(self, inspected: Inspected) -> Call | None:
        """The call that is asked for: that of the layer, or the last map; None for a network without maps."""
        return _last(inspected.reach) if self.layer is None else _called(self.layer, inspected.trace)

    def _study(self, fields: tuple[PositionField, ...]) -> Addition:
        is_asked = self.layer is not None or self.at is not None
        asked = Asked(self.layer, None if self.at is None else tuple(self.at)) if is_asked else None

        def study(report: Report) -> Report:
            return FieldStudy.of(report, sights=fields, asked=asked)

        return Addition(parts=study)

    def _nested(self, fields: Fields, call: Call) -> list[Found]:
        try:
            return nested(fields, field_at(fields, call, self.at))
        except ValueError as error:
            raise UsageError(f"{name_of(call)}: {error}.") from None


def _last(fields: Fields) -> Call | None:
    """The last map, under the name of the largest part of the network that ends in it; None if no row shows it."""
    last = last_map(fields)
    return None if last.call is None or last.overwritten else outermost(fields.trace, last.call)


def _called(name: str, trace: Trace) -> Call:
    """The call of this name: the first use of a module, or the one that a message would call so."""
    names: dict[str, Call] = {}
    for call in trace.calls:
        for known in (name_of(call), "" if call.functional else call.path):
            names.setdefault(known, call)
    if name not in names:
        layers = {name_of(call): call for call in trace.calls if call.layer is not None and not call.functional}
        kinds = {label: call.kind for label, call in layers.items()}
        near = nearest_layers(name, names, kinds, (label for label, call in layers.items() if call.state))
        hint = f"Nearest: {', '.join(near)}." if near else "`cnninspect rf TARGET --ops all` lists the layers."
        raise UsageError(f"no layer is called {name!r}. {hint}")
    return names[name]


def _position_field(one: Found) -> PositionField:
    call = one.call
    place = RowId(call.path, call.kind, call.number, call.functional)
    return PositionField(name_of(call), place, one.positions, one.at, _inputs(one))


def _inputs(one: Found) -> tuple[InputField, ...]:
    """What is seen of each input, axis by axis."""
    found = []
    for name in dict.fromkeys(span.axis.input for span in one.spans):
        spans = [span for span in one.spans if span.axis.input == name]
        image, local, strict, endless = zip(
            *((span.axis.size, span.local, span.strict, span.endless) for span in spans), strict=True
        )
        found.append(InputField(name, image, local, strict, endless, all(span.whole for span in spans)))
    return tuple(found)
