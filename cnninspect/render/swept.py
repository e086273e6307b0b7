"""The table of `sweep`: its lines are written one by one, in columns laid out before the numbers are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len

from cnninspect.render.cells import verdict_sign
from cnninspect.render.numbers import field_text, mebibytes, number_cell
from cnninspect.render.page import Cell, Heading, Screen, Sheet, Tone, Worth
from cnninspect.render.table import line_of, painted
from cnninspect.render.width import GAP, fitted, pieces
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from cnninspect.report.swept import SweptModel

_HEADINGS = (
    Heading("target", "target", worth=Worth.KEPT, shortens=True),
    Heading("input", "input", worth=Worth.MINOR),
    Heading("params", "params", right=True, worth=Worth.KEPT),
    Heading("macs", "MACs", right=True, worth=Worth.KEPT),
    Heading("activations", "activations", right=True),
    Heading("peak_memory", "peak memory", right=True),
    Heading("field", "field", right=True, worth=Worth.MAIN),
    Heading("verdict", "", worth=Worth.KEPT),
    Heading("global", "global from", worth=Worth.MINOR),
    Heading("seconds", "s", right=True, worth=Worth.MINOR),
)
_USUAL = SweptModel(
    "", input="1x3x224x224", params=999_999_999, macs=99_999_999_999, activations=999_999_999,
    peak_memory=9_999 * 2**20, extent=(9999,), cause="layer4.1.conv2", seconds=99.99,
)  # fmt: skip
"""Numbers as wide as most of them, for which a column has room before the first is known."""


class Layout:
    """The columns of the table on one screen, for these targets, and for `rows` if they are known already."""

    def __init__(self, targets: Sequence[str], screen: Screen, rows: Sequence[SweptModel] = ()):
        self.screen = screen
        known = [row for row in rows if row.error is None] or [replace(_USUAL, target=name) for name in targets]
        cells = [*map(self._cells, known), *([Cell(name, name), *_NOTHING] for name in targets)]
        sheet = Sheet(_HEADINGS, tuple(map(tuple, cells)))
        self._found = fitted(sheet, screen.width, screen.marks)
        self._names = {old[0].text: new[0].text for old, new in zip(sheet.lines, self._found.sheet.lines, strict=True)}
        self._shown = [_HEADINGS.index(heading) for heading in self._found.sheet.headings]
        first = [self._cells(known[0])[index] for index in self._shown]
        pairs = zip(first, self._found.sheet.lines[0], strict=True)
        self._short = {index for index, (old, new) in enumerate(pairs) if old.short is not None and old != new}

    def heading(self) -> str:
        """The line above the table."""
        titles = [each.title or self.screen.marks.match for each in self._found.sheet.headings]
        return self._text([Cell(title, tone=Tone.QUIET) for title in titles])

    def line(self, row: SweptModel) -> str:
        """The lines of a row; for a failure its reason stands in the place of the numbers."""
        name = Cell(self._names.get(row.target, row.target), row.target)
        if row.error is not None:
            return self._failure(name.text, row.error)
        cells = [self._cells(row)[index] for index in self._shown]
        short = [
            replace(cell, text=cell.short or cell.text) if n in self._short else cell for n, cell in enumerate(cells)
        ]
        return self._text([name, *short[1:]])

    def remarks(self) -> str:
        """What the table leaves out and rounds; empty if it does neither."""
        said = [f"no room for {', '.join(self._found.left_out)}"] if self._found.left_out else []
        said += ["K, M, G rounded: -o FILE.csv has all digits"] if self._found.is_rounded else []
        width = (self.screen.width or 10**6) - 2
        return "".join(f" {painted(line, Tone.QUIET, self.screen)}\n" for text in said for line in pieces(text, width))

    def _cells(self, row: SweptModel) -> list[Cell]:
        marks = self.screen.marks
        counts = [
            number_cell(Quantity(getattr(row, name), unit, _status(row, name)), marks)
            for name, unit in (("params", Unit.PARAMS), ("macs", Unit.MACS), ("activations", Unit.ELEMENTS))
        ]
        peak = Cell(marks.unknown, None, Tone.UNKNOWN) if row.peak_memory is None else Cell(mebibytes(row.peak_memory))
        verdict = verdict_sign(Verdict(row.verdict or "not_run"), marks)
        seconds = Cell("" if row.seconds is None else f"{row.seconds:.2f}")
        return [Cell(row.target), Cell(row.input or ""), *counts, peak, self._field(row), verdict,
                Cell(row.cause or "", tone=Tone.QUIET), seconds]  # fmt: skip

    def _field(self, row: SweptModel) -> Cell:
        marks, status = self.screen.marks, _status(row, "field")
        if status is Status.UNKNOWN:
            return Cell(marks.unknown, None, Tone.UNKNOWN)
        if row.extent is None:
            return Cell(marks.nothing, None, Tone.QUIET)
        text = row.extent if isinstance(row.extent, str) else field_text(ReceptiveField(size=row.extent))
        return Cell({Status.LOWER_BOUND: marks.lower, Status.UPPER_BOUND: marks.upper}.get(status, "") + text)

    def _text(self, cells: Sequence[Cell]) -> str:
        """The cells below their headings; off a terminal a wide one moves those after it, and nothing is broken."""
        found = self._found
        if self.screen.width is None:
            wide = [max(width, cell_len(cell.text)) for width, cell in zip(found.widths, cells, strict=True)]
            found = replace(found, widths=wide)
        return "".join(f"{line}\n" for line in line_of(cells, found, self.screen))

    def _failure(self, name: str, error: str) -> str:
        indent = 1 + max(self._found.widths[0], cell_len(name)) + GAP
        text = f"{self.screen.marks.differ} {error}"
        room = 10**6 if self.screen.width is None else max(20, self.screen.width - indent - 1)
        first, *others = pieces(text, room)
        lines = [f" {name:<{indent - 1 - GAP}}{' ' * GAP}{painted(first, Tone.DIFFER, self.screen)}"]
        lines += [f"{' ' * (indent + 2)}{painted(other, Tone.DIFFER, self.screen)}" for other in others]
        return "".join(f"{line}\n" for line in lines)


_NOTHING = [Cell("")] * (len(_HEADINGS) - 1)


def _status(row: SweptModel, name: str) -> Status:
    return Status(row.bounds.get(name, Status.EXACT.value))
