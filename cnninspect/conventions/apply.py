"""Applies a convention to a run: the number that the library would print, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

from cnninspect.conventions.costs import NAMES, NoCost, Use, use_of
from cnninspect.conventions.sight import Event, Sight
from cnninspect.conventions.table import (
    CONV_FUNCTIONS,
    SIGNATURES,
    TRANSPOSED_FUNCTIONS,
    Convention,
    Costs,
    Fails,
    Params,
    Work,
)
from cnninspect.report.reasons import failure
from cnninspect.trace.records import TensorRef


@dataclass(frozen=True)
class Term:
    """A part of a number: one class of work in one use, with the expression of its cost.

    `once` is its value, `times` how often it is added; `by_module` says that a hook on a module counts it.
    """

    event: Event
    work: Work
    cost: str
    once: int
    times: int = 1
    by_module: bool = False

    @property
    def value(self) -> int:
        """What it adds to the number."""
        return self.once * self.times


@dataclass(frozen=True)
class Applied:
    """The number of a convention for one run; `unknown` is why there is none.

    `samples` is the batch size by which the sum over modules is divided, 1 where it is not.
    """

    convention: Convention
    terms: tuple[Term, ...]
    params: int | None
    unknown: str = ""
    samples: int = 1

    @property
    def total(self) -> int | None:
        """The number that the library prints; None if the table does not describe a part of it."""
        if self.unknown:
            return None
        hooked = sum(term.value for term in self.terms if term.by_module)
        return int(hooked / self.samples) + sum(term.value for term in self.terms if not term.by_module)

    @property
    def by_work(self) -> dict[Work, int]:
        """The number by class of work."""
        return {work: found for work in Work if (found := sum(t.value for t in self.terms if t.work is work))}


def apply(convention: Convention, sight: Sight) -> Applied:
    """What `convention` makes of a run. Libraries take modules only, so that a function has no number."""
    if not sight.parts:
        return Applied(convention, (), None, f"{convention.name} takes modules, not functions")
    terms: list[Term] = []
    unknown: dict[str, None] = {}
    for event in sight.events:
        try:
            terms += _terms(convention, event, sight)
        except NoCost as error:
            unknown[f"how {convention.name} counts {event.name}: {error}"] = None
        except Exception as error:  # a bug of ours, which must not look like a gap of the table
            unknown[str(failure(f"the cost of {event.name} for {convention.name}", error))] = None
    try:
        samples = _samples(sight) if convention.per_sample else 1
    except NoCost as error:
        samples, unknown[f"how {convention.name} finds the batch size: {error}"] = 1, None
    unknown |= dict.fromkeys(_refused(convention, sight))
    why = f"unknown: {'; '.join(unknown)}" if unknown else ""
    return Applied(convention, tuple(terms), _params(convention, sight), why, samples)


def adds_bias(event: Event) -> bool:
    """Whether the event is a convolution or linear function with a bias."""
    if event.name not in ("F.linear", *CONV_FUNCTIONS, *TRANSPOSED_FUNCTIONS):
        return False
    return use_of(event, SIGNATURES[event.name], positional=True).shape("bias") is not None


def _refused(convention: Convention, sight: Sight) -> Iterator[str]:
    """Why the number of the whole model is unknown."""
    if sight.failed and convention.functions:
        yield f"which functions {convention.name} meets: {sight.failed}"
    frozen = [part for part in sight.parts.values() if part.kind == "MultiheadAttention" and part.is_torch]
    if convention.functions and any(part.all_params and not part.trainable for part in frozen):
        yield f"what {convention.name} meets in nn.MultiheadAttention without trained weights: torch may fuse it there"
    parts = sight.parts.values()
    found = {
        Fails.LAZY: any(part.kind.startswith("Lazy") and part.is_torch for part in parts),
        Fails.BARE: not any(part.all_params for part in parts),
        Fails.UNREGISTERED: bool(sight.unregistered),
    }
    yield from (f"{convention.name} fails for {each.value}" for each in convention.fails if found[each])


def _samples(sight: Sight) -> int:
    """The batch size as a hook on the model finds it: the length of the first positional input, else 1."""
    first = next((event.args[:1] for event in sight.events if event.part is sight.parts[""]), ())
    if not first:
        return 1
    if isinstance(first[0], TensorRef) and first[0].shape:
        return first[0].shape[0]
    if isinstance(first[0], (tuple, list, dict)):
        return len(first[0])
    raise NoCost("the first input has no length")


def _terms(convention: Convention, event: Event, sight: Sight) -> Iterator[Term]:
    if _is_unknown(convention, event):
        raise NoCost("the table has no rule for it")
    costs, by_module = _costs(convention, event)
    if not costs:
        return
    if event.call.known_by_ops_alone:
        under = "it runs under torch.vmap or another transform of functions"
        raise NoCost(under if event.call.transformed else "its tensors are nested")
    signature = convention.takes.get(event.name, SIGNATURES.get(event.name))
    use = use_of(event, signature, positional=not convention.subclasses)
    # Functions are no part of any module where the sum over modules is divided by the batch size.
    places = 1 if convention.per_sample and not by_module else sight.parts[event.owner].places
    for work, cost in costs.items():
        value = int(eval(_compiled(cost), _Values(use)))
        if value and (not convention.only or work in convention.only):
            yield Term(event, work, cost, value, places**convention.shared, by_module)


_BUILTINS = {"int": int, "sum": sum, "max": max}


def _is_unknown(convention: Convention, event: Event) -> bool:
    timm = event.part is not None and event.name == "Attention" and event.part.origin.startswith("timm.")
    return event.name in convention.unknown or (timm and "timm.Attention" in convention.unknown)


def _costs(convention: Convention, event: Event) -> tuple[Costs, bool]:
    """The costs of a use, and whether they are those of a module."""
    if event.call.functional or event.via or event.part is None:
        return convention.functions.get(event.name, {}) if event.replaced or convention.traces else {}, False
    name = event.name
    if convention.subclasses and name not in convention.modules:
        name = f"nn.{event.call.layer or event.call.base}"
    if event.part.leaf and convention.leaves:
        return next(costs for word, costs in convention.leaves.items() if word in event.part.kind), True
    return convention.modules.get(name, {}), True


@cache
def _compiled(cost: str) -> CodeType:
    return compile(cost, cost, "eval")


class _Values(dict[str, Any]):
    """The names of a cost, each worked out for one use where the cost asks for it."""

    def __init__(self, use: Use):
        super().__init__(__builtins__=_BUILTINS)
        self._use = use

    def __missing__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        try:
            return NAMES[name](self._use)
        except KeyError as error:  # Python would take it for a name that does not exist.
            raise LookupError(f"{name} asks for {error}") from error


def _params(convention: Convention, sight: Sight) -> int | None:
    parts = sight.parts
    if convention.params is Params.HOOKED:
        hooked = {*convention.modules, *convention.unknown}
        ran = {e.part.path: e.part for e in sight.events if e.part is not None and e.name in hooked and not e.via}
        # The model itself is no child, and so is left out if it is such a layer.
        return sum(part.all_params * part.places for part in ran.values() if part.path)
    if convention.params is Params.EACH_MODULE:
        if any(part.names > 1 and part.all_params for part in parts.values()):
            return None  # what it does then depends on where containers first appear in its table
        return _in_lines(sight)
    return parts[""].trainable if convention.params is Params.TRAINABLE else parts[""].all_params


def _in_lines(sight: Sight) -> int:
    """Parameters in a table with a line for every module that ran, and for those that contain it.

    A leaf has its own in its line, a container those that no line below it has, but not less than 0: a parameter of two
    modules counts in both, and then hides as many others of the container.
    """
    parts = sight.parts
    lines = {above for e in sight.events if e.part is not None and not e.via for above in _around(e.part.path)}
    below: dict[str, int] = dict.fromkeys(lines, 0)
    total = 0
    for path in sorted(lines, key=lambda each: -len(_around(each))):
        own = parts[path].all_params - (0 if parts[path].leaf else below[path])
        total += max(own, 0)
        for above in _around(path)[1:]:
            below[above] += own
    return total


def _around(path: str) -> list[str]:
    """The path and those of the modules around it, up to the root."""
    names = path.split(".") if path else []
    return [".".join(names[:length]) for length in range(len(names), -1, -1)]
