"""What `explain` says, as lines that every format writes; and the text of a terminal. Nothing is worked out here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Any

from cnninspect.explain.document import (
    Compared,
    Correction,
    Derivation,
    Explanation,
    Formula,
    LayerDerivation,
    Matrix,
    Term,
)
from cnninspect.explain.expression import (
    DOTS,
    TEXT,
    Expression,
    Number,
    Operation,
    Symbol,
    plus,
    rounded_last,
    substituted,
    written,
)
from cnninspect.render.numbers import label, mebibytes, shapes_text, value_text
from cnninspect.render.page import Marks, Screen, Tone
from cnninspect.render.table import painted
from cnninspect.render.totals import title
from cnninspect.report.json_form import json_text
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import TOTAL, Check, RowId
from cnninspect.report.selection import Level

WIDTH = 100
"""Columns of a text that no terminal limits."""


@dataclass(frozen=True)
class Line:
    """An equation: `names` stand left of it, the `steps` lead to the value; further equations stand in the same line.

    `remark` follows it, `verdict` is that of the measurement, which `measured` names. Without steps, only the
    remark is shown. `is_bound` if the value is a lower bound. `claim` is a cell of a sheet of hand calculations, whose
    verdict the line has.
    """

    names: tuple[str, ...]
    steps: tuple[Expression, ...] = ()
    remark: str = ""
    verdict: Verdict = Verdict.NOT_RUN
    measured: str = ""
    jump: Line | None = None
    is_bound: bool = False
    claim: str = ""


@dataclass(frozen=True)
class Block:
    """The lines about one layer, in reading order; `shape` is the output's with names and with numbers."""

    heading: str
    where: str = ""
    shape: tuple[str, str] = ("", "")
    terms: str = ""
    lines: list[Line] = field(default_factory=list)
    notes: list[Line | str] = field(default_factory=list)
    sources: str = ""
    matrix: Matrix | None = None


# --- the lines, the same in every format ------------------------------------------------------------------------------


def blocks_of(document: Explanation) -> Iterator[Block]:
    """The layers, and the totals last; of a sheet of hand calculations its rows."""
    if document.sheet is not None:
        yield from _sheet(document.sheet)
    for layer in document.layers:
        yield _block(layer)
    if document.totals:
        counts = [_sum(each) for each in document.totals if each.quantity != "receptive_field"]
        fields = [each for each in document.totals if each.quantity == "receptive_field"]
        yield Block("total", lines=[*counts, *map(_shortened, _field(fields, Level.FULL))])
    if document.against is not None:
        yield Block(f"against {document.against.target.get('name', '')}")
        yield from (_block(layer) for layer in document.against.layers)
        ratios = [_ratio(each) for each in document.against.compared]
        yield Block("ratios, the second to the first", terms=_terms(document.against.terms), lines=ratios)


def _sheet(cells: Sequence[Correction]) -> Iterator[Block]:
    """How many cells are right, and a block for each row of the sheet."""
    counts = Counter(_WORDS[cell.check.verdict] for cell in cells)
    number = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
    yield Block(f"{number}: {', '.join(f'{count} {word}' for word, count in counts.items())}")
    rows: dict[RowId | None, list[Correction]] = {}
    for cell in cells:
        rows.setdefault(cell.check.row, []).append(cell)
    for row, inside in rows.items():
        heading = TOTAL if row is None else _heading(row)
        yield Block(heading, lines=[line for cell in inside for line in _cell(cell)])


_WORDS = {Verdict.MATCH: "right", Verdict.DIFFER: "wrong", Verdict.UNKNOWN: "unknown"}


def _cell(cell: Correction) -> Iterator[Line]:
    """What the sheet says; for a wrong cell why it is wrong, and how the right number is worked out."""
    check = cell.check
    # Axes with the same derivation have one line.
    right = list(dict.fromkeys(line for line in _derived_lines(cell.derivations) if line.steps))
    found = "" if right or check.verdict is not Verdict.DIFFER or check.found is None else f"it is {_found(check)}"
    remark = "; ".join(part for part in (found, check.hint) if part)
    claimed = check.written or value_text(check.name, check.expected)
    yield Line((label(check.name),), (), remark, check.verdict, claim=claimed)
    yield from right


def _found(check: Check) -> str:
    """The right value; a shape without a batch of 1, as sheets have it."""
    if check.name.endswith("_shape"):
        return shapes_text(check.found, single=True)
    return value_text(check.name, check.found)


def _derived_lines(found: Sequence[Derivation]) -> Iterator[Line]:
    """The right derivations, without the verdict of their measurement: on a sheet, signs are those of cells."""
    sizes = _sizes([each for each in found if each.quantity == "output_shape"], Level.SHORT)
    fields = _field([each for each in found if each.quantity == "receptive_field"], Level.SHORT)
    counts = (_sum(each) for each in found if each.quantity not in ("output_shape", "receptive_field"))
    yield from (replace(line, verdict=Verdict.NOT_RUN) for line in (*sizes, *fields, *counts))


_NAMES = {"params": "params", "macs": "MACs", "flops": "FLOPs", "neurons": "neurons", "receptive_field": "r"}


def _ratio(each: Compared) -> Line:
    """`MACs = 10,035,200/57,802,752 = 1/Cout + 1/k^2 = 1/16 + 1/3^2 = 25/144`."""
    first, second = each.values
    name = each.called or _NAMES[each.quantity]
    if each.ratio is None:
        return Line((name,), (), f"{second:,} against {first:,}")
    steps: list[Expression] = [Operation("/", (Number(second), Number(first)))]
    if each.formula is not None:
        steps += [step for step in _worked_out(each.formula)[:-1] if step not in steps]
    return Line(
        (name,),
        (*steps, Number(each.ratio)),
        "" if text_of(Number(each.ratio)) == (rounded := f"{float(each.ratio):.4g}") else rounded,
    )


def _shortened(line: Line) -> Line:
    return replace(line, steps=tuple(_cut(step) for step in line.steps))


def _block(layer: LayerDerivation) -> Block:
    full = layer.level is Level.FULL
    notes: list[Line | str] = [
        aside.words if aside.formula is None else Line((aside.formula.name,), _worked_out(aside.formula), aside.words)
        for aside in layer.asides
    ]
    sources = dict.fromkeys(each.source for each in layer.derivations if each.source and each.formula)
    return Block(
        _heading(layer.row),
        layer.where or "",
        _shape(layer),
        _terms(layer.terms) if full else "",
        list(_lines(layer, layer.level)) if full or not _is_elementwise(layer) else [],
        notes,
        "; ".join(sources) if full else "",
        layer.matrix,
    )


def _heading(row: RowId) -> str:
    """`conv1  Conv2d`; a functional call's label has its kind."""
    return row.label if row.functional or not row.path or not row.kind else f"{row.label}  {row.kind}"


def _terms(terms: Sequence[Term]) -> str:
    """`Cin = 3 (in channels), k = 5 (kernel size)`."""
    return ", ".join(
        f"{term.name} = {written(Number(term.value), TEXT)}" + (f" ({term.meaning})" if term.meaning else "")
        for term in terms
    )


def _shape(layer: LayerDerivation) -> tuple[str, str]:
    """`N x Cout x Hout x Wout` and `1 x 6 x 28 x 28`; of a layer that changes nothing and counts nothing in words."""
    sizes = [each for each in layer.of("output_shape") if each.output == 0]
    names = " x ".join(
        str(each.value) if each.formula is None or isinstance(each.formula.tree, Number) else each.name
        for each in sizes
    )
    numbers = " x ".join(str(each.value) for each in sizes)
    return ("", numbers) if names == numbers else (names, numbers)


def _is_elementwise(layer: LayerDerivation) -> bool:
    """Whether a layer has neither sizes nor counts to work out."""
    sizes = layer.of("output_shape")
    return (
        bool(sizes)
        and layer.keeps_shape
        and all(each.formula is not None and _is_itself(each) for each in sizes)
        and all(each.value == 0 for name in ("params", "macs") for each in layer.of(name))
        and all(each.formula is None or isinstance(each.formula.tree, Symbol) for each in layer.of("receptive_field"))
    )


def _is_itself(each: Derivation) -> bool:
    """Whether a size is that of the input, by its name: `C` or `H`; `output_size` is a setting, not what came in."""
    tree = None if each.formula is None else each.formula.tree
    return isinstance(tree, Number) or (isinstance(tree, Symbol) and tree.name == each.name and each.name[0].isupper())


def _lines(layer: LayerDerivation, level: Level) -> Iterator[Line]:
    """The equations of a layer in reading order."""
    yield from _sizes(layer.of("output_shape"), level)
    for name in ("params", "macs", "neurons", "flops", "memory"):
        for each in layer.of(name):
            if each.value != 0 and (level is Level.FULL or name in ("params", "macs", "neurons")):
                yield from _roles(each, level)
                yield _counted(each, level)
    yield from _field(layer.of("receptive_field"), level)


def _sizes(found: Sequence[Derivation], level: Level) -> Iterator[Line]:
    """The sizes that follow from others; those of several axes that come out the same way stand in one line."""
    by_tree: dict[Expression, list[Derivation]] = {}
    for each in found:
        if each.formula is None and each.words:
            yield Line((each.name,), (), each.words, each.verdict)
            return
        if each.formula is not None and not _is_itself(each):
            tree = each.formula.tree
            by_tree.setdefault(tree if isinstance(tree, Symbol) else substituted(tree), []).append(each)
    outputs = max((each.output for each in found), default=0) + 1
    for tree, group in by_tree.items():
        names = tuple(dict.fromkeys(each.name for each in group))
        steps = tuple(step for step in _steps(group[0]) if step != Symbol(group[0].name, group[0].value))
        # A setting that is a size as it stands says nothing without the place where it stands.
        is_further = any(each.output for each in group)
        remark = _axes_of(group, outputs) if isinstance(tree, Symbol) or is_further else ""
        yield Line(names, steps, remark, group[0].verdict, _measured(group[0], level))


def _axes_of(group: Sequence[Derivation], outputs: int) -> str:
    """`axes 2 and 3 of the output`; `axis 0 of output 2` where there are several."""
    places: dict[int, list[str]] = {}
    for each in group:
        places.setdefault(each.output, []).append(str(each.axis))
    return ", ".join(
        f"{'axes' if axes[1:] else 'axis'} {' and '.join(axes)} of "
        + (f"output {output + 1}" if outputs > 1 else "the output")
        for output, axes in places.items()
    )


def _steps(each: Derivation) -> tuple[Expression, ...]:
    if each.formula is not None:
        return _worked_out(each.formula)
    return (Number(each.value),) if isinstance(each.value, int) else ()


def _worked_out(formula: Formula) -> tuple[Expression, ...]:
    """With names, with numbers, with the quotient that is rounded, and the result; nothing twice in a row."""
    numbers = substituted(formula.tree)
    steps = (formula.tree, numbers, rounded_last(numbers), Number(formula.value))
    return tuple(step for step, last in zip(steps, (None, *steps), strict=False) if step != last)


def _measured(each: Derivation, level: Level) -> str:
    """What the counters found: their names where they agree, their numbers where they do not."""
    found = {name: value for name, value in each.measured.items() if value is not None}
    if each.verdict is Verdict.DIFFER:
        return "measured " + ", ".join(f"{name} {value:,}" for name, value in found.items() if value != each.value)
    return "measured by " + ", ".join(found) if level is Level.FULL and found and each.verdict is Verdict.MATCH else ""


def _counted(each: Derivation, level: Level) -> Line:
    steps = _steps(each)
    if len(each.parts) > _FEW:
        # In full each part has a line of its own, with its symbols.
        names = () if level is Level.FULL else (_cut(plus(*(part.tree for part in each.parts))),)
        steps = (*names, _cut(plus(*(Number(part.value) for part in each.parts))), steps[-1])
    bound = each.status is not Status.EXACT
    return Line((each.name,), steps, _remark(each, level), each.verdict, _measured(each, level), is_bound=bound)


def _roles(each: Derivation, level: Level) -> Iterator[Line]:
    """Where a layer has many kinds of parameters, each on a line of its own."""
    if len(each.parts) > _FEW and level is Level.FULL:
        for part in each.parts:
            yield Line((part.name,), _worked_out(part))


_FEW = 3
"""Kinds of parameters that fit into one formula."""


def _remark(each: Derivation, level: Level) -> str:
    """What a count is made of, how many bytes are in larger units, and why a formula is so."""
    if each.quantity == "memory" and each.value is not None:
        return mebibytes(each.value)
    if 1 < len(each.parts) <= _FEW:
        return " + ".join(f"{part.name} {part.value:,}" for part in each.parts)
    return each.words if each.formula is None or (level is Level.FULL and each.quantity == "macs") else ""


def _field(found: Sequence[Derivation], level: Level) -> Iterator[Line]:
    """The field and its jump; one line for all axes where they are the same."""
    different: dict[Any, list[Derivation]] = {}
    for each in found:
        jump = None if each.jump is None else _worked_out(each.jump)[-1]
        different.setdefault((each.value, each.formula, each.words, jump), []).append(each)
    called = _AXES.get(len(found), [f"axis {each.axis}" for each in found])
    for each, *alike in different.values():
        axes = " and ".join(called[one.axis or 0] for one in (each, *alike))
        axis = "" if len(different) == 1 else axes
        has_words = level is Level.FULL or each.formula is None or "max" in _signs(each.formula.tree)
        words = ": ".join(part for part in (axis, each.words if has_words else "") if part)
        growth = None if each.jump is None else Line(("j",), _worked_out(each.jump))
        yield Line((each.name,), _steps(each), words, each.verdict, jump=growth)


_AXES = {2: ("height", "width"), 3: ("depth", "height", "width")}
"""What the axes of an image are called, by their number."""


def _signs(tree: Expression) -> str:
    return tree.sign if isinstance(tree, Operation) else ""


def _sum(each: Derivation) -> Line:
    """A total as the sum over the layers: it has no symbols."""
    steps = tuple(_cut(step) for step in _steps(each))
    bound = each.status is not Status.EXACT
    size = mebibytes(each.value) if each.quantity == "memory" and each.value is not None else ""
    remark = ": ".join(part for part in (size, each.words) if part)
    return Line((each.name,), steps, remark, each.verdict, _measured(each, Level.SHORT), is_bound=bound)


_MOST_TERMS = 24


def _cut(tree: Expression) -> Expression:
    """A long sum, also as a factor, with its middle left out: the JSON has all of it."""
    if isinstance(tree, Operation) and tree.sign == "*":
        return Operation("*", tuple(map(_cut, tree.operands)))
    if not isinstance(tree, Operation) or tree.sign != "+" or len(tree.operands) <= _MOST_TERMS:
        return tree
    return Operation("+", (*tree.operands[:4], Symbol(DOTS, 0), *tree.operands[-2:]))


# --- text -------------------------------------------------------------------------------------------------------------


def as_json(document: Explanation, _screen: Screen) -> str:
    """The contract's JSON document."""
    return json_text(document.to_dict())


def as_text(document: Explanation, screen: Screen) -> str:
    """Lines for a terminal; no line is wider than it, or than 100 columns."""
    width = min(screen.width or WIDTH, WIDTH)
    parts = [painted("\n".join(wrap(title(document, screen.marks), width)), Tone.STRONG, screen)]
    parts += ["\n".join(_text_of(block, width, screen)) for block in blocks_of(document)]
    return "\n\n".join(parts) + "\n"


def _text_of(block: Block, width: int, screen: Screen) -> Iterator[str]:
    """Heading, shape, symbols, equations, remarks and sources; what stands left of the equations is aligned."""
    where = f"  {block.where}" if block.where else ""
    yield painted(block.heading, Tone.STRONG, screen) + painted(where, Tone.QUIET, screen)
    equations = [*block.lines, *(note for note in block.notes if isinstance(note, Line))]
    labels = [" = ".join(line.names) for line in equations if line.steps or line.claim]
    names, numbers = block.shape
    room = min(max([len("output") if numbers else 4, *map(len, labels)]), _WIDEST_LABEL)
    unchanged = "" if block.lines or not numbers else ": the shape stays; no parameters, 0 MACs"
    yield from _wrapped("output", (f"{names} = " if names and block.lines else "") + numbers + unchanged, width, room)
    terms = ", ".join(each.replace(" ", _GLUE) for each in block.terms.split(", "))
    yield from (line.replace(_GLUE, " ") for line in _wrapped("with", terms, width, room))
    for line in block.lines:
        yield from _text_of_line(line, width, room, screen.marks)
    for note in block.notes:
        if isinstance(note, Line):
            yield from _text_of_line(note, width, room, screen.marks)
        else:
            yield from _wrapped("note", note, width, room)
    for each in _wrapped("source", block.sources, width, room):
        yield painted(each, Tone.QUIET, screen)
    if block.matrix is not None:
        yield from _text_of_matrix(block.matrix, width, room)


def matrix_words(matrix: Matrix) -> str:
    """What the matrix is, and how large."""
    shape = f"{matrix.rows} x {matrix.columns}"
    name = "the transpose of the matrix of a convolution" if matrix.is_transposed else "the matrix of the convolution"
    product = f"y = {matrix_name(matrix)} x, {name}: {shape}"
    if not matrix.entries:
        return f"{product}, too large to be read; --input gives a smaller map"
    return f"{product}, {len(matrix.entries)} of {matrix.rows * matrix.columns} places are not 0"


def matrix_name(matrix: Matrix) -> str:
    """C, or its transpose."""
    return "C^T" if matrix.is_transposed else "C"


def _text_of_matrix(matrix: Matrix, width: int, room: int) -> Iterator[str]:
    """The matrix with a point for each 0; it is as wide as it is, on a terminal too."""
    yield from _wrapped("matrix", matrix_words(matrix), width, max(room, 6))
    if matrix.entries:
        cells = [[cell or "." for cell in row] for row in matrix.cells()]
        widest = max(len(cell) for row in cells for cell in row)
        yield from (("  " + " ".join(f"{cell:>{widest}}" for cell in row)) for row in cells)


_WIDEST_LABEL = 24


def _wrapped(label: str, text: str, width: int, room: int) -> Iterator[str]:
    """A text behind its label, on as many lines as it needs; nothing for an empty text."""
    for index, line in enumerate(wrap(text, max(20, width - room - 5))):
        yield f"  {label if index == 0 else '':<{room}}   {line}"


def text_of(step: Expression) -> str:
    """A step on one line."""
    return written(step, TEXT)


def _text_of_line(line: Line, width: int, room: int, marks: Marks) -> Iterator[str]:
    """An equation; steps that do not fit on one line stand below each other, equals signs aligned."""
    name = " = ".join(line.names)
    if line.claim:
        sign = {Verdict.MATCH: marks.match, Verdict.DIFFER: marks.differ}.get(line.verdict, marks.unknown)
        yield from _wrapped(name, "  ".join(part for part in (line.claim, sign, line.remark) if part), width, room)
        return
    if not line.steps:
        yield from _wrapped(name, line.remark, width, room)
        return
    sign = {Verdict.MATCH: marks.match, Verdict.DIFFER: marks.differ}.get(line.verdict, "")
    pieces = [piece for step in line.steps for piece in _pieces(text_of(step), width - room - 7)]
    if line.is_bound:
        pieces[-1] = f"{marks.lower} {pieces[-1].removeprefix('= ')}"
    if line.jump is not None:
        pieces[-1] += ","
        pieces.append(f"jump {' = '.join((line.jump.names[0], *map(text_of, line.jump.steps)))}")
    tail = " ".join(part for part in (sign, line.measured, f"({line.remark})" if line.remark else "") if part)
    yield from _laid_out(f"  {name:<{room}}", pieces, tail, width)


_SIGNS = "=≥>"
"""What a step begins with."""


def _laid_out(label: str, pieces: Sequence[str], tail: str, width: int) -> Iterator[str]:
    """Label and pieces on as few lines as they take; a piece after the first begins with an equals sign."""
    current, is_empty = label, True
    indent = " " * len(label)
    for piece in pieces:
        joined = f" {piece}" if not is_empty or piece[0] in _SIGNS else f"   {piece}"
        if not is_empty and len(current) + len(joined) > width:
            yield current
            current = indent
            joined = f" {piece}" if piece[0] in _SIGNS else f"   {piece}"
        current, is_empty = current + joined, False
    if tail and len(current) + len(tail) + 2 <= width:
        yield f"{current}  {tail}"
        return
    yield current
    yield from (f"{indent}   {each}" for each in wrap(tail, max(20, width - len(indent) - 3)))


_SHORT_GROUP = re.compile(r"\([^()]{1,14}\)")
_GLUE = "\N{NO-BREAK SPACE}"
"""What holds `(3 - 1)` together while a line is broken."""


def _pieces(step: str, room: int) -> list[str]:
    """A step behind its equals sign, in pieces that fit on a line, broken at spaces, or else after a product's sign."""
    if len(step) + 2 <= room:
        return [f"= {step}"]
    kept = _SHORT_GROUP.sub(lambda found: found[0].replace(" ", _GLUE), step)
    lines = wrap(kept, max(10, room - 2), break_long_words=False)
    if max(map(len, lines)) > room - 2:
        lines = wrap(kept.replace("*", "* "), max(10, room - 2))
    first, *others = lines
    return [
        f"= {each}".removeprefix("" if index == 0 else "= ").replace("* ", "*").replace(_GLUE, " ")
        for index, each in enumerate((first, *others))
    ]
