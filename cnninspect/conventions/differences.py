"""Why a counter's number is not ours: one reason for every class of work, and amounts that add up to the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from cnninspect.conventions.apply import Applied, Term
from cnninspect.conventions.table import Convention, Work
from cnninspect.trace.records import Call, Trace

MULTIPLYING = (Work.CONVOLUTION, Work.LINEAR, Work.MATMUL, Work.RECURRENT)
"""The classes of work that are MACs here, too."""


@dataclass(frozen=True)
class Difference:
    """A reason, the class of work that it concerns, and how much it adds to our number, in the counter's unit."""

    work: Work | None
    amount: int
    text: str


def own_macs(trace: Trace, inclusive: Sequence[int | None]) -> list[int]:
    """The MACs of every call without those of the calls below it; what is unknown counts 0."""
    known = [found or 0 for found in inclusive]
    return [whole - sum(known[below] for below in trace.children.get(index, ())) for index, whole in enumerate(known)]


def differences(applied: Applied, trace: Trace, macs: Sequence[int]) -> tuple[Difference, ...]:
    """Every reason why the convention's total is not ours, the largest first.

    `macs` are our own for each call alone. The amounts add up to total - per_mac * sum(macs).
    """
    convention = applied.convention
    found = [*_of_calls(applied, trace, macs), *_others(applied.terms, convention), *_of_the_whole(applied)]
    merged: dict[tuple[Work | None, str], int] = {}
    for each in found:
        merged[each.work, each.text] = merged.get((each.work, each.text), 0) + each.amount
    reasons = [Difference(work, amount, text) for (work, text), amount in merged.items() if amount]
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.amount)))


def _of_calls(applied: Applied, trace: Trace, macs: Sequence[int]) -> Iterator[Difference]:
    """What it finds less or more of, in each call, of the work that we count as well."""
    terms: dict[int, list[Term]] = {}
    for term in applied.terms:
        if term.work in MULTIPLYING and not _again(term, applied.convention):
            terms.setdefault(term.event.call.index, []).append(term)
    for call, ours in zip(trace.calls, macs, strict=True):
        own = terms.get(call.index, [])
        amount = sum(term.once for term in own) - applied.convention.per_mac * ours
        if amount:
            yield _of_call(applied.convention, call, own, amount)


def _of_call(convention: Convention, call: Call, own: Sequence[Term], amount: int) -> Difference:
    name = call.kind if call.functional else f"nn.{call.kind}" if call.layer == call.kind else call.kind
    if not own:
        return Difference(work_of(call), amount, f"leaves out {name}: {_why_unseen(convention, call)}")
    counted = " + ".join(dict.fromkeys(f"{term.cost}" for term in own))
    if call.layer == "MultiheadAttention" and amount < 0:
        return Difference(Work.MATMUL, amount, f"leaves out the products of attention in {name}, sees its projections")
    verb = "less" if amount < 0 else "more"
    return Difference(own[0].work, amount, f"counts {verb} for {name}: {counted}")


def macs_by_work(trace: Trace, own: Sequence[int]) -> dict[Work, int]:
    """Our MACs by class of work; the projections of attention are linear layers, the rest of it are products."""
    found = dict.fromkeys(MULTIPLYING, 0)
    for call, number in zip(trace.calls, own, strict=True):
        inside = _projections(call, number)
        found[Work.LINEAR] += inside
        found[work_of(call)] += number - inside
    return found


def _projections(call: Call, macs: int) -> int:
    """The MACs of a MultiheadAttention's projections: every input and the heads' output times the width."""
    if call.layer != "MultiheadAttention" or len(call.inputs) < 3:
        return 0
    width = int(call.hyperparameters["embed_dim"])
    inputs = sum(prod(ref.shape) * width for ref in call.inputs[:3])
    return min(macs, inputs + prod(call.inputs[0].shape[:-1]) * width * width)


def work_of(call: Call) -> Work:
    """The class of the work that a call multiplies in."""
    kind = (call.layer or call.kind).lower()
    words = (("conv", Work.CONVOLUTION), ("linear", Work.LINEAR), ("lstm", Work.RECURRENT), ("gru", Work.RECURRENT),
             ("rnn", Work.RECURRENT))  # fmt: skip
    return next((work for word, work in words if word in kind), Work.MATMUL)


def _why_unseen(convention: Convention, call: Call) -> str:
    if call.direct and not convention.functions:
        return "the code calls `.forward()`, which runs no hook"
    if convention.leaves and not call.functional:
        return "it looks at modules that contain no others"
    if not call.functional:
        return "it has no rule for this module"
    if not convention.functions:
        return "it looks at modules, and this is a function"
    if call.kind in convention.functions and not convention.traces:
        return "it replaces this function, but the code reaches it by another name"
    return "it has no rule for this function"


def _others(terms: Sequence[Term], convention: Convention) -> Iterator[Difference]:
    """Work that multiplies and accumulates nothing, and what is counted a second time."""
    for term in terms:
        name, again = term.event.name, _again(term, convention)
        if term.work not in MULTIPLYING or again:
            where = f"{name}, which {term.event.via} calls and which counts again" if again else name
            yield Difference(term.work, term.once, f"counts {term.work.value}: {term.cost} for {where}")


def _again(term: Term, convention: Convention) -> bool:
    """Whether a function counts that a module calls which has been counted itself."""
    return term.event.via in convention.modules or term.event.via in convention.functions


def _of_the_whole(applied: Applied) -> Iterator[Difference]:
    for term in applied.terms:
        if term.times > 1:
            text = "counts a module once for each module that contains it"
            yield Difference(None, term.value - term.once, text)
    if applied.total is not None and applied.samples > 1:
        undivided = sum(term.value for term in applied.terms)
        text = f"divides what modules count by the batch size {applied.samples}, and not what functions count"
        yield Difference(None, applied.total - undivided, text)
