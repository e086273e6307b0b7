"""The engine of receptive fields: it walks the ops of a trace in order and computes the Reach of every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cnninspect.receptive import reach
from cnninspect.receptive.digits import Indices, Table
from cnninspect.receptive.effects import Aliases, ReadOut, View
from cnninspect.receptive.forms import LARGE
from cnninspect.receptive.knowledge import Knowledge, NoField, OpKnowledge, Result, Zeros, depends_on_nothing
from cnninspect.receptive.reach import Axis, Reach, reaches
from cnninspect.receptive.zeros import LostZeros, puts_zeros
from cnninspect.report.reasons import Cause, Reason, ask
from cnninspect.trace.records import Op, TensorRef, Trace

_LARGE_MASK = Reason(
    Cause.NOT_COVERED,
    "a mask has more than 1,048,576 elements, which are not looked at; fewer tokens show what it hides",
)


class Engine:
    """The reach of every value of a trace.

    `looked_at` holds, for each axis, `lo` and `-hi` of all pixels that the network reads: the hull over its first ops
    that slide a window. `made` is the index of the op that made a value. `before` holds, for a tensor that was written
    through a view, its earlier reaches, each with the op that overwrote it.

    Values that depend on numbers which Python code has read are unknown: see `effects.ReadOut`. With a `doubt` about
    the axes every field is unknown, for that reason. An engine that `scouts` for axes takes matrices with zeros that
    are not known for full ones.
    """

    def __init__(
        self,
        trace: Trace,
        axes: Mapping[str, Sequence[Axis]],
        knowledge: Knowledge,
        doubt: Reason | None = None,
        *,
        scouts: bool = False,
    ):
        self._scouts = scouts
        self._known = knowledge.op
        self.reaches: dict[int, Reach] = {}
        self.made: dict[int, int] = {}
        self.before: dict[int, list[tuple[int, Reach]]] = {}
        self.looked_at: dict[Axis, Table] = {}
        self.masked: set[int] = set()
        self._masked_storages: set[int] = set()
        self._zeros = LostZeros(trace.buffers)
        self._aliases = Aliases()
        self._stale: set[int] = set()
        self._overwritten: dict[int, str] = {}
        self._indices = dict(trace.indices)
        self._renewed = trace.renewed
        self._read_out = ReadOut(trace)
        self._calls = trace.calls
        self._last_use = {ref.value: op.index for op in trace.ops for ref in op.inputs}
        of_rows = [ref for call in trace.calls for ref in call.outputs]
        of_rows += [*trace.outputs, *(ref for _, _, ref in trace.read_out)]
        self._last_use |= dict.fromkeys((ref.value for ref in of_rows), len(trace.ops))
        self._rewritten = {ref.storage for op in trace.ops if op.writes for ref in (*op.inputs, *op.outputs)}
        for name, ref in trace.inputs.items():
            if doubt is None:
                own = reach.of_input(name, ref.shape, axes[name], tokens=ref.dtype in ("int32", "int64"))
            else:
                own = Reach(ref.shape, {}, frozenset({name}), f"the axes of {name}", why=doubt)
            self.reaches[ref.value] = own

    def of(self, ref: TensorRef) -> Reach:
        """The reach of a tensor; one that no op made is a constant."""
        self._refresh(ref.value)
        known = self.reaches.get(ref.value)
        if known is None:
            overwritten, read = self._overwritten.get(ref.storage), self._read_out
            new = ref.state is None and read.how is not None
            known = Reach(
                ref.shape,
                inputs=read.inputs if new else frozenset(),
                unknown=overwritten,
                data_dependent=read.how if new else None,
                content=self._content(ref),
                why=_not_followed(overwritten) if overwritten else read.why if new else None,
            )
            self.reaches[ref.value] = known
        elif ref.value in self._indices and self._indices[ref.value] is None and known.is_known and not known.inputs:
            known = self.reaches[ref.value] = Reach(ref.shape, unknown="a mask", why=_LARGE_MASK)
        elif ref.value in self._indices and known.content is None and known.is_known and not known.inputs:
            known = self.reaches[ref.value] = Reach(
                ref.shape, content=self._content(ref), blank=known.blank if known.is_zero else None
            )
        return known

    def _content(self, ref: TensorRef) -> Indices | None:
        seen = self._indices.get(ref.value)
        return None if seen is None else seen.astype(np.int64) if seen.dtype.kind in "iu" else seen

    def _renew(self, value: int, numbers: Indices | None) -> None:
        """Take other numbers for a constant that was written since they were noted; None if they are not known."""
        self._indices.pop(value)
        if numbers is not None:
            self._indices[value] = numbers
        known = self.reaches.get(value)
        if known is not None and known.is_known and not known.inputs:
            self.reaches[value] = replace(known, content=None)

    def _refresh(self, value: int) -> None:
        """Compute anew a view whose tensor was written since it was taken, and all stale results of the same op."""
        if value in self._stale:
            op = self._aliases.views[value].op
            results = self._results(op, latest=True)
            for ref, result in zip(op.outputs, results, strict=True):
                view = self._aliases.latest(ref.value)
                if view in self._stale:
                    self._stale.discard(view)
                    self.reaches[view] = result

    def at(self, ref: TensorRef, op: int) -> Reach:
        """The reach of a tensor as it was after the op of this index."""
        for ended, earlier in self.before.get(ref.value, ()):
            if ended > op:
                return earlier
        return self.of(ref)

    # -- one op ------------------------------------------------------------------------------------------------

    def run(self, op: Op) -> None:
        """Compute the reach of what an op returns and writes; the ops come in order."""
        for value, numbers in self._renewed.get(op.index, {}).items():
            self._renew(value, numbers)
        self._read_out.note(op.index, self.of)
        results = self._results(op)
        for ref, result in zip(op.outputs, results, strict=True):
            self.reaches[ref.value] = result
            self.made[ref.value] = op.index
        known = self._known(op)
        if known is not None and known.slides:
            self._look(self.of(op.inputs[0]), results[0])
        self._zeros.note(op, known, self.of)
        if self._hides(op, results):
            self.masked.update(ref.value for ref in op.outputs)
            self._masked_storages.update(ref.storage for ref in op.outputs if op.writes)
        if op.writes:
            self._write(op)
        elif op.outputs:
            self._aliases.add(op)
        for ref in op.inputs:
            self._let_go(op, ref)

    def _let_go(self, op: Op, ref: TensorRef) -> None:
        """Forget an argument with a bound for each pair of tokens, which no later op and no row asks for.

        A tensor that is written in place is kept: a view of it may be written later.
        """
        known = self.reaches.get(ref.value)
        if known is None or ref.storage in self._rewritten or self._is_used_after(op.index, ref.value):
            return
        if known.entries >= LARGE:
            del self.reaches[ref.value]

    def _hides(self, op: Op, results: list[Reach]) -> bool:
        """Whether a mask, or a factor of 0, may hide something in an op, or did so in what the op is given.

        What a rule makes of a low constant does not count: the probe looks behind a mask that the rule missed, too.
        """
        known = self._known(op)
        asked = known.hides if known is not None else False
        given = [self.reaches.get(ref.value) for ref in op.inputs]
        parts = [*results, *(part for part in given if part is not None)]
        hides = asked(op) if callable(asked) else any(_is_mask(part) or (asked and part.holds_low) for part in parts)
        if any(one.inputs for one in results) and (hides or (known and self._zeros.held(op, known, self.of))):
            return True
        return any(ref.value in self.masked or ref.storage in self._masked_storages for ref in op.inputs)

    def _mixed_by_zeros(self, op: Op, known: OpKnowledge) -> Reason | None:
        """Why it is not known with which zeros an op multiplies elements that it adds up and that see other pixels."""
        held = [] if op.pointwise or self._scouts else self._zeros.held(op, known, self.of)
        unknown = {ref.value: why for ref, why in held if why is not None}
        if not unknown:
            return None
        mixed = [(op.inputs[0], 1)] if known.slides else [(ref, None) for ref in op.inputs]
        if known.features is not None:
            features = ask(f"what {op.packet} mixes", known.features, op)
            if isinstance(features, Reason):
                return features
            mixed = [*features]
        parts = [(self.of(ref), dim) for ref, dim in mixed if ref.value not in unknown]
        apart = any(one.inputs and (dim is None or one.varies(dim % len(one.shape))) for one, dim in parts)
        return next(iter(unknown.values())) if apart else None

    def finish(self, ops: int) -> None:
        """Note the values that Python code read after the last op: constants made later may depend on them."""
        self._read_out.note(ops, self.of)

    def _results(self, op: Op, latest: bool = False) -> list[Reach]:
        """One reach for each result of the op; unknown where no rule says more."""
        args, kwargs = self._resolved(op.args, latest), self._resolved(op.kwargs, latest)
        found = self._taint(op, args, kwargs)
        if found is None:
            result = self._apply(op, args, kwargs)
            if isinstance(result, Reason):
                given = [*reaches(args), *reaches(list(kwargs.values()))]
                if result.cause is Cause.FAILED or any(one.inputs or _is_mask(one) or one.holds_low for one in given):
                    return [self._unknown(op, ref, result) for ref in op.outputs]
                self._zeros.lose(ref.storage for ref in op.outputs)
                return [reach.nothing(ref.shape) for ref in op.outputs]
            found = [*result] if isinstance(result, tuple) else [result]
        return [self._checked(op, position, found) for position in range(len(op.outputs))]

    def _taint(self, op: Op, args: Any, kwargs: Any) -> list[Reach] | None:
        """The results where no rule is needed: an argument is unknown, or none depends on an input; else None."""
        parts = [*reaches(args), *reaches(list(kwargs.values()))]
        inputs = frozenset[str]().union(*[part.inputs for part in parts])
        unknown, by_data, why = None, None, None
        for part in parts:
            unknown, by_data, why = unknown or part.unknown, by_data or part.data_dependent, why or part.why
        if self._read_out.may_enter(self._calls[op.call]):
            inputs |= self._read_out.inputs
            by_data, why = by_data or self._read_out.how, why or self._read_out.why
            return [Reach(ref.shape, {}, inputs, unknown, by_data, why=why) for ref in op.outputs]
        known = self._known(op)
        if known is not None and known.content is not None:
            content = ask(f"the content of {op.packet}", known.content, op, parts)
            if isinstance(content, Reason):
                return [self._unknown(op, ref, content) for ref in op.outputs]
            if content is not None:
                return [Reach(op.outputs[0].shape, content=content)]
        creates = known is not None and known.field is depends_on_nothing
        if creates or not (inputs or unknown or by_data or self._masks(op, parts)):
            make = reach.zeros if puts_zeros(op, known) is Zeros.EVERYWHERE else reach.nothing
            return [make(ref.shape) for ref in op.outputs]
        if unknown or by_data:
            return [Reach(ref.shape, {}, inputs, unknown, by_data, why=why) for ref in op.outputs]
        return None

    def _masks(self, op: Op, parts: list[Reach]) -> bool:
        """Whether an op of tensors that depend on no input, such as a table of biases, applies a mask to them."""
        known = self._known(op)
        hides = op.is_view or (known is not None and bool(known.hides))
        if hides and puts_zeros(op, known) is Zeros.SOMEWHERE:
            return True
        return hides and any(part.blank is not None or part.content is not None for part in parts)

    def _apply(self, op: Op, args: Any, kwargs: Any) -> Result | Reason:
        known = self._known(op)
        if known is None:
            return Reason(Cause.NO_FORMULA, f"no field rule for {op.packet}")
        if (odd := next((ref.irregular for ref in (*op.inputs, *op.outputs) if ref.irregular), None)) is not None:
            return Reason(Cause.NOT_COVERED, f"the field rule of {op.packet} does not cover this call: {odd}")
        if isinstance(known.field, NoField):
            return Reason(Cause.NO_FORMULA, f"no field rule for {op.packet}: {known.field.why}")
        if (zeros := self._mixed_by_zeros(op, known)) is not None:
            return zeros
        return ask(f"the field rule of {op.packet}", known.field, op, *args, **kwargs)

    def _unknown(self, op: Op, ref: TensorRef, why: Reason) -> Reach:
        """The reach of a result that no rule answers for."""
        if 0 in ref.shape:
            return reach.nothing(ref.shape)
        by_data = why.cause is Cause.READ_BY_DATA
        unknown, data_dependent = (None, op.packet) if by_data else (op.packet, None)
        return Reach(ref.shape, {}, self._inputs(op), unknown, data_dependent, why=why)

    def _checked(self, op: Op, position: int, found: list[Reach]) -> Reach:
        shape = op.outputs[position].shape
        if 0 in shape:
            return reach.nothing(shape)
        if position < len(found) and found[position].shape == shape:
            known = self._known(op)
            hides = op.is_view or (known is not None and known.hides) or not found[position].inputs
            return found[position] if hides else found[position].without_blank()
        if position >= len(found):
            why = Reason(Cause.NOT_COVERED, f"the field rule of {op.packet} leaves out this result")
        else:
            words = f"its result has shape {found[position].shape}, that of the op {shape}"
            why = Reason(Cause.FAILED, f"the field rule of {op.packet} failed: {words}")
        return self._unknown(op, op.outputs[position], why)

    def _inputs(self, op: Op) -> frozenset[str]:
        return frozenset[str]().union(*(self.of(ref).inputs for ref in op.inputs))

    def _resolved(self, tree: Any, latest: bool) -> Any:
        """Arguments with a Reach for each tensor."""
        if isinstance(tree, TensorRef):
            if latest and self._aliases.latest(tree.value) != tree.value:
                return self.reaches[self._aliases.latest(tree.value)]
            return self.of(tree)
        if isinstance(tree, (tuple, list)):
            return type(tree)([self._resolved(item, latest) for item in tree])
        if isinstance(tree, Mapping):
            return {name: self._resolved(item, latest) for name, item in tree.items()}
        return tree

    def _look(self, source: Reach, result: Reach) -> None:
        """Add the pixels that a window op reads to `looked_at` if its argument still has one pixel for each element."""
        for axis, forms in result.forms.items():
            if axis in source.forms and not source.forms[axis].endless.table.sum(0).any():
                hull = forms.strict.table.reshape(2, -1).min(1)
                self.looked_at[axis] = np.minimum(hull, self.looked_at.get(axis, hull))

    # -- writing in place --------------------------------------------------------------------------------------

    def _write(self, op: Op) -> None:
        olds = {ref.value: ref for ref in op.inputs if ref.value in op.writes}
        for value in op.writes:
            old = olds[value]
            new = next((ref for ref in op.outputs if ref.storage == old.storage), None)
            if new is None:
                self._overwritten[old.storage] = op.packet
                continue
            is_used_later = partial(self._is_used_after, op.index)
            others = self._aliases.others(new, is_used_later) if self._matters(old, new) else []
            for other in others:
                self._refresh(other)
                self.before.setdefault(other, []).append((op.index, self.reaches[other]))
            self._aliases.renew(value, new)
            self._stale.update(set(others) - {value, *self._write_through(op, new)})

    def _is_used_after(self, op: int, value: int) -> bool:
        """Whether a later op reads a value, or a row shows it."""
        return self._last_use.get(value, -1) > op

    def _matters(self, *refs: TensorRef) -> bool:
        """Whether one of the tensors depends on an input, or holds zeros: other constants need no care."""
        return any(_matters(self.reaches[ref.value]) for ref in refs)

    def _write_through(self, op: Op, new: TensorRef) -> list[int]:
        """The values renewed: the tensor that a written view was taken from, that one's own source, and so on."""
        renewed, value = [], new.value
        while value in self._aliases.views:
            view = self._aliases.views[value]
            parent = self._aliases.latest(view.of)
            whole, part = self.reaches[parent], self.reaches[value]
            renewed.append(parent)
            value = parent
            if not (_matters(whole) or _matters(part)):
                continue
            self.before.setdefault(parent, []).append((op.index, whole))
            put = self._put_back(view, whole, part)
            if not put.inputs and put.blank is None:
                self._zeros.lose([new.storage])
                put = reach.nothing(whole.shape)
            self.reaches[parent] = put
        return renewed

    def _put_back(self, view: View, whole: Reach, part: Reach) -> Reach:
        known, why = self._known(view.op), whole.why or part.why
        if known is not None and known.put_back is not None and whole.is_known and part.is_known:
            what = f"the way back through {view.op.packet}"
            result = ask(what, known.put_back, view.op, view.position, whole, part, *view.op.args[1:])
            if not isinstance(result, Reason):
                return result
            why = result
        by_data, unknown = whole.data_dependent or part.data_dependent, whole.unknown or part.unknown or view.op.packet
        why = why or _not_followed(view.op.packet)
        return Reach(whole.shape, {}, whole.inputs | part.inputs, unknown, by_data, why=why)


def _is_mask(part: Reach) -> bool:
    """Whether something is hidden here: zeros in a constant hide nothing before it is multiplied."""
    return part.blank is not None and (bool(part.inputs) or part.blank.value < 0)


def _matters(one: Reach) -> bool:
    return bool(one.inputs) or one.blank is not None


def _not_followed(packet: str) -> Reason:
    return Reason(Cause.NOT_COVERED, f"what {packet} writes is not followed")
