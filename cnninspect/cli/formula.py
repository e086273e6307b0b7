"""What `formula` does: inspect instances of a network, find the formulas of its numbers in what varies, write them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnninspect.cli.options import AnswerOptions, RunOptions
from cnninspect.cli.reports import inspected, write_rendered
from cnninspect.cli.session import Progress, Session
from cnninspect.cli.solve import several
from cnninspect.errors import CnninspectError, LoadError, UsageError
from cnninspect.targets.grammar import argument_text, parse_arguments

if TYPE_CHECKING:
    from cnninspect.explain.instances import Variable
    from cnninspect.report.document import Report

COMMAND = "formula"
_NAME = re.compile(
    r"(?P<argument>(?!input\.)[^\W\d]\w*(?:\.\w+)*)(?:\[(?P<place>\d+)\])?|input\.(?P<size>[a-z]+)", re.ASCII
)
_SYMBOLS = {"n": "batch", "c": "channels", "f": "features", "l": "L", "d": "D", "h": "H", "w": "W", "size": "size"}
_FEWEST = 3
_TRIED_STARTS = 20


_PANEL = "Formula"
"""The heading of these options in the help."""


@dataclass(frozen=True)
class VaryOptions:
    """What varies, and how formulas are written."""

    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=A,B,...]",
            help="An integer argument, a number of a list (widths[0]), or a size of the input (input.h). Repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    notation: Annotated[
        str | None,
        typer.Option(
            metavar="text|python|latex", help="How formulas are written; LaTeX in Markdown.", rich_help_panel=_PANEL
        ),
    ] = None


@dataclass(frozen=True)
class _Varied:
    """One `--vary`: an argument, or one number of an argument that is a list, or a size of the input."""

    name: str
    argument: str | None
    place: int | None
    size: str | None
    values: tuple[int, ...] | None


def report_formula(target: str, run: RunOptions, vary: VaryOptions, answer: AnswerOptions, session: Session) -> int:
    """Write the formulas of TARGET's numbers; 0, for that there is none is an answer."""
    form, file = answer.checked()
    varied = [_parsed(each) for each in vary.vary or []]
    if not varied:
        raise UsageError("formula needs something to vary. Write, for example, --vary width or --vary input.h.")
    if len({each.name for each in varied}) < len(varied):
        raise UsageError("--vary names one thing twice. Put all its values into one list.")
    if vary.notation not in (None, "text", "python", "latex"):
        raise UsageError(f"--notation is text, python or latex: {vary.notation!r} is not one of them.")
    with Progress(shown=not session.quiet) as progress:
        maker = _Maker(target, run, varied, dataclasses.replace(session, quiet=True))
        progress(f"building {target}")
        variables, first = maker.variables()

        from cnninspect.explain.instances import Instances, numbers_of
        from cnninspect.explain.symbolic import study
        from cnninspect.render.algebra import render_study

        instances = Instances(variables, lambda point: numbers_of(maker.report(point)), progress)
        found = study(instances)
    by_message: dict[str, list[str]] = {}
    for label, message in found.failed.items():
        by_message.setdefault(message, []).append(label)
    for message, labels in by_message.items():
        session.note(f"{'; '.join(labels)} failed: {message}.")
    for point, seconds in instances.slow.items():
        session.note(
            f"{instances.label(point)} took {seconds:.0f} s: no value beyond it was tried. --vary NAME=A,B,C does."
        )
    write_rendered(
        lambda fmt, screen: render_study(found, first, fmt, notation=vary.notation, screen=screen), form, file
    )
    return 0


def _parsed(text: str) -> _Varied:
    name, equals, values = (part.strip() for part in text.partition("="))
    match = _NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"--vary {text!r} is not NAME or NAME=A,B,C. Write, for example, --vary width=8,16,24,32.")
    numbers = several(values, f"--vary {name}", 0) if equals else None
    if numbers is not None and len(numbers) < _FEWEST:
        raise UsageError(f"--vary {text}: a formula needs more values. Give at least {_FEWEST}, or leave them out.")
    if match["size"] is not None and match["size"] not in _SYMBOLS:
        raise UsageError(f"--vary {name}: an input has no such size. Choose among input.{', input.'.join(_SYMBOLS)}.")
    place = None if match["place"] is None else int(match["place"])
    return _Varied(name, match["argument"], place, match["size"], numbers)


class _Maker:
    """Makes the reports of instances: the target with other arguments and sizes."""

    def __init__(self, target: str, run: RunOptions, varied: Sequence[_Varied], session: Session):
        self.target, self.run, self.varied, self.session = target, run, varied, session
        self.given = parse_arguments(run.arg)

    def variables(self) -> tuple[list[Variable], Report]:
        """What varies with its value at the start, and the report there; an error where no start works."""
        from cnninspect.explain.instances import Variable

        start, report = self._start()
        names = self._symbols()
        values = [
            value if value is not None else self._size(each, report)
            for each, value in zip(self.varied, start, strict=True)
        ]
        return [
            Variable(each.name, name, value, each.values)
            for each, name, value in zip(self.varied, names, values, strict=True)
        ], report

    def _symbols(self) -> list[str]:
        """An identifier for each variable; sizes get a capital letter unless an argument has that name."""
        arguments = {each.argument for each in self.varied}
        names = []
        for each in self.varied:
            if each.size is not None:
                letter = _SYMBOLS[each.size]
                names.append(f"input_{each.size}" if letter in arguments else letter)
            else:
                name = str(each.argument).replace(".", "_")
                names.append(name if each.place is None else f"{name}_{each.place}")
        return names

    def _start(self) -> tuple[tuple[int | None, ...], Report]:
        """The first values that work: given ones, or the argument's own; None for a size that the input decides."""
        choices = [each.values or (self._own(each),) for each in self.varied]
        # The first values that work of one variable may stand late in its list, those of the others first.
        together = ([values[min(i, len(values) - 1)] for values in choices] for i in range(max(map(len, choices))))
        error: CnninspectError | None = None
        for start in map(tuple, islice(chain(together, product(*choices)), _TRIED_STARTS)):
            try:
                return start, self.report(start)
            except UsageError:
                raise
            except CnninspectError as failure:
                error = failure
        assert error is not None
        if any(each.values for each in self.varied):
            raise LoadError(f"no instance of {self.target} with these values works: {error}") from error
        raise error

    def _own(self, each: _Varied) -> int | None:
        """The value of an argument that is not given any: the one of --arg, or its default."""
        if each.size is not None:
            return None
        value = self._argument(each)
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"--vary {each.name}: {value!r} is not an integer.{_hint(each, value)}")
        return value

    def _argument(self, each: _Varied) -> Any:
        value = self._whole(str(each.argument))
        if each.place is None:
            return value
        if not isinstance(value, (tuple, list)) or each.place >= len(value):
            raise UsageError(f"--vary {each.name}: {each.argument} is {value!r}, which has no number {each.place}.")
        return value[each.place]

    def _whole(self, name: str) -> Any:
        """An argument's value: from --arg, or its default."""
        if name in self.given:
            return self.given[name]
        from cnninspect.targets.resolve import resolve

        # Unknown names are refused here, with the nearest ones.
        found = resolve(self.target, {**self.given, name: 1})
        default = found.source.defaults().get(name)
        if default is None:
            raise UsageError(f"--vary {name}: it has no default to start from. Give values: --vary {name}=1,2,3,4,5.")
        return default

    def _size(self, each: _Varied, report: Report) -> int:
        """The size of the first input in the report."""
        from cnninspect.targets.inputs import DIMENSIONS

        shape = report.run["inputs"][0]["shape"]
        names = DIMENSIONS.get(len(shape), "")
        wanted = "h" if each.size == "size" else str(each.size)
        if wanted not in names:
            raise UsageError(
                f"--vary {each.name}: the input {'x'.join(map(str, shape))} has no such dimension. "
                f"Its dimensions are {', '.join(f'input.{name}' for name in names)}."
            )
        return int(shape[names.index(wanted)])

    def report(self, point: Sequence[int | None]) -> Report:
        """The report of one instance."""
        arguments = dict(self.given)
        sizes: dict[str, int] = {}
        for each, value in zip(self.varied, point, strict=True):
            if value is not None and each.size is not None:
                sizes |= dict.fromkeys(("h", "w") if each.size == "size" else (each.size,), value)
            elif each.place is not None:
                name = str(each.argument)
                whole = list(arguments[name] if name in arguments else self._whole(name))
                if each.place >= len(whole):
                    places = f"{name}[0] to {name}[{len(whole) - 1}]"
                    raise UsageError(f"--vary {each.name}: {name} has {len(whole)} numbers. Choose among {places}.")
                whole[each.place] = value
                arguments[name] = tuple(whole)
            elif each.argument is not None:
                arguments[each.argument] = value
        texts = [argument_text(name, value) for name, value in arguments.items()]
        return inspected(self.target, dataclasses.replace(self.run, arg=texts), self.session, COMMAND, sizes=sizes)


def _hint(each: _Varied, value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f" Vary one of its numbers: --vary '{each.name}[0]'."
    if isinstance(value, (str, bool)):
        return " Vary an argument that is one, or a size such as input.h."
    return f" Vary an argument that is one, or give values: --vary {each.name}=1,2,3,4,5."
