"""Derivations as Markdown with LaTeX, as LaTeX, and as HTML with MathML: each a way to write a block of equations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from html import escape

from cnninspect.explain.document import Explanation, Matrix
from cnninspect.explain.expression import LATEX, Expression, Notation, Operation, Value, decimal, latex_name, written
from cnninspect.render.explanation import Block, Line, blocks_of, matrix_words, text_of
from cnninspect.render.page import UNICODE, Screen
from cnninspect.render.totals import title
from cnninspect.report.quantities import Verdict

_WORDS = ("params", "MACs", "neurons", "FLOPs", "bytes", "inputs", "parameters", "activations", "memory")
_SAID = {Verdict.MATCH: "measured: the same", Verdict.DIFFER: "measured otherwise"}
_UNCHANGED = "the shape stays; no parameters, 0 MACs"


_INDEX = re.compile(r"\b([A-Zrj])(in|out)\b")
"""A symbol with an index in running text: `Cout`, `rin`."""
_LATEX_INDEX = r"$\1_{\\mathrm{\2}}$"
_HTML_INDEX = r"\1<sub>\2</sub>"


def _lowered(text: str, form: str) -> str:
    """A text whose symbols have their indices set low, in the form of a format."""
    return _INDEX.sub(form, text)


_TERM = re.compile(r"(?:^|(?<=, ))(\w+)(?= = )")
"""The symbol at the start of a term: `kh = 3 (kernel height)`."""


def _with_symbols(terms: str, escaped: Callable[[str], str]) -> str:
    """The list of symbols, each in LaTeX as the equations have it, and the rest as running text."""
    parts = _TERM.split(terms)
    return "".join(
        f"${_latex_name(part)}$" if place % 2 else _lowered(escaped(part), _LATEX_INDEX)
        for place, part in enumerate(parts)
    )


def _all_lines(block: Block) -> list[Line]:
    return [*block.lines, *(note for note in block.notes if isinstance(note, Line))]


def _words(block: Block) -> list[str]:
    return [note for note in block.notes if isinstance(note, str)]


def _remark(line: Line) -> str:
    """The text that follows an equation."""
    checked = line.measured or _SAID.get(line.verdict, "")
    return "; ".join(part for part in (line.remark, checked) if part)


# --- LaTeX, on its own and in Markdown --------------------------------------------------------------------------------


def _latex_name(name: str) -> str:
    return rf"\mathrm{{{name}}}" if name in _WORDS else latex_name(name)


def _aligned(line: Line, room: int) -> tuple[str, int]:
    """The equation for an aligned environment, as many steps on a line as `room` letters hold, then the jump.

    And about how many letters its last line has.
    """
    rows = [row for each in (line, line.jump) if each is not None for row in _rows(each, room)]
    return " \\\\\n".join(row for row, _ in rows), rows[-1][1]


_TERMS = 6
"""Terms of a sum on one line."""


def _rows(line: Line, room: int) -> Iterator[tuple[str, int]]:
    """The steps behind their equals signs, and letters; a long sum goes on below itself, a lower bound has its sign."""
    signs = ["="] * (len(line.steps) - 1) + [r"\geq" if line.is_bound else "="]
    current, used = " = ".join(map(_latex_name, line.names)) + " &", len(" = ".join(line.names))
    for index, (sign, step) in enumerate(zip(signs, line.steps, strict=True)):
        length = len(text_of(step)) + 3
        if index and (used + length > room or "\\\\" in current):
            yield current, used
            current, used = "&", len(" = ".join(line.names))
        current, used = f"{current}{'' if current.endswith('&') else ' '}{sign} {_latex_step(step)}", used + length
    yield current, used


def _latex_step(step: Expression) -> str:
    """A step; a long sum, also as the last factor of a product, goes on below itself."""
    last = step.operands[-1] if isinstance(step, Operation) and step.sign == "*" else step
    if not isinstance(step, Operation) or not _is_long(last):
        return written(step, LATEX)
    assert isinstance(last, Operation), "only sums are long"
    terms = [written(term, LATEX) for term in last.operands]
    lines = [" + ".join(terms[start : start + _TERMS]) for start in range(0, len(terms), _TERMS)]
    whole = " \\\\\n&\\quad + ".join(lines)
    if last is step:
        return whole
    return f"{written(Operation('*', step.operands[:-1]), LATEX)} \\cdot \\bigl({whole}\\bigr)"


def _is_long(tree: Expression) -> bool:
    return isinstance(tree, Operation) and tree.sign == "+" and len(tree.operands) > _TERMS


def _latex_shape(names: str, numbers: str) -> str:
    """`N x Cout = 1 x 6` in math mode."""
    product = r" \times ".join(_latex_name(each) if each.isidentifier() else each for each in names.split(" x "))
    values = numbers.replace(" x ", r" \times ")
    return f"{product} = {values}" if names else values


def as_markdown(document: Explanation, _screen: Screen) -> str:
    """Markdown whose equations are LaTeX between dollar signs, as GitHub and notebooks show them."""
    network, _, run = title(document, UNICODE).partition(UNICODE.separator)
    parts = [f"# {_plain(network)}", _plain(run)]
    for block in blocks_of(document):
        parts += [f"## {_plain(block.heading)}", *_markdown_of(block)]
    return "\n\n".join(parts) + "\n"


def _markdown_of(block: Block) -> list[str]:
    names, numbers = block.shape
    shape = [f"Output: ${_latex_shape(names, numbers)}$" + ("" if block.lines else f": {_UNCHANGED}")]
    return [
        *(shape if numbers else ()),
        *([f"With {_with_symbols(block.terms, _plain)}."] if block.terms else ()),
        *map(_markdown_of_line, _all_lines(block)),
        *(f"Note: {_plain(words)}." for words in _words(block)),
        *([f"*{_plain(block.sources)}*"] if block.sources else ()),
        *_markdown_of_matrix(block.matrix),
    ]


def _array(matrix: Matrix) -> str:
    """The cells as an array in parentheses."""
    rows = " \\\\\n".join(" & ".join(_latex_cell(cell) for cell in row) for row in matrix.cells())
    name = "C^{T}" if matrix.is_transposed else "C"
    return f"{name} = \\left(\\begin{{array}}{{{'c' * matrix.columns}}}\n{rows}\n\\end{{array}}\\right)"


def _latex_cell(cell: str | None) -> str:
    if cell is None:
        return "0"
    return f"w_{{{cell[1:]}}}" if cell.startswith("w") else cell


def _markdown_of_matrix(matrix: Matrix | None) -> list[str]:
    if matrix is None:
        return []
    return [f"{_plain(matrix_words(matrix))}.", *([f"$$\n{_array(matrix)}\n$$"] if matrix.entries else ())]


_CELLS = {Verdict.MATCH: "right", Verdict.DIFFER: "wrong"}
"""The verdict on a cell of a sheet."""


def _cell_words(line: Line) -> str:
    """`wrong; the bias is left out`."""
    return "; ".join(part for part in (_CELLS.get(line.verdict, "unknown"), line.remark) if part)


def _markdown_of_line(line: Line) -> str:
    remark = _plain(_remark(line))
    if line.claim:
        return f"- {line.names[0]}: `{line.claim}`: {_plain(_cell_words(line))}"
    if not line.steps:
        return f"${_latex_name(line.names[0])}$: {remark}"
    equation = f"$$\n\\begin{{aligned}}\n{_aligned(line, _MARKDOWN_ROOM)[0]}\n\\end{{aligned}}\n$$"
    return f"{equation}\n\n({remark})" if remark else equation


_MARKDOWN_ROOM, _LATEX_ROOM = 48, 84
"""Letters of an equation on one line: on a phone, and on paper."""


def _plain(text: str) -> str:
    """A text in which Markdown sees no markup."""
    return "".join(f"\\{letter}" if letter in "\\*_`[]<>$#" else letter for letter in text)


_PREAMBLE = r"""\documentclass[fleqn]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\usepackage[margin=2.2cm]{geometry}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\sloppy
\setlength{\mathindent}{1em}
\begin{document}
\setlength{\abovedisplayskip}{3pt plus 2pt}
\setlength{\belowdisplayskip}{3pt plus 2pt}
"""

_LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "·": r"$\cdot$", "*": r"$*$", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def as_latex(document: Explanation, _screen: Screen) -> str:
    """A document that any LaTeX with amsmath compiles."""
    network, _, run = title(document, UNICODE).partition(UNICODE.separator)
    parts = [rf"\section*{{{_tex(network)}}}", _tex(run)]
    for block in blocks_of(document):
        parts += [rf"\subsection*{{{_tex(block.heading)}}}", *_latex_of(block)]
    return _PREAMBLE + "\n\n".join(parts) + "\n\\end{document}\n"


def _latex_of(block: Block) -> list[str]:
    names, numbers = block.shape
    shape = [f"Output: ${_latex_shape(names, numbers)}$" + ("" if block.lines else f": {_UNCHANGED}")]
    return [
        *(shape if numbers else ()),
        *([f"With {_with_symbols(block.terms, _tex)}."] if block.terms else ()),
        *map(_latex_of_line, _all_lines(block)),
        *(f"Note: {_tex(words)}." for words in _words(block)),
        *([rf"\emph{{{_tex(block.sources)}}}"] if block.sources else ()),
        *_latex_of_matrix(block.matrix),
    ]


def _latex_of_matrix(matrix: Matrix | None) -> list[str]:
    if matrix is None:
        return []
    scaled = r"\setlength{\arraycolsep}{2pt}\scriptsize"
    shown = [f"{{{scaled}\n\\[\n{_array(matrix)}\n\\]\n}}"] if matrix.entries else []
    return [f"{_tex(matrix_words(matrix))}.", *shown]


def _latex_of_line(line: Line) -> str:
    remark = _tex(_remark(line))
    if line.claim:
        return f"{_tex(line.names[0])}: \\texttt{{{_tex(line.claim)}}}: {_tex(_cell_words(line))}"
    if not line.steps:
        return f"${_latex_name(line.names[0])}$: {remark}"
    rows, used = _aligned(line, _LATEX_ROOM)
    if remark and used + len(remark) < _LATEX_ROOM:
        return f"\\begin{{align*}}\n{rows} \\quad\\text{{({remark})}}\n\\end{{align*}}"
    equation = f"\\begin{{align*}}\n{rows}\n\\end{{align*}}"
    return f"{equation}\n({remark})" if remark else equation


def _tex(text: str) -> str:
    return "".join(_LATEX_SPECIAL.get(letter, letter) for letter in text)


# --- HTML, with MathML ------------------------------------------------------------------------------------------------


def _mathml_name(name: str) -> str:
    text = latex_name(name)
    base, _, index = text.partition("_")
    if text.startswith("\\") or not index:
        return f"<mi>{escape(name)}</mi>"
    return f"<msub><mi>{base}</mi><mi>{escape(name[1:])}</mi></msub>"


def _mathml_number(value: Value) -> str:
    if isinstance(value, Fraction) and "/" in decimal(value):
        return f"<mfrac><mn>{value.numerator}</mn><mn>{value.denominator}</mn></mfrac>"
    return f"<mn>{decimal(value)}</mn>"


def _mathml_call(name: str, operands: Sequence[str]) -> str:
    before, after = {"floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}.get(name, ("(", ")"))
    inner = "<mo>,</mo>".join(operands)
    label = "" if name in ("floor", "ceil") else f"<mi>{name}</mi>"
    return f"<mrow>{label}<mo>{before}</mo>{inner}<mo>{after}</mo></mrow>"


MATHML = Notation(
    number=_mathml_number,
    name=_mathml_name,
    plus="<mo>+</mo>",
    minus="<mo>−</mo>",
    times="<mo>·</mo>",
    group="<mrow><mo>(</mo>{}<mo>)</mo></mrow>".format,
    power="<msup><mrow>{}</mrow><mrow>{}</mrow></msup>".format,
    quotient="<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>".format,
    call=_mathml_call,
    stacked=True,
)
"""MathML, which browsers show without any script."""

_STYLE = """\
:root { color-scheme: light dark; --right: #15803d; --wrong: #dc2626; }
@media (prefers-color-scheme: dark) { :root { --right: #4ade80; --wrong: #f87171; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 0 auto; padding: 1em; }
h1 { font-size: 1.5em; margin: 0.5em 0 0; }
h2 { margin: 2em 0 0.2em; font-size: 1.1em; border-top: 1px solid #8884; padding-top: 1em; }
h2 small, .quiet { opacity: 0.65; font-weight: normal; font-size: 0.9em; }
.equation { overflow-x: auto; padding: 0.4em 0; }
math { font-size: 1.1em; }
@media (max-width: 30em) { math { font-size: 0.92em; } }
mtd { text-align: left; padding: 0.25em 0.15em; }
.matrix { border-left: 2px solid; border-right: 2px solid; border-radius: 0.8em; font-size: 0.8em; }
.matrix td { padding: 0 0.4em; text-align: center; }
p { margin: 0.3em 0; overflow-wrap: anywhere; }
.match { color: var(--right); } .differ { color: var(--wrong); }
.cell { display: grid; grid-template-columns: 9em 1fr; }
.cell span:first-child { opacity: 0.65; }
sub { line-height: 0; }
@media print { h2 { break-after: avoid; } .equation { break-inside: avoid; } }
"""


def as_html(document: Explanation, _screen: Screen) -> str:
    """A page of its own: no script, no network, readable on a phone."""
    name = escape(title(document, UNICODE))
    network, _, run = name.partition(UNICODE.separator)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{network}</h1>\n"
        f'<p class="quiet">{run}</p>\n'
        f"{''.join(map(_html_of, blocks_of(document)))}</main>\n</body>\n</html>\n"
    )


def _html_of(block: Block) -> str:
    where = f" <small>{escape(block.where)}</small>" if block.where else ""
    names, numbers = (_lowered(escape(each.replace(" x ", " × ")), _HTML_INDEX) for each in block.shape)
    unchanged = "" if block.lines else f": {_UNCHANGED}"
    return "".join((
        f"<h2>{escape(block.heading)}{where}</h2>\n",
        f"<p>Output: {f'{names} = ' if names else ''}{numbers}{unchanged}</p>\n" if numbers else "",
        f'<p class="quiet">with {_lowered(escape(block.terms), _HTML_INDEX)}</p>\n' if block.terms else "",
        *map(_html_of_line, _all_lines(block)),
        *(f"<p>Note: {escape(words)}</p>\n" for words in _words(block)),
        f'<p class="quiet">{escape(block.sources)}</p>\n' if block.sources else "",
        _html_of_matrix(block.matrix),
    ))  # fmt: skip


def _html_of_matrix(matrix: Matrix | None) -> str:
    if matrix is None:
        return ""
    words = f"<p>{escape(matrix_words(matrix))}</p>\n"
    if not matrix.entries:
        return words
    rows = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in matrix.cells())
    return f'{words}<div class="equation"><table class="matrix">{rows}</table></div>\n'


def _html_cell(cell: str | None) -> str:
    return '<td class="quiet">0</td>' if cell is None else f"<td>{escape(cell)}</td>"


def _html_of_line(line: Line) -> str:
    if line.claim:
        kind, text = _SIGNS.get(line.verdict, ("", "?"))
        answer = f'<code>{escape(line.claim)}</code> <b class="{kind}">{text}</b> {escape(line.remark)}'
        return f'<p class="cell"><span>{escape(line.names[0])}</span><span>{answer}</span></p>\n'
    if not line.steps:
        return f"<p><math>{_mathml_name(line.names[0])}</math>: {escape(line.remark)}</p>\n"
    rows = "".join(_mathml_rows(each) for each in (line, line.jump) if each is not None)
    kind, text = _SIGNS.get(line.verdict, ("", ""))
    remark = _remark(line)
    mark = f'<span class="{kind}">{text}</span> ' if kind else ""
    note = f'<p class="quiet">{mark}{escape(remark)}</p>\n' if mark or remark else ""
    return f'<div class="equation"><math><mtable displaystyle="true">{rows}</mtable></math></div>\n{note}'


_SIGNS = {Verdict.MATCH: ("match", "✓"), Verdict.DIFFER: ("differ", "✗")}


def _mathml_rows(line: Line) -> str:
    steps = [f"<mrow>{written(step, MATHML)}</mrow>" for step in line.steps]
    signs = ["="] * (len(steps) - 1) + ["≥" if line.is_bound else "="]
    cells = ["<mo>=</mo>".join(map(_mathml_name, line.names)), *("" for _ in line.steps[1:])]
    return "".join(
        f"<mtr><mtd>{name}</mtd><mtd><mo>{sign}</mo>{step}</mtd></mtr>"
        for name, sign, step in zip(cells, signs, steps, strict=True)
    )
