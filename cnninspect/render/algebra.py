"""The answers of `solve` and `formula` in every format that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnninspect.explain.axis import Axis
from cnninspect.explain.expression import TEXT, latex_name, substituted, written
from cnninspect.explain.instances import COUNTS, FIELD, Key, Variable
from cnninspect.explain.solver import KERNELS, Answer, Layer, Question, Setting, Solution, drops_window, size_derived
from cnninspect.explain.symbolic import Study, Terms, in_sympy
from cnninspect.render import Format, html, markdown, sections, table
from cnninspect.render.page import Cell, Fact, Heading, Page, Screen, Sheet, Tone, Worth
from cnninspect.report.document import Report
from cnninspect.report.json_form import SCHEMA_VERSION, json_text
from cnninspect.report.quantities import Verdict
from cnninspect.version import __version__

TOOL = {"name": "cnninspect", "version": __version__}


def in_format(page: Page, fmt: str, screen: Screen | None) -> str:
    """A page in one of the formats for readers, or its table as CSV."""
    if fmt == Format.CSV:
        return sections.sheet_text(page.sheet)
    if fmt == Format.MARKDOWN:
        return markdown.page_text(page, Verdict.NOT_RUN)
    if fmt == Format.HTML:
        return html.page_text([page])
    return table.page_text(page, screen or Screen())


# --- solve --------------------------------------------------------------------------------------------------------


MOST_LINES = 100
"""Solutions of one question that are listed for readers; programs get all."""


def render_answers(
    answers: Sequence[Answer], fmt: str, *, screen: Screen | None = None, chained: bool = False, most: int | None = None
) -> str:
    """The solutions of one question, or of each step of a chain: `most` of each for readers, and all without it."""
    if fmt == Format.JSON:
        return json_text(_answers_json(answers, chained=chained))
    screen = screen or Screen()
    title = screen.marks.separator.join(_title(answers, chained=chained))
    most = None if fmt == Format.CSV else most
    sheet = _sheet(answers, chained=chained, all_columns=fmt == Format.CSV, most=most)
    facts = [fact for answer in answers for fact in _facts(answer, chained=chained, most=most)]
    if chained:
        of_layer = {a.question.layer.value: a.question for a in answers if a.question.allowed.stride is None}
        facts += [Fact("", f"searched for {layer}: {searched(question)}") for layer, question in of_layer.items()]
    return in_format(Page(title, sheet, facts), fmt, screen)


def _title(answers: Sequence[Answer], *, chained: bool) -> Iterator[str]:
    first = answers[0].question
    yield f"solve {first.layer.value}" if not chained else "solve"
    sizes = [first.sizes, *(answer.question.out for answer in answers)]
    yield " -> ".join(_size(size) for size in sizes)
    allowed = first.allowed
    yield f"kernel {_listed(allowed.kernel or tuple(KERNELS))}"
    yield "any stride" if allowed.stride is None else f"stride {_listed(allowed.stride)}"
    yield "any padding" if allowed.padding is None else f"padding {_listed(allowed.padding)}"
    yield f"dilation {_listed(allowed.dilation or (1,))}"
    if any(answer.question.ceil_mode for answer in answers):
        yield "ceil mode"


def _size(size: Sequence[int]) -> str:
    return "x".join(map(str, size))


def _listed(values: Sequence[int]) -> str:
    """`3`, `3, 5` or `1-11`."""
    whole = len(values) > 2 and list(values) == list(range(values[0], values[-1] + 1))
    return f"{values[0]}-{values[-1]}" if whole else ", ".join(map(str, values))


def _sheet(answers: Sequence[Answer], *, chained: bool, all_columns: bool, most: int | None) -> Sheet:
    """One line per solution; where there is none, one line per nearest setting."""
    headings = (
        Heading("in", "in", worth=Worth.KEPT),
        Heading("layer", "layer", worth=Worth.KEPT),
        Heading("out", "out", worth=Worth.KEPT),
        Heading("kernel", "kernel", right=True, worth=Worth.KEPT),
        Heading("stride", "stride", right=True, worth=Worth.KEPT),
        Heading("padding", "padding", right=True, worth=Worth.KEPT),
        Heading("dilation", "dilation", right=True),
        Heading("output_padding", "output padding", right=True, worth=Worth.KEPT),
        Heading("receptive_field", "field", right=True),
        Heading("params", "params", right=True),
        Heading("result", "", worth=Worth.KEPT),
    )
    lines = [_line(answer, one) for answer in answers for one in (*answer.solutions, *answer.nearest)[:most]]
    missing = any(not answer.solutions for answer in answers)
    shown = {
        "in": chained,
        "layer": chained,
        "out": chained or missing,
        "output_padding": any(answer.question.layer is Layer.CONV_TRANSPOSE for answer in answers),
        "params": answers[0].question.channels is not None,
        "result": missing,
    }
    hidden = [place for place, heading in enumerate(headings) if not shown.get(heading.name, True)]
    return Sheet(headings, tuple(lines)).without(() if all_columns else hidden)


def _line(answer: Answer, one: Solution) -> tuple[Cell, ...]:
    solved = bool(answer.solutions)
    per_name = [_cell([at[place] for at in one.settings]) for place in range(len(Setting._fields))]
    kernel, stride, padding, dilation, output_padding = per_name
    field = "x".join(f"{least}..{most}" if least != most else str(most) for least, most in one.receptive_field)
    return (
        Cell(_size(answer.question.sizes), _size(answer.question.sizes)),
        Cell(answer.question.layer.value, answer.question.layer.value, Tone.QUIET),
        Cell(_size(one.out), _size(one.out), Tone.PLAIN if solved else Tone.DIFFER),
        kernel, stride, padding, dilation, output_padding,
        Cell(field, field),
        Cell("" if one.params is None else f"{one.params:,}", one.params),
        Cell("" if solved else "nearest", "solution" if solved else "nearest", Tone.QUIET),
    )  # fmt: skip


def _cell(values: Sequence[int]) -> Cell:
    """One value for all axes, or one for each."""
    same = len(set(values)) == 1
    return Cell(_size(values[:1] if same else values), values[0] if same else _size(values))


def _facts(answer: Answer, *, chained: bool, most: int | None) -> Iterator[Fact]:
    question = answer.question
    kind, count = ("solutions", len(answer.solutions)) if answer.solutions else ("nearest", len(answer.nearest))
    step = f"{_size(question.sizes)} to {_size(question.out)}"
    if not answer.solutions:
        yield Fact("none", why_none(answer), tone=Tone.STRONG)
    elif not chained:
        yield Fact("found", f"{count:,} solution{'s' if count > 1 else ''} for {step}")
        if answer.left_out:
            yield Fact("  not listed", f"{answer.left_out:,} more that differ between the axes; give more settings")
        yield from _size_facts(answer)
    if most is not None and count > most:
        where = f" from {step}" if chained else ""
        yield Fact("not shown", f"{count - most:,} more {kind}{where}; --all shows them, -f json and -f csv have them")
    if question.allowed.stride is None and not chained:
        yield Fact("searched", searched(question))


def _size_facts(answer: Answer) -> Iterator[Fact]:
    """The formula of the size with the numbers of the first solution; two formulas where ceil mode drops a window."""
    question = answer.question
    pairs = list(zip(question.sizes, question.out, strict=True))
    axes = [axis for axis, pair in enumerate(pairs) if pair not in pairs[:axis]]
    by_formula: dict[bool, list[tuple[Solution, int]]] = {}
    for one in answer.solutions if question.ceil_mode else answer.solutions[:1]:
        for axis in axes:
            at = one.settings[min(axis, len(one.settings) - 1)]
            by_formula.setdefault(drops_window(question, at, axis), []).append((one, axis))
    for drops, found in by_formula.items():
        first = [(one, axis) for one, axis in found if one is found[0][0]]
        trees = [size_derived(question, one.settings[min(axis, len(one.settings) - 1)], axis) for one, axis in first]
        dropped = ", where a last window would start in the padding" if drops else ""
        count = len({id(one) for one, _ in found})
        remark = f"for {count} of the {len(answer.solutions)}{dropped}" if len(by_formula) > 1 else ""
        yield Fact("size", written(trees[0], TEXT), remark)
        for n, (tree, (_, axis)) in enumerate(zip(trees, first, strict=True)):
            yield Fact("" if n else "  first", f"{written(substituted(tree), TEXT)} = {question.out[axis]}")


def why_none(answer: Answer) -> str:
    """The message for an answer without solutions: the constraint that fails, and the nearest sizes."""
    question = answer.question
    step = f"takes {_size(question.sizes)} to {_size(question.out)}"
    layer = f"no setting of {question.layer.value}"
    if answer.out_of_bounds:
        return f"{layer} that {step} keeps the given limits of receptive field and params"
    sizes = [_size(out) for out in sorted({one.out for one in answer.nearest})]
    if not sizes:
        return f"{layer} {step}: {_limits(question.layer)}"
    return f"{layer} {step}; nearest {' and '.join(sizes)}"


def _limits(layer: Layer) -> str:
    return {
        Layer.CONV: "with these settings the output is empty",
        Layer.CONV_TRANSPOSE: "the output padding must be below the stride or dilation, and the output not empty",
        Layer.POOL: "the padding must be at most half the kernel, and the window not larger than the padded input",
    }[layer]


def searched(question: Question) -> str:
    """The searched strides and paddings in words, for a question without a stride."""
    if question.layer is Layer.POOL:
        most = "" if question.allowed.padding is not None else ", every padding up to half the kernel"
        return f"every stride up to the padded input or the kernel{most}"
    most = "" if question.allowed.padding is not None else ", every padding up to d(k - 1)"
    if question.layer is Layer.CONV_TRANSPOSE:
        return f"every stride for which each output depends on an input{most}; give --stride for others"
    beyond = " (beyond it a window lies in the padding alone); give --stride for others" if most else ""
    return f"every stride{most}{beyond}"


def _answers_json(answers: Sequence[Answer], *, chained: bool) -> dict[str, Any]:
    head = {"schema_version": SCHEMA_VERSION, "command": "solve", "tool": TOOL}
    if not chained:
        return {**head, **_answer_json(answers[0])}
    return {**head, "steps": [_answer_json(answer) for answer in answers]}


def _answer_json(answer: Answer) -> dict[str, Any]:
    question = answer.question
    found: dict[str, Any] = {
        "layer": question.layer.value,
        "in": list(question.sizes),
        "out": list(question.out),
        "ceil_mode": question.ceil_mode,
        "searched": {name: None if values is None else list(values) for name, values in vars(question.allowed).items()},
        "solutions": [_solution_json(one) for one in answer.solutions],
        "nearest": [{"out": _one(one.out), **_solution_json(one)} for one in answer.nearest],
    }
    found["searched"]["kernel"] = list(question.allowed.kernel or KERNELS)
    found["searched"]["dilation"] = list(question.allowed.dilation or (1,))
    if question.allowed.stride is None:
        found["searched"]["limits"] = searched(question)
    return found if answer.solutions else {**found, "none": why_none(answer)}


def _one(values: Sequence[Any]) -> Any:
    """The value if it is the same for all axes, else the list of values."""
    return values[0] if len(set(values)) == 1 else list(values)


def _solution_json(one: Solution) -> dict[str, Any]:
    settings = {name: _one([at[place] for at in one.settings]) for place, name in enumerate(Setting._fields)}
    fields = [most if least == most else [least, most] for least, most in one.receptive_field]
    size = fields[0] if len(fields) == 1 else fields
    return {**settings, "receptive_field": size, **({} if one.params is None else {"params": one.params})}


# --- formula ------------------------------------------------------------------------------------------------------

Shown = Callable[[Any], str]
"""A sympy expression as text."""


def render_study(
    found: Study, first: Report, fmt: str, *, notation: str | None = None, screen: Screen | None = None
) -> str:
    """The formulas of a network: those of the whole, and of every layer or name pattern of layers."""
    if fmt == Format.JSON:
        return json_text(_study_json(found, first))
    screen = screen or Screen()
    shown = _notation(notation or {Format.MARKDOWN: "latex", Format.CSV: "python"}.get(Format(fmt), "text"))
    formulas = _Formulas(found, lambda terms: shown(in_sympy(terms, [axis.variable for axis in found.axes])))
    title = screen.marks.separator.join(
        [f"formula {first.target['spec']}", ", ".join(_named(axis.variable) for axis in found.axes)]
    )
    facts = [*_total_facts(formulas), *_study_facts(found)]
    return in_format(Page(title, _layer_sheet(formulas, screen.marks.unknown), facts), fmt, screen)


def _notation(name: str) -> Shown:
    """How a formula is written."""
    import sympy

    if name == "latex":
        return lambda expression: f"${sympy.latex(expression, symbol_names=_latex_names(expression))}$"
    return str if name == "python" else lambda expression: str(expression).replace("**", "^")


def _latex_names(expression: Any) -> dict[Any, str]:
    """Names of several letters upright, an index below the line."""
    return {each: latex_name(each.name) for each in expression.free_symbols}


def _named(variable: Variable) -> str:
    return variable.name if variable.name == variable.symbol else f"{variable.symbol} = {variable.name}"


class _Formulas:
    """The formulas of a study as text, each written once."""

    def __init__(self, found: Study, write: Callable[[Terms], str]):
        self.study, self._write = found, write
        self._texts: dict[frozenset[Any], str] = {}

    def text(self, key: Key) -> str | None:
        """The formula of a number; None where there is none."""
        terms = self.study.formulas.get(key)
        if terms is None:
            return None
        known = frozenset(terms.items())
        if known not in self._texts:
            self._texts[known] = self._write(terms)
        return self._texts[known]

    def field(self, row: str) -> Any:
        """The receptive field: one text where all axes agree, [least, most] where outputs differ, None if unknown."""
        ends = [name for label, name in self.study.formulas if label == row and name.startswith(FIELD)]
        axes = sorted({name.split(".")[1] for name in ends})
        pairs = [[self.text((row, f"{FIELD}.{axis}.{end}")) for end in ("least", "most")] for axis in axes]
        found = [pair[0] if pair[0] == pair[1] else None if None in pair else pair for pair in pairs]
        one = found[0] if found else None
        return found or None if not isinstance(one, str) or any(each != one for each in found) else one

    @property
    def rows(self) -> list[str]:
        """The layers, or patterns of layers."""
        return list(dict.fromkeys(label for label, _ in self.study.formulas if label))


def _field_text(field: Any) -> str | None:
    """A receptive field for readers."""
    if isinstance(field, list):
        parts = [" to ".join(each) if isinstance(each, list) else each for each in field]
        return None if None in parts else " x ".join(dict.fromkeys(parts))
    return None if field is None else str(field)


def _total_facts(formulas: _Formulas) -> Iterator[Fact]:
    for name in COUNTS:
        text = formulas.text(("", name))
        yield Fact(
            "MACs" if name == "macs" else name,
            text or f"unknown: {formulas.study.why.get(('', name), 'no formula was found')}",
        )
    field = _field_text(formulas.field(""))
    reasons = [why for (label, name), why in formulas.study.why.items() if not label and name.startswith(FIELD)]
    if field is not None or reasons:
        yield Fact("field", field or f"unknown: {reasons[0]}")


def _study_facts(found: Study) -> Iterator[Fact]:
    for axis, held in zip(found.axes, holds_for(found), strict=True):
        yield Fact("for", held, _other_classes(axis), tone=Tone.PLAIN if axis.is_known else Tone.UNKNOWN)
    instances = "1 instance" if found.checked_on == 1 else f"{found.checked_on} instances"
    yield Fact("checked", f"on {instances} not used to find them, of {found.tried} inspected")
    if found.by_pattern:
        yield Fact("layers", "rows depend on what varies: sums over all layers of one name pattern")
    if found.failed:
        failed = "1 instance" if len(found.failed) == 1 else f"{len(found.failed)} instances"
        yield Fact("failed", f"{failed}: {'; '.join(found.failed)}")


def _other_classes(axis: Axis) -> str:
    """What to run for the values that a formula does not cover: those of another residue class."""
    if axis.modulus == 1 or axis.variable.values is not None:
        return ""
    listed = ",".join(str(axis.variable.start + 1 + axis.modulus * step) for step in range(7))
    return f"other values of {axis.variable.symbol} have other formulas: --vary {axis.variable.name}={listed}"


def holds_for(found: Study) -> list[str]:
    """For each variable the residue class, and the values or the range of the instances that were inspected."""
    texts = []
    for axis, values in zip(found.axes, found.seen, strict=True):
        symbol, listed = axis.variable.symbol, axis.variable.values is not None
        span = f"{symbol} in {_commas(values)}" if listed else f"{symbol} from {values[0]} to {values[-1]}"
        own = f" ({_commas(axis.added)} added to the list)" if axis.added else ""
        where = f" where {symbol} mod {axis.modulus} = {axis.rest}" if axis.modulus > 1 else ""
        texts.append(f"{span}{own}{where}{f': {axis.why}' if axis.why else ''}")
    return texts


def _commas(values: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(values)))


def _layer_sheet(formulas: _Formulas, unknown: str) -> Sheet:
    """A line for each layer that has a number other than 0."""
    names = ("params", "macs", "neurons")

    def worth(name: str) -> Worth:
        return Worth.USUAL if name == "neurons" else Worth.KEPT

    headings = (
        Heading("layer", "layer", worth=Worth.KEPT, shortens=True),
        *(
            Heading(name, {"macs": "MACs"}.get(name, name), worth=Worth.USUAL if name == "neurons" else Worth.KEPT)
            for name in names
        ),
        *(() if formulas.study.by_pattern else (Heading("receptive_field", "field"),)),
    )
    lines = []
    for row in formulas.rows:
        texts = [formulas.text((row, name)) for name in names]
        if any(text not in ("0", "$0$") for text in texts):
            fields = [] if formulas.study.by_pattern else [_field_cell(formulas, row, unknown)]
            lines.append((Cell(row, row), *(_formula_cell(text, unknown) for text in texts), *fields))
    return Sheet(headings, tuple(lines))


def _field_cell(formulas: _Formulas, row: str, unknown: str) -> Cell:
    """The field of a layer; the sign where it has no formula, empty for a row without a field."""
    missing = any(label == row and name.startswith(FIELD) for label, name in formulas.study.why)
    return _formula_cell(_field_text(formulas.field(row)), unknown if missing else "")


def _formula_cell(text: str | None, unknown: str) -> Cell:
    return Cell(unknown, None, Tone.UNKNOWN) if text is None else Cell(text, text)


def _study_json(found: Study, first: Report) -> dict[str, Any]:
    variables = [axis.variable for axis in found.axes]
    formulas = _Formulas(found, lambda terms: str(in_sympy(terms, variables)))
    rows = {row.label: row.id for row in first.rows}

    def numbers(row: str) -> dict[str, Any]:
        counts = {name: formulas.text((row, name)) for name in COUNTS}
        return counts if row and found.by_pattern else {**counts, "receptive_field": formulas.field(row)}

    def place(row: str) -> dict[str, Any]:
        if found.by_pattern or row not in rows:
            return {"path": row, "is_pattern": True}
        name = rows[row]
        return {"path": name.path, "call": name.call, "kind": name.kind, "functional": name.functional}

    return {
        "schema_version": SCHEMA_VERSION,
        "command": "formula",
        "tool": dict(first.tool),
        "target": {**first.target},
        "variables": [variable.symbol for variable in variables],
        "meanings": {variable.symbol: variable.name for variable in variables},
        "total": numbers(""),
        "layers": [{**place(row), **numbers(row)} for row in formulas.rows],
        "holds_for": holds_for(found),
        "added": {axis.variable.symbol: list(axis.added) for axis in found.axes if axis.added},
        "checked_on": found.checked_on,
        "instances": found.tried,
        "failed": dict(found.failed),
        "why": {" ".join(filter(None, key)): reason for key, reason in found.why.items()},
    }
