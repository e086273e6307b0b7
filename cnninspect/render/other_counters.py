"""Counters side by side: a table with a line for each class of work, and why each counter's number is not ours."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.render.page import Cell, Fact, Heading, Sheet, Tone, Worth
from cnninspect.report.document import Report
from cnninspect.report.parts import OtherCounter

PRINTED, BY_TABLE = "printed", "by its convention"


def sheet(report: Report) -> Sheet:
    """One line per class of work, and the totals: as the libraries print them, and as their conventions give them."""
    counters, ours = report.other_counters or (), report.macs_by_work or {}
    works = dict.fromkeys([*ours, *(work for each in counters for work in each.by_work)])
    headings = (
        Heading("work", "", worth=Worth.KEPT),
        Heading("macs", "MACs", right=True, worth=Worth.KEPT),
        *(Heading(each.name, each.name, right=True, worth=Worth.KEPT) for each in counters),
    )
    lines = [
        (Cell(work, work), _cell(ours.get(work)), *(_cell(each.by_work.get(work)) for each in counters))
        for work in works
    ]
    total = sum(ours.values())
    lines.append((Cell(BY_TABLE, BY_TABLE), _cell(total), *(_cell(each.expected) for each in counters)))
    lines.append((Cell(PRINTED, PRINTED, Tone.STRONG), Cell(""), *(_cell(each.printed) for each in counters)))
    return Sheet(headings, tuple(lines))


def _cell(number: int | None) -> Cell:
    return Cell("" if number is None else f"{number:,}", number)


def facts(report: Report) -> Iterator[Fact]:
    """For every counter its number and version, what it differs in, and why it printed nothing."""
    for each in report.other_counters or ():
        value = "unknown" if each.value is None else f"{each.value:,} {each.unit}"
        yield Fact(each.name, value, _about(each), Tone.PLAIN if each.failed is None else Tone.QUIET)
        for reason in each.differences:
            yield Fact(f"  {reason.amount:+,}", reason.text, tone=Tone.QUIET)


def _about(each: OtherCounter) -> str:
    if each.failed is not None:
        return each.failed if each.value is None else f"by its convention; {each.failed}"
    if each.value is None:
        return ""
    more = each.value - each.ours
    same = "our number" if not more else f"{more:+,} to our {each.ours:,}"
    return f"printed by {each.version}; {same}"
