r"""LaTeX: a booktabs table for a paper, whose numbers siunitx aligns and groups.

The rows and columns are those of the view: `--columns layer,params,macs --depth 1 --format latex`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnninspect.render.page import UNICODE, Cell, Heading, Screen, Sheet
from cnninspect.render.sections import page_of
from cnninspect.report.document import Comparison, Document, Report
from cnninspect.report.quantities import Quantity, Status
from cnninspect.report.selection import View

_NEEDS = r"% \usepackage{booktabs, siunitx, amssymb}"
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$", "…": r"\dots{}", "·": r"$\cdot$",
    "✓": r"$\checkmark$", "✗": r"$\times$",
}  # fmt: skip
"""Characters with a meaning in LaTeX, and signs that its usual fonts do not have."""


def render(document: Document, view: View, _screen: Screen) -> str:
    """The table of the document; without the column of verdicts, unless the view names it."""
    page = page_of(document, replace(view, fold=bool(view.fold)), UNICODE, full=False)
    sheet = page.sheet
    if view.columns is None:
        sheet = sheet.without([index for index, each in enumerate(sheet.headings) if each.name == "verdict"])
    lines = [f"% {page.title}", _NEEDS]
    if sheet.lines:
        lines += _table(sheet, document)
    if page.closing:
        lines.append(f"% {page.closing}")
    return "\n".join(lines) + "\n"


def _table(sheet: Sheet, document: Document) -> Iterator[str]:
    columns = [[line[index] for line in sheet.lines] for index in range(len(sheet.headings))]
    numeric = [_is_numeric(column) for column in columns]
    sums = _sums(sheet.headings, document) if isinstance(document, Report) else None
    last = [""] * len(columns) if sums is None else sums
    pairs = zip(sheet.headings, columns, last, numeric, strict=True)
    yield rf"\begin{{tabular}}{{{''.join(_alignment(*each) for each in pairs)}}}"
    yield r"  \toprule"
    yield _row(_title(heading, number) for heading, number in zip(sheet.headings, numeric, strict=True))
    yield r"  \midrule"
    for line in sheet.lines:
        yield _row(_cell(cell) if number else _text(cell) for cell, number in zip(line, numeric, strict=True))
    if sums is not None:
        yield r"  \midrule"
        yield _row(sums)
    yield r"  \bottomrule"
    yield r"\end{tabular}"


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"  {' & '.join(cells)} \\\\"


def _is_numeric(column: Sequence[Cell]) -> bool:
    """Whether every cell holds a number, or nothing where a number may stand."""
    return any(_number(cell) is not None for cell in column) and all(
        _number(cell) is not None or cell.plain is None for cell in column
    )


def _number(cell: Cell) -> int | float | None:
    return cell.plain if isinstance(cell.plain, (int, float)) and not isinstance(cell.plain, bool) else None


def _alignment(heading: Heading, column: Sequence[Cell], total: str, numeric: bool) -> str:
    """`l`, `r`, or a column of siunitx with the digits of its longest number, the total among them."""
    if not numeric:
        return "r" if heading.right else "l"
    texts = [_digits(number) for number in map(_number, column) if number is not None]
    texts += [total] if total and not total.startswith("{") else []
    whole = max(len(text.partition(".")[0]) for text in texts)
    return rf"S[table-format={whole}{'.1' if any('.' in text for text in texts) else ''}]"


def _title(heading: Heading, numeric: bool) -> str:
    title = escaped(heading.title or heading.name) + (r" (\%)" if heading.unit == "percent" else "")
    return f"{{{title}}}" if numeric else title


def _cell(cell: Cell) -> str:
    """A number without separators; in braces what siunitx must not read: a bound, an unknown, an empty cell."""
    number = _number(cell)
    if number is None or cell.text.startswith(("≥", "≤")):
        return f"{{{escaped(cell.text)}}}"
    return _digits(number)


def _digits(number: float) -> str:
    return f"{number:.1f}" if isinstance(number, float) else str(number)


_SHAPE = re.compile(r"\d+(x\d+)+")


def _text(cell: Cell) -> str:
    """A name; the indent of a tree becomes space that LaTeX keeps, the x of a shape a sign."""
    whole = cell.short if cell.plain is None and cell.short else cell.text  # without a bar
    text = whole.lstrip()
    indent = r"\quad " * ((len(whole) - len(text)) // 2)
    if _SHAPE.fullmatch(text):
        return f"{indent}${text.replace('x', chr(92) + 'times ')}$"
    return indent + escaped(" ".join(text.split()))


def _sums(headings: Sequence[Heading], report: Report) -> list[str] | None:
    """The row of the totals, of each network if there are two; None for columns that have no totals."""
    other = report.other.totals if isinstance(report, Comparison) and report.other is not None else {}
    both = {**report.totals, **{f"other_{name}": number for name, number in other.items()}}
    totals = [both.get(heading.name) for heading in headings]
    if not any(isinstance(number, Quantity) for number in totals):
        return None
    return ["total", *(_total(number) for number in totals[1:])]


def _total(number: object) -> str:
    if not isinstance(number, Quantity) or number.value is None:
        return ""
    sign = {Status.LOWER_BOUND: r"$\geq$", Status.UPPER_BOUND: r"$\leq$"}.get(number.status, "")
    return f"{{{sign}{_digits(number.value)}}}" if sign else _digits(number.value)


def escaped(text: str) -> str:
    """The text as LaTeX prints it."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
