"""What `reconcile` found, in every format that it has: explanations with their sums, or what is nearest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from typing import Any

from cnninspect.conventions.search import Explanation, Reading, Result, Setting
from cnninspect.render import Format
from cnninspect.render.algebra import TOOL, in_format
from cnninspect.render.page import Cell, Fact, Heading, Page, Screen, Sheet, Tone, Worth
from cnninspect.report.json_form import SCHEMA_VERSION, json_text
from cnninspect.report.published import Published

MOST_LISTED = 5
"""Explanations that are listed for readers; programs get all."""

_NAMES = {"macs": "MACs", "flops": "FLOPs", "params": "params", "activations": "activations"}


def render_result(result: Result, fmt: str, *, screen: Screen | None = None) -> str:
    """The explanations, best first, or the word `none` with the nearest numbers."""
    if fmt == Format.JSON:
        return json_text(_json(result))
    screen = screen or Screen()
    every = fmt == Format.CSV
    title = screen.marks.separator.join(_title(result))
    return in_format(Page(title, _sheet(result, every=every), list(_facts(result))), fmt, screen)


def _title(result: Result) -> Iterator[str]:
    yield f"reconcile {result.target.get('name')}"
    yield ", ".join(f"{each.text} {_NAMES[each.quantity.value]}" for each in result.published)


def _lines(result: Result, *, every: bool) -> Iterator[tuple[str, Published, Setting, Reading, str]]:
    """For every line its number, the published number, the setting, the reading and what kind of line it is."""
    shown = result.explanations if every else result.explanations[:MOST_LISTED]
    for place, each in enumerate(shown, 1):
        for published, reading in zip(result.published, each.readings, strict=True):
            yield str(place), published, each.setting, reading, "fits"
    for published, alone in result.alone:
        yield "", published, alone.setting, alone.readings[0], "fits alone"
    for near in result.nearest:
        yield "", near.published, near.setting, near.reading, "nearest"


def _sheet(result: Result, *, every: bool) -> Sheet:
    headings = (
        Heading("explanation", "", right=True, worth=Worth.KEPT),
        Heading("published", "published", right=True, worth=Worth.KEPT),
        Heading("value", "value", right=True, worth=Worth.KEPT),
        Heading("counter", "counter", worth=Worth.KEPT),
        Heading("difference", "what is not plain", worth=Worth.KEPT),
        Heading("result", "", worth=Worth.KEPT),
    )
    lines = tuple(
        (
            Cell(place, int(place) if place else None),
            Cell(published.text, published.text),
            Cell(f"{reading.value:,} {reading.unit}", reading.value),
            Cell(_counter(reading), reading.counter),
            Cell(_difference(setting, reading), _difference(setting, reading)),
            Cell("" if kind == "fits" else _off(published, reading, kind), kind, Tone.QUIET),
        )
        for place, published, setting, reading, kind in _lines(result, every=every)
    )
    sheet = Sheet(headings, lines)
    hidden = [] if every or not result.explanations else [5]
    return sheet.without(hidden if result.explanations or every else [0])


def _counter(reading: Reading) -> str:
    others = ", ".join(dict.fromkeys(each.counter for each in reading.also))
    return f"{reading.counter}; also {others}" if others else reading.counter


def _difference(setting: Setting, reading: Reading) -> str:
    return "; ".join((*setting.changes, *reading.differences))


def _off(published: Published, reading: Reading, kind: str) -> str:
    if kind != "nearest":
        return kind
    return f"{float((reading.value - published.number) / published.number):+.2%}"


def _facts(result: Result) -> Iterator[Fact]:
    for published in result.published:
        low, high = published.number - published.half, published.number + published.half
        yield Fact(published.text, f"{_plain(low)} to {_plain(high)} are rounded to it")
    if not result.explanations:
        yield Fact("none", _why_none(result), tone=Tone.STRONG)
    for place, each in enumerate(islice(result.explanations, MOST_LISTED), 1):
        for reading in each.readings:
            for text in dict.fromkeys(map(_sum, (reading, *reading.also))):
                yield Fact(f"{place}", text)
    if len(result.explanations) > MOST_LISTED:
        yield Fact("not shown", f"{len(result.explanations) - MOST_LISTED} more; -f json and -f csv have them")
    yield Fact("tried", f"{result.tried} ways to count")


def _why_none(result: Result) -> str:
    if result.alone:
        return "nothing explains all of these numbers together; below is what explains one of them alone"
    zeros = [each.text for each in result.published if _ends_in_zeros(each.text)]
    more = f"; the zeros of {zeros[0]} count as digits: write it shorter if it was rounded" if zeros else ""
    return f"no known way to count gives this number{more}"


def _ends_in_zeros(text: str) -> bool:
    digits = "".join(letter for letter in text if letter.isdigit() or letter == ".")
    return "." not in digits and digits.endswith("0")


def _plain(number: Fraction) -> str:
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):,.6f}".rstrip("0")


def _sum(reading: Reading) -> str:
    """`convolutions 4,087,136,256 + linear layers 2,048,000 = 4,089,184,256`."""
    signed = [(name, "+" if number >= 0 else "-", abs(number)) for name, number in reading.terms]
    text = " ".join(f"{sign} {name} {number:,}" for name, sign, number in signed).removeprefix("+ ")
    return text if len(signed) == 1 else f"{text} = {reading.value:,}"


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json(result: Result) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "reconcile",
        "tool": TOOL,
        "target": dict(result.target),
        "run": dict(result.run),
        "published": [_published(each) for each in result.published],
        "explanations": [_explanation(each, result.published) for each in result.explanations],
        "alone": [_number(published, each.setting, each.readings[0]) for published, each in result.alone],
        "nearest": [_number(near.published, near.setting, near.reading) for near in result.nearest],
        "tried": result.tried,
        "notes": list(result.notes),
    }


def _published(each: Published) -> dict[str, Any]:
    low, high = each.number - each.half, each.number + each.half
    return {"quantity": each.quantity.value, "text": each.text, "low": float(low), "high": float(high)}


def _explanation(each: Explanation, published: Sequence[Published]) -> dict[str, Any]:
    """The first number's keys, and below `numbers` those of each published number."""
    numbers = [_number(one, each.setting, reading) for one, reading in zip(published, each.readings, strict=True)]
    return {**numbers[0], "degree": each.degree, "numbers": numbers}


def _number(published: Published, setting: Setting, reading: Reading) -> dict[str, Any]:
    return {
        "quantity": published.quantity.value,
        "value": reading.value,
        "unit": reading.unit,
        "counter": reading.counter,
        "also": [
            {"counter": one.counter, "value": one.value, "unit": one.unit, "terms": _terms(one)} for one in reading.also
        ],
        "input": setting.input,
        "differences": [*setting.changes, *reading.differences],
        "distance": published.distance(reading.value),
        "terms": _terms(reading),
    }


def _terms(reading: Reading) -> list[dict[str, Any]]:
    return [{"work": name, "value": value} for name, value in reading.terms]
