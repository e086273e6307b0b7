"""Ops by which a constant mask hides elements: they see nothing, and a product with the 0 in their place sees nothing.

A causal mask puts a low number in place of the scores of later tokens; the softmax makes it 0, and the sum over values
leaves these tokens out. `Reach.blank` goes from one op to the next. A mask whose numbers the trace does not hold, or
that depends on an input, hides nothing.
"""

from __future__ import annotations

from math import inf
from typing import Any, TypeAlias

import numpy as np

from cnninspect.ops.registry import Work, aten, every_operand, register_op
from cnninspect.ops.rules import broadcast_tensors, mixed_along, product, same, shape_of, unchanged
from cnninspect.receptive.digits import MISSING, MOST_PAIRS, Indices, Mask
from cnninspect.receptive.knowledge import NoRule, Result, Zeros
from cnninspect.receptive.reach import LOW, Reach, concatenated, merged, nothing, reaches, zeros
from cnninspect.receptive.taps import Taps
from cnninspect.trace.records import Op

Part: TypeAlias = "Reach | complex | np.typing.NDArray[Any]"


def _together(op: Op, *parts: Any) -> Reach:
    return merged(reaches(parts), shape_of(op), op.index)


def numbers_of(part: Part) -> Any:
    """The numbers of a constant as an array; None where they are not known."""
    if isinstance(part, Reach):
        return None if part.inputs or part.content is None else part.content
    return np.asarray(part)


def _masked_fill_field(op: Op, x: Reach, mask: Reach, value: Part) -> Result:
    """The value where the mask is true, and the elements of `x` elsewhere."""
    where, number = numbers_of(mask), numbers_of(value)
    if where is None or number is None or not where.any():
        return _together(op, x, mask, value)
    x, where = x.expanded(shape_of(op)), where.astype(bool)
    if x.zero is None or number <= LOW:
        return x.hidden(where, float(number))
    return _also_hidden(x, where) if number == 0 else x.hidden(where, float(number)).marked(x.zero & ~where, 0.0)


def _where_field(op: Op, condition: Reach, first: Part, second: Part) -> Result:
    """An element of `first` where the condition is true, else one of `second`."""
    numbers = numbers_of(condition)
    if numbers is None:
        return _together(op, condition, first, second)
    shape, where = shape_of(op), numbers.astype(bool)
    parts = [
        part.expanded(shape).hidden(gone, inf)
        for part, gone in ((first, ~where), (second, where))
        if isinstance(part, Reach)
    ]
    seen = merged(parts, shape, op.index)
    for part, there in ((first, where), (second, ~where)):
        numbers = numbers_of(part)
        if numbers is not None and there.any():
            most = float(np.broadcast_to(numbers, np.broadcast_shapes(numbers.shape, there.shape))[
                np.broadcast_to(there, np.broadcast_shapes(numbers.shape, there.shape))].max())  # fmt: skip
            return seen.hidden(there, most)
    return seen


def _sum_field(op: Op, first: Part, second: Part, alpha: complex = 1, **_: Any) -> Result:
    """A number stays low whatever is added to it; 0 plus 0 is 0."""
    seen = still_zero(_together(op, first, second), first, second)
    return still_low(seen, first, second) if alpha == 1 else still_low(seen, first)


def still_zero(seen: Reach, first: Part, second: Part) -> Reach:
    """`seen`, a sum or difference of both, with 0 where both are 0."""
    one, other = _zero_in(first), _zero_in(second)
    if not seen.inputs and any(isinstance(part, Reach) and part.zero is not None for part in (first, second)):
        seen = seen.dense()
    return seen if one is None or other is None else seen.hidden(np.asarray(one & other), 0.0)


def _zero_in(part: Part) -> Mask | None:
    """Where a number is 0, in a constant of zeros alone as well; None where none is known to be."""
    if isinstance(part, Reach) and part.blank is not None:
        return part.zero
    numbers = numbers_of(part)
    return None if numbers is None else np.asarray(numbers == 0)


def _difference_field(op: Op, first: Part, second: Part, alpha: complex = 1, **_: Any) -> Result:
    """A number stays low whatever is taken from it, and one from which a constant is taken that is high becomes low."""
    seen, taken = still_zero(_together(op, first, second), first, second), numbers_of(second)
    known = alpha == 1 and taken is not None and taken.dtype.kind in "fiu"
    return still_low(seen, first, -taken.astype(float)) if known else still_low(seen, first)


def still_low(seen: Reach, *added: Part) -> Reach:
    """`seen`, a sum in which these are added, low where one of them is and no constant beside it makes up for that.

    What depends on an input is taken for less than 746 in size. Nothing is left of what -inf is added to.
    """
    low = [(part, where) for part in added if (where := low_in(part)) is not None]
    for part, _ in low:
        gone = _endless(part)
        seen = seen if gone is None else seen.hidden(gone, -inf)
    for part, where in low:
        value = _most(part, where) + sum(max(_most(other), 0.0) for other in added if other is not part)
        seen = _also_marked(seen, where, value) if value <= LOW else seen
    return seen


def _endless(part: Part) -> Mask | None:
    """Where a number is -inf; None where none is known to be."""
    if isinstance(part, Reach) and part.blank is not None:
        return part.blank.mask if part.blank.value == -inf else None
    return np.asarray(numbers_of(part) == -inf)


def _most(part: Part, where: Mask | bool = True) -> float:
    """The largest number of a part, there, as far as constants and masks say; 0 for what depends on an input."""
    if isinstance(part, Reach) and part.blank is not None:
        return part.blank.value if where is not True else 0.0
    numbers = numbers_of(part)
    return 0.0 if numbers is None else float(np.max(numbers, where=where, initial=-inf))


def _product_field(op: Op, first: Part, second: Part, **_: Any) -> Result:
    """0 times anything is 0; a low number times a positive one may stay low."""
    seen = _together(op, first, second)
    if not seen.inputs and any(isinstance(part, Reach) and part.is_zero for part in (first, second)):
        return zeros(seen.shape)
    for part, other in ((first, second), (second, first)):
        zero = known_zeros(part)
        if zero is not None:
            seen = _also_hidden(seen, zero)
        elif isinstance(part, Reach) and part.blank is not None and isinstance(other, (int, float)) and other > 0:
            seen = _also_marked(seen, part.blank.mask, part.blank.value * other)
    return seen


def _quotient_field(op: Op, first: Part, second: Part, **_: Any) -> Result:
    """0 divided by anything is 0; a low number divided by a positive one may stay low."""
    if isinstance(second, (int, float)) and second > 0:
        return _product_field(op, first, 1 / second)
    seen = _together(op, first, second)
    if isinstance(first, Reach) and first.is_zero and not seen.inputs:
        return zeros(seen.shape)
    zero = known_zeros(first) if isinstance(first, Reach) else None
    return seen if zero is None else _also_hidden(seen, zero)


def _exponential_field(op: Op, x: Reach) -> Result:
    """exp(x), and with it sigmoid(x), is 0 where x is low, and not where it is 0."""
    low = low_in(x)
    seen = _together(op, x)
    if not seen.inputs and x.zero is not None:
        return seen.dense()
    return seen if low is None else seen.hidden(low, 0.0)


def _relu_field(op: Op, x: Reach) -> Result:
    """0 where x is low, or 0."""
    nothing_left = low_in(x) if x.zero is None else x.zero
    seen = _together(op, x)
    return seen if nothing_left is None else seen.hidden(nothing_left, 0.0)


def power_field(op: Op, x: Part, exponent: Part) -> Result:
    """0 to a positive power is 0."""
    seen = _together(op, x, exponent)
    positive = isinstance(exponent, (int, float)) and exponent > 0
    if positive and isinstance(x, Reach) and x.is_zero and not seen.inputs:
        return zeros(seen.shape)
    zero = known_zeros(x) if positive and isinstance(x, Reach) else None
    return seen if zero is None else _also_hidden(seen, zero)


def weights_over(op: Op, x: Reach, dim: int) -> Result:
    """A softmax of `x`: 0 where `x` is low, but for rows that are low as a whole: there all may be alike.

    The only one of a row that is not low is 1, whatever it is.
    """
    low = low_in(x) if x.shape else None
    if x.zero is not None and not x.inputs:
        return x.dense()
    if low is None or low.shape[dim] == 1:
        return mixed_along(op, x, dim)
    gone = low & ~low.all(dim, keepdims=True)
    (weights,) = mixed_along(op, x.hidden(gone, LOW), dim)
    only = np.asarray((~low).sum(dim, keepdims=True) == 1)
    weights = weights.hidden(only, inf).without_blank()
    return (weights.hidden(gone, 0.0),)


def _triangle_field(op: Op, x: Reach, diagonal: int = 0) -> Result:
    """0 above or below a diagonal."""
    rows, columns = x.shape[-2:]
    if rows * columns > MOST_PAIRS:
        raise NoRule(f"a triangle of more than {MOST_PAIRS:,} elements is not looked at")
    kept = np.ones((rows, columns), dtype=bool)
    kept = np.tril(kept, diagonal) if "tril" in op.packet else np.triu(kept, diagonal)
    return x.hidden(~kept, 0.0) if x.zero is None else _also_hidden(x, ~kept)


def low_in(part: Part) -> Mask | None:
    """Where a number is at most LOW; None where none is known to be."""
    if isinstance(part, Reach) and part.blank is not None:
        return part.blank.mask if part.blank.value <= LOW else None
    numbers = numbers_of(part)
    return None if numbers is None or numbers.dtype.kind not in "fiu" else _any(numbers <= LOW)


def known_zeros(part: Part) -> Mask | None:
    """Where a number is 0; None where none is known to be, and for a constant of zeros alone.

    That is no mask: a buffer may start at 0 and hold statistics later.
    """
    if isinstance(part, Reach) and part.blank is not None:
        return None if part.zero is None or part.is_zero else _any(part.zero)
    numbers = numbers_of(part)
    return None if numbers is None or not numbers.any() else _any(numbers == 0)


def _any(where: Mask) -> Mask | None:
    return where if where.any() else None


def _also_marked(x: Reach, where: Mask, value: float) -> Reach:
    """`x` with more elements marked, by the larger number of both."""
    before = x.blank
    return x.marked(where, value) if before is None else x.marked(before.mask | where, max(before.value, value))


def _also_hidden(x: Reach, where: Mask) -> Reach:
    """`x` with 0 in more elements."""
    before = x.blank
    return x.hidden(where, 0.0) if before is None else x.hidden(before.mask | where, 0.0)


# --- sums over what a mask leaves -----------------------------------------------------------------------------------


def masked_product(op: Op, a: Reach, b: Reach) -> Reach:
    """A product of matrices: column j of `b` is read where row i of `a` is not 0, and the other way round."""
    rows, columns = known_zeros(a), known_zeros(b)
    if not (a.inputs or b.inputs):
        return _constant_product(a, b, rows, columns)
    if rows is not None:
        return _left_out(op, a, b, rows)
    if columns is None:
        return product(op, a, b)
    turned = _left_out(op, _transposed(b), _transposed(a), columns.swapaxes(-1, -2))
    return _transposed(turned)


def _constant_product(a: Reach, b: Reach, rows: Mask | None, columns: Mask | None) -> Reach:
    """A product of constants is 0 where every term is."""
    found = nothing((*a.shape[:-1], b.shape[-1]))
    if a.is_zero or b.is_zero:
        return zeros(found.shape)
    if rows is None and columns is None:
        return found
    left, right = (
        np.broadcast_to(True if zero is None else ~zero, part.shape) for part, zero in ((a, rows), (b, columns))
    )
    return found.marked(np.asarray(left.astype(np.float32) @ right.astype(np.float32) == 0), 0.0)


def _left_out(op: Op, a: Reach, b: Reach, zero: Mask) -> Reach:
    shape, last = (*a.shape[:-1], b.shape[-1]), len(a.shape) - 1
    taken = summed_where(op, b, ~np.broadcast_to(zero, (*zero.shape[:-2], *a.shape[-2:])))
    rows = a.reduced([last], op.index).moved(shape, lambda part: part.resized(last, shape[-1]))
    return merged((rows, taken), shape, op.index)


def summed_where(op: Op, x: Reach, kept: Mask) -> Reach:
    """[..., k, m] to [..., n, m]: row i is the hull of the rows j of `x` for which kept[..., i, j] is true.

    The first dimensions of `kept` have size 1 or that of `x`.
    """
    varied = next((dim for dim, size in enumerate(kept.shape[:-2]) if size > 1), None)
    if varied is not None:
        dim = varied + len(x.shape) - kept.ndim
        parts = [summed_where(op, _one(x, dim, place), kept.take([place], varied)) for place in range(x.shape[dim])]
        return concatenated(parts, dim, (*x.shape[:-2], kept.shape[-2], x.shape[-1]))
    rows = len(x.shape) - 2
    if not x.varies(rows):
        shape = (*x.shape[:-2], kept.shape[-2], x.shape[-1])
        found = x.reduced([rows], op.index).moved(shape, lambda part: part.resized(rows, shape[rows]))
        return found.hidden(np.asarray(~kept.any(-1, keepdims=True)), 0.0).without_blank()
    return x.slid(rows, _taps(kept.reshape(kept.shape[-2:])))


def _one(x: Reach, dim: int, place: int) -> Reach:
    return x.slid(dim, Taps(np.array([[place]])))


def _taps(kept: Mask) -> Taps:
    """For each row the places where it is true; those of a window that slides have a pattern."""
    most = int(kept.sum(1).max(initial=1)) or 1
    order = np.argsort(~kept, axis=1, kind="stable")[:, :most]
    index = np.where(np.take_along_axis(kept, order, 1), order, MISSING)
    offsets = _of_window(kept)
    return Taps(index) if offsets is None else Taps(index, offsets, 1)


def _of_window(kept: Mask) -> Indices | None:
    """[1, taps], the distances at which rows are true, the same ones for all, none as long as the whole; else None."""
    rows, columns = kept.shape
    distance = np.arange(columns) - np.arange(rows)[:, None]
    offsets = np.unique(distance[kept])
    if not len(offsets) or max(-offsets[0], offsets[-1]) >= min(rows, columns) - 1:
        return None
    if 2 * (kept.sum(1) == len(offsets)).sum() < rows:  # What wraps around, or reaches back to the start, is no window.
        return None
    return offsets[None] if (np.isin(distance, offsets) == kept).all() else None


def _transposed(x: Reach) -> Reach:
    rank = len(x.shape)
    return x.permuted((*range(rank - 2), rank - 1, rank - 2))


# --- the ops --------------------------------------------------------------------------------------------------------


def _holds_0(op: Op) -> Zeros | None:
    """Zeros where a mask says, if one of the numbers that an op is given is 0."""
    return Zeros.SOMEWHERE if any(type(given) in (int, float) and given == 0 for given in op.args) else None


_PUTS_ZEROS: dict[Any, Any] = {
    _triangle_field: Zeros.SOMEWHERE, _masked_fill_field: _holds_0, _where_field: _holds_0,
}  # fmt: skip

for _names, _shapes, _rule, _work, _swallows, _source in (
    (
        "masked_fill(_)",
        broadcast_tensors,
        _masked_fill_field,
        None,
        True,
        "torch.Tensor.masked_fill_: a value where the mask is true",
    ),
    ("where", broadcast_tensors, _where_field, None, True, "torch.where: one of two elements, as a mask says"),
    (
        "tril(_) triu(_)",
        same,
        _triangle_field,
        None,
        False,
        "torch.tril: x_ij where j <= i + diagonal, else 0; triu above",
    ),
    (
        "clone _to_copy",
        same,
        unchanged,
        None,
        False,
        "torch.clone, torch.Tensor.to: the same elements in new memory",
    ),
    ("add(_)", broadcast_tensors, _sum_field, Work.ELEMENTWISE, False, "torch.add: x + alpha y"),
    ("sub(_)", broadcast_tensors, _difference_field, Work.ELEMENTWISE, False, "torch.sub: x - alpha y"),
    ("mul(_)", broadcast_tensors, _product_field, Work.ELEMENTWISE, False, "torch.mul: x y"),
    ("div(_)", broadcast_tensors, _quotient_field, Work.ELEMENTWISE, False, "torch.div: x / y"),
    ("exp(_)", same, _exponential_field, Work.ELEMENTWISE, False, "torch.exp: e to the power of x"),
    ("sigmoid(_)", same, _exponential_field, Work.ELEMENTWISE, False, "torch.sigmoid: exp(x) / (1 + exp(x))"),
    ("relu(_)", same, _relu_field, Work.ELEMENTWISE, False, "torch.nn.ReLU: x where it is positive, else 0"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        work=_work,
        swallows_nan=_swallows,
        hides=True,
        zeros=_PUTS_ZEROS.get(_rule),
        factors=every_operand if _rule is _product_field else None,
    )
