"""Why a counter and the formula differ on a row, in words, derived from which ops the counter covers and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnninspect.measure.base import COUNTERS, Convention, Count

MULTIPLYING = {
    **{name: name for name in ("scaled_dot_product_attention", "inner", "tensordot", "linalg_multi_dot", "cdist")},
    **{name: f"matrix times vector ({name})" for name in ("mv", "addmv")},
    **{name: f"product of vectors ({name})" for name in ("dot", "vdot")},
    **{name: f"batched matrix products ({name})" for name in ("baddbmm", "addbmm")},
    **dict.fromkeys(("lstm", "lstm_cell"), "lstm"),
    **dict.fromkeys(("gru", "gru_cell"), "gru"),
    **dict.fromkeys(("rnn_tanh", "rnn_relu", "rnn_tanh_cell", "rnn_relu_cell"), "rnn"),
    **dict.fromkeys(("bilinear", "_trilinear"), "bilinear"),
    **dict.fromkeys(("matrix_power", "linalg_matrix_power"), "matrix_power"),
    **dict.fromkeys(("cov", "corrcoef"), "covariances"),
    **dict.fromkeys(("embedding_bag", "_embedding_bag"), "weights in embedding_bag"),
    "_scaled_dot_product_flash_attention_for_cpu": "fused attention on cpu",
    "_convolution_mode": "convolution with padding='same' or 'valid'",
    "_euclidean_dist": "cdist",
}
"""Ops of torch that multiply and accumulate, among those that some counter has no formula for, with the name to say."""

_FOREIGN = ("PythonOp", "CallFunction")
"""Nodes of torch.jit that run code of the user's own."""

Multiplies = Callable[[str], bool]


def explain(
    name: str,
    count: Count,
    analytic: int,
    multiplies: Multiplies | None = None,
    convention: Convention | None = None,
) -> str | None:
    """The reason why counter `name` found something else than `analytic` MACs; None if no known reason explains it.

    The reason must account for the difference: without the work that multiplies and accumulates nothing the count is
    exact, or it falls short and an op that multiplies was missed, or it lies in the bounds of an estimate.
    `multiplies` may name further ops, beyond those known here, that do multiply-accumulate work; `convention` is the
    registered counter's own unless it is given.
    """
    if count.value is None:
        return None
    convention = convention or COUNTERS[name].convention
    macs = count.value - sum(number for op, number in count.by_op.items() if op in convention.other)
    reasons = [f"{name} counts {work}" for work in _other_work(count, convention)]
    if macs != analytic:
        uncounted = dict.fromkeys(_uncounted(count, multiplies))
        estimates = [estimate for op, estimate in convention.inexact.items() if count.by_op.get(op)]
        if uncounted and macs < analytic:
            reasons.append(convention.uncounted.format(counter=name, work=", ".join(uncounted)))
        elif estimates and all(e.least * analytic <= macs <= e.greatest * analytic for e in estimates):
            reasons += [estimate.words for estimate in estimates]
        else:
            return None
    return "; ".join(reasons) or None


def unit_of(name: str) -> str:
    """What a multiply-accumulate is for a counter: `fvcore counts a MAC as one flop`."""
    return f"{name} {COUNTERS[name].convention.unit}"


def _other_work(count: Count, convention: Convention) -> dict[str, None]:
    """The classes of other work that the counter found something for."""
    counted = [op for op, number in count.by_op.items() if number]
    return dict.fromkeys(convention.other[op] for op in counted if op in convention.other)


def _uncounted(count: Count, multiplies: Multiplies | None) -> Iterator[str]:
    """What the counter left out that may multiply: work it has words for, an op that multiplies or is not torch's."""
    for skip in count.skips:
        namespace, _, name = skip.op.partition(".")
        known = skip.reason or MULTIPLYING.get(name) or MULTIPLYING.get(name.removesuffix("_"))
        if known:
            yield known
        elif namespace not in ("aten", "prim") or name.startswith(_FOREIGN) or (multiplies and multiplies(skip.op)):
            yield skip.op
