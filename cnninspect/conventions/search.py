"""Which way of counting gives a published number: readings of a run, and those that fit within the number's digits.

A reading is a number that somebody could have printed: our own count, that of a known counter, or one of them in
another unit or without a class of work. Each has a degree from 0 (plain) to 3 (far-fetched). Few are tried, so that a
wrong number fits none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any

from cnninspect.conventions.apply import Applied
from cnninspect.conventions.differences import MULTIPLYING
from cnninspect.conventions.table import Work
from cnninspect.report.published import Published, Quantity
from cnninspect.report.quantities import flops_from_macs

PLAIN = "multiply-accumulates"
"""The name of our own count."""

MACS_AS_FLOPS = "MACs are called FLOPs"


@dataclass(frozen=True)
class Reading:
    """A number that could have been printed: a sum of `terms`, and in words what is not plain about it.

    `also` are readings of other counters that the digits cannot tell from this one.
    """

    value: int
    unit: str
    counter: str
    terms: tuple[tuple[str, int], ...]
    differences: tuple[str, ...] = ()
    degree: int = 0
    also: tuple[Reading, ...] = ()


@dataclass(frozen=True)
class Setting:
    """A run of the model as it is (`changes` is empty), or with another input, batch or head, and what it counts.

    `macs` are ours by class of work. `head` and `biases` are the MACs of the last linear layer and the elements that
    biases are added to. `params` and `activations` hold the readings of these quantities.
    """

    input: str
    changes: tuple[str, ...]
    degree: int
    macs: Mapping[Work, int]
    head: int = 0
    biases: int = 0
    applied: tuple[Applied, ...] = ()
    params: tuple[Reading, ...] = ()
    activations: tuple[Reading, ...] = ()
    variants: bool = True


def readings(setting: Setting, quantity: Quantity) -> list[Reading]:
    """All readings of one quantity in a setting, plain ones first."""
    if quantity is Quantity.PARAMS:
        found: Iterable[Reading] = setting.params
    elif quantity is Quantity.ACTIVATIONS:
        found = setting.activations
    else:
        found = _work(setting, flops=quantity is Quantity.FLOPS)
    return sorted(found, key=lambda reading: reading.degree)


def _work(setting: Setting, *, flops: bool) -> Iterator[Reading]:
    whole = [(work.value, number) for work, number in setting.macs.items() if number]
    yield from _units(PLAIN, whole, (), 0, flops=flops, both=setting.variants)
    total = sum(number for _, number in whole)
    for applied in setting.applied:
        own = applied.total != total  # what prints just the plain count has no further readings of its own
        yield from _of_counter(applied, flops=flops, both=setting.variants and own)
    if setting.variants:
        for words, degree, terms in _variants(setting):
            yield from _units(PLAIN, terms, (words,), degree, flops=flops, both=False)


def _units(
    counter: str, terms: Sequence[tuple[str, int]], words: tuple[str, ...], degree: int, *, flops: bool, both: bool
) -> Iterator[Reading]:
    """MACs as MACs, or two FLOPs for each; with `both`, each unit under the name of the other too."""
    single = _reading(counter, "MACs", terms, words, degree)
    double = _reading(counter, "FLOPs", [(f"2 x {name}", flops_from_macs(n)) for name, n in terms], words, degree)
    if flops:
        yield double
        yield replace(single, differences=(*words, MACS_AS_FLOPS), degree=degree + 1)
    else:
        yield single
        if both:
            yield replace(double, differences=(*words, "FLOPs, two for each MAC, are called MACs"), degree=degree + 2)


def _reading(
    counter: str, unit: str, terms: Sequence[tuple[str, int]], words: tuple[str, ...] = (), degree: int = 0
) -> Reading:
    return Reading(sum(number for _, number in terms), unit, counter, tuple(terms), words, degree)


def _of_counter(applied: Applied, *, flops: bool, both: bool) -> Iterator[Reading]:
    """What a counter prints under its own name for it; with `both`, also under another name."""
    convention = applied.convention
    if not applied.total:
        return
    terms = [(work.value, number) for work, number in applied.by_work.items()]
    if (rest := applied.total - sum(number for _, number in terms)) != 0:
        terms.append((f"its hooks' part divided by a batch of {applied.samples}", rest))
    printed = _reading(convention.name, convention.says, terms, (), 1)
    is_flops = convention.per_mac == 2
    if is_flops == flops or "flops" in convention.says:
        yield printed
    elif both and not is_flops:
        yield replace(printed, differences=(MACS_AS_FLOPS,), degree=2)
        doubled = [(f"2 x {name}", 2 * number) for name, number in terms]
        words = ("two FLOPs for each of the MACs that a counter prints",)
        yield replace(_reading(convention.name, "FLOPs", doubled), differences=words, degree=2)
    elif both:
        yield replace(printed, differences=("FLOPs are called MACs",), degree=3)


def _variants(setting: Setting) -> Iterator[tuple[str, int, list[tuple[str, int]]]]:
    """Ways to leave out or add one class of work, in words, with the degree and the terms."""
    whole = {work: number for work, number in setting.macs.items() if number}
    named = {work.value: number for work, number in whole.items()}
    if 0 < setting.head < sum(whole.values()):
        yield "without the last linear layer, the head", 2, [*named.items(), ("the head", -setting.head)]
    linear = whole.get(Work.LINEAR, 0)
    if Work.CONVOLUTION in whole and linear and linear != setting.head:
        only = Work.CONVOLUTION
        yield "convolutions alone", 2, [(only.value, whole[only])]
    if Work.MATMUL in whole and len(whole) > 1:
        rest = [(work.value, number) for work, number in whole.items() if work is not Work.MATMUL]
        yield "without the products of activations in attention", 2, rest
    if setting.biases:
        yield "with the additions of biases", 2, [*named.items(), ("biases", setting.biases)]


# --- what fits ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Explanation:
    """One reading for each published number, all in the same setting."""

    setting: Setting
    readings: tuple[Reading, ...]

    @property
    def degree(self) -> int:
        """How far-fetched it is, all of its readings together."""
        return self.setting.degree + sum(reading.degree for reading in self.readings)


@dataclass(frozen=True)
class Near:
    """The nearest reading of a published number that nothing fits."""

    published: Published
    setting: Setting
    reading: Reading


@dataclass
class Result:
    """The explanations, best first; where there is none, `alone` explains single numbers, and `nearest` is nearest."""

    published: tuple[Published, ...]
    explanations: list[Explanation] = field(default_factory=list)
    alone: list[tuple[Published, Explanation]] = field(default_factory=list)
    nearest: list[Near] = field(default_factory=list)
    tried: int = 0
    notes: tuple[str, ...] = ()
    target: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)


def search(published: Sequence[Published], tiers: Iterable[Iterable[Setting]]) -> Result:
    """The explanations of the first tier of settings that has any: what is plainer is not sought beyond it."""
    result = Result(tuple(published))
    seen: list[Setting] = []
    for tier in tiers:
        settings = list(tier)
        seen += settings
        for setting in settings:
            result.tried += sum(len(readings(setting, each.quantity)) for each in published)
            result.explanations += _explanations(setting, published)
        if result.explanations:
            break
    result.explanations.sort(key=lambda each: (each.degree, _distance(each, published)))
    if not result.explanations:
        result.nearest = [near for each in published for near in _nearest(each, seen)]
        if len(published) > 1:
            result.alone = [(each, found) for each in published for found in _alone(each, seen)[:1]]
    return result


def _explanations(setting: Setting, published: Sequence[Published]) -> list[Explanation]:
    fitting = [_grouped(each, readings(setting, each.quantity)) for each in published]
    if not all(fitting):
        return []
    if len(published) > 1:
        fitting = [_plainest(found) for found in fitting]
    return [Explanation(setting, found) for found in product(*fitting)]


def _plainest(found: Sequence[Reading]) -> list[Reading]:
    """The readings that are combined with those of other numbers: none that is two degrees beyond the plainest."""
    least = min(reading.degree for reading in found)
    return [reading for reading in found if reading.degree < least + 2]


def _grouped(published: Published, found: Sequence[Reading]) -> list[Reading]:
    """The readings that fit: what known counters print that count the same work and more stands together.

    They differ only in what else they count, and the digits cannot tell them apart.
    """
    groups: dict[tuple[object, ...], list[Reading]] = {}
    plain = {reading.value for reading in found if reading.counter == PLAIN}
    for reading in found:
        if published.fits(reading.value):
            groups.setdefault(_kind(reading, plain), []).append(reading)
    together = []
    for group in groups.values():
        first, *others = sorted(group, key=lambda one: (one.degree, published.distance(one.value)))
        together.append(replace(first, also=tuple(others)))
    return together


_MULTIPLYING = frozenset(work.value for work in MULTIPLYING)


def _kind(reading: Reading, plain: set[int]) -> tuple[object, ...]:
    names = frozenset(name.removeprefix("2 x ") for name, _ in reading.terms)
    if not names & _MULTIPLYING:
        return (reading.counter, names, reading.differences)
    return (reading.differences, names & _MULTIPLYING, reading.value in plain)


def _distance(explanation: Explanation, published: Sequence[Published]) -> Fraction:
    """The largest distance of its values, in parts of the published numbers."""
    pairs = zip(explanation.readings, published, strict=True)
    return max(abs(reading.value - each.number) / each.number for reading, each in pairs)


def _alone(published: Published, settings: Sequence[Setting]) -> list[Explanation]:
    found = [each for setting in settings for each in _explanations(setting, [published])]
    return sorted(found, key=lambda each: (each.degree, _distance(each, [published])))


_NEAREST = 3


def _nearest(published: Published, settings: Sequence[Setting]) -> list[Near]:
    every = [Near(published, setting, reading) for setting in settings for reading in
             readings(setting, published.quantity)]  # fmt: skip
    if any(published.fits(near.reading.value) for near in every):
        return []
    unlike = {near.reading.value: near for near in reversed(every)}
    return sorted(unlike.values(), key=lambda near: published.distance(near.reading.value))[:_NEAREST]
