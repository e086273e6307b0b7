"""The command `solve`: read sizes and settings, solve each step, write all solutions."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnninspect.cli.options import AnswerOptions
from cnninspect.cli.reports import write_rendered
from cnninspect.errors import UsageError
from cnninspect.report.quantities import parse_count

if TYPE_CHECKING:
    from cnninspect.explain.solver import Question

_SIZES = "Sizes"
_SETTINGS = "Hyper-parameters: one value, several (3,4,5) or a range (1-11)"
_RANKING = "Which solutions"
_LARGEST = 65_536


def _values(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_SETTINGS)


@dataclass(frozen=True)
class SizeOptions:
    """The input and output sizes."""

    size: Annotated[
        str | None, typer.Option("--in", metavar="N[,M]", help="Size of the input map.", rich_help_panel=_SIZES)
    ] = None
    out: Annotated[
        str | None, typer.Option("--out", metavar="N[,M]", help="Size of the output map.", rich_help_panel=_SIZES)
    ] = None
    chain: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...",
            help="Solve every step of a chain of sizes. A step that grows is a transposed convolution.",
            rich_help_panel=_SIZES,
        ),
    ] = None


@dataclass(frozen=True)
class SettingOptions:
    """The allowed values of hyper-parameters; all others are searched."""

    kernel: Annotated[str | None, _values("K,..", "Kernel sizes; default 1-11.")] = None
    stride: Annotated[str | None, _values("S,..", "Strides; default any.")] = None
    padding: Annotated[str | None, _values("P,..", "Paddings; default any from 0.")] = None
    dilation: Annotated[str | None, _values("D,..", "Dilations; default 1.")] = None
    output_padding: Annotated[str | None, _values("P,..", "For conv-transpose; default any that torch takes.")] = None
    ceil_mode: Annotated[
        bool, typer.Option("--ceil-mode", help="For pool: round sizes up.", rich_help_panel=_SETTINGS)
    ] = False


@dataclass(frozen=True)
class RankOptions:
    """Limits for solutions, and their order."""

    channels: Annotated[
        str | None,
        typer.Option(metavar="IN,OUT", help="Channels, needed to count parameters.", rich_help_panel=_RANKING),
    ] = None
    min_field: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=0, help="Smallest receptive field of the layer.", rich_help_panel=_RANKING),
    ] = None
    max_field: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", min=0, help="Largest receptive field of the layer.", rich_help_panel=_RANKING),
    ] = None
    max_params: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Largest number of parameters, such as 5K.", rich_help_panel=_RANKING),
    ] = None
    rank: Annotated[
        str,
        typer.Option(
            metavar="kernel|field|params", help="Order of the solutions, smallest first.", rich_help_panel=_RANKING
        ),
    ] = "kernel"
    every: Annotated[
        bool,
        typer.Option("--all", help="List all solutions, not the first 100.", rich_help_panel=_RANKING),
    ] = False


def report_solutions(
    layer: str | None, sizes: SizeOptions, settings: SettingOptions, ranks: RankOptions, answer: AnswerOptions
) -> int:
    """Write all solutions, or the word `none` and the nearest sizes; 0, for either is an answer."""
    from cnninspect.explain.solver import solve
    from cnninspect.render.algebra import MOST_LINES, render_answers

    form, file = answer.checked()
    if layer is None and sizes.chain is None:
        raise UsageError(
            "solve needs a layer: conv, conv-transpose or pool. Write, for example, solve conv --in 32 --out 16."
        )
    questions = _questions(layer or "conv", sizes, settings, ranks)
    answers = [solve(question) for question in questions]
    chained = sizes.chain is not None
    write_rendered(
        partial(render_answers, answers, chained=chained, most=None if ranks.every else MOST_LINES), form, file
    )
    return 0


def _questions(name: str, sizes: SizeOptions, settings: SettingOptions, ranks: RankOptions) -> list[Question]:
    from cnninspect.explain.solver import Allowed, Bounds, Layer, Question, Rank, steps_of

    layer = _chosen("the layer", name, Layer)
    rank = _chosen("--rank", ranks.rank, Rank)
    given = {each.name: getattr(settings, each.name) for each in dataclasses.fields(Allowed)}
    allowed = Allowed(**{name: _several(name, value) for name, value in given.items()})
    _check_settings(name, settings, chained=sizes.chain is not None)
    bounds = Bounds(ranks.min_field, ranks.max_field, _max_params(ranks))
    base = Question(layer, (), (), allowed, settings.ceil_mode, _channels(ranks, name), bounds, rank)
    if sizes.chain is not None:
        return steps_of(layer, _chain(sizes), base)
    into, out = _pair(sizes)
    return [dataclasses.replace(base, sizes=into, out=out)]


def _chosen(what: str, name: str, kinds: Any) -> Any:
    if name not in [kind.value for kind in kinds]:
        raise UsageError(f"{what} must be one of {', '.join(kind.value for kind in kinds)}, not {name!r}.")
    return kinds(name)


def _check_settings(layer: str, settings: SettingOptions, *, chained: bool) -> None:
    """Raises UsageError for a hyper-parameter that the layer does not have."""
    if settings.ceil_mode and layer != "pool":
        raise UsageError("--ceil-mode is only for pool. Leave it out, or solve pool.")
    if settings.output_padding is not None and layer != "conv-transpose" and not chained:
        raise UsageError("--output-padding is only for conv-transpose. Leave it out, or solve conv-transpose.")


def _channels(ranks: RankOptions, layer: str) -> tuple[int, int] | None:
    if ranks.channels is None:
        if ranks.max_params is not None or ranks.rank == "params":
            raise UsageError("parameters depend on channels. Give --channels IN,OUT too.")
        return None
    if layer == "pool":
        raise UsageError("a pool has no parameters. Leave --channels out.")
    found = _numbers("--channels", ranks.channels)
    if len(found) != 2:
        raise UsageError(f"--channels {ranks.channels} is not IN,OUT. Write, for example, --channels 3,64.")
    return found[0], found[1]


def _max_params(ranks: RankOptions) -> int | None:
    try:
        return None if ranks.max_params is None else parse_count(ranks.max_params)
    except ValueError as error:
        raise UsageError(f"--max-params: {error}. Write a number such as 5000 or 5K.") from None


def _chain(sizes: SizeOptions) -> list[int]:
    if sizes.size is not None or sizes.out is not None:
        raise UsageError("--chain already gives all sizes. Leave out --in and --out.")
    found = _numbers("--chain", sizes.chain or "")
    if len(found) < 2:
        raise UsageError(f"--chain {sizes.chain} has no step. Write at least two sizes, such as 32,16,8.")
    return found


def _pair(sizes: SizeOptions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes in and out, one for each axis; a single size holds for every axis."""
    if sizes.size is None or sizes.out is None:
        raise UsageError("solve needs --in and --out, or --chain. Write, for example, --in 32 --out 16.")
    into, out = _numbers("--in", sizes.size), _numbers("--out", sizes.out)
    axes = max(len(into), len(out))
    if axes > 3 or not {len(into), len(out)} <= {1, axes}:
        raise UsageError(
            f"--in {sizes.size} and --out {sizes.out} do not fit together. Give both one size, or one for each axis."
        )
    return tuple(into * axes if len(into) == 1 else into), tuple(out * axes if len(out) == 1 else out)


def _numbers(option: str, text: str) -> list[int]:
    """Positive numbers joined by commas."""
    parts = [part.strip() for part in text.split(",")]
    wrong = next((part for part in parts if not re.fullmatch(r"\d+", part, re.ASCII)), None)
    if wrong is not None:
        raise UsageError(
            f"{option} {text}: {wrong!r} is not a whole number. Write numbers joined by commas, such as 32,16."
        )
    numbers = [int(part) for part in parts]
    if not all(0 < number <= _LARGEST for number in numbers):
        raise UsageError(f"{option} {text}: a number is not between 1 and {_LARGEST:,}. Give one that is.")
    return numbers


_LEAST = {"padding": 0, "output_padding": 0}
_MOST_VALUES = 1_024


def _several(name: str, text: str | None) -> tuple[int, ...] | None:
    """The values of a hyper-parameter, in ascending order; None for an option that is not given."""
    return None if text is None else several(text, f"--{name.replace('_', '-')}", _LEAST.get(name, 1))


def several(text: str, option: str, least: int) -> tuple[int, ...]:
    """The values that `3,4,5` or `1-11` lists, in ascending order; UsageError, which names `option`, for others."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part, re.ASCII)
        if match is None:
            is_number = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", part.strip(), re.ASCII)
            what = f"a whole number from {least}" if is_number else "a number"
            raise UsageError(f"{option} {text}: {part.strip()!r} is not {what}. Write 3, or 3,4,5, or 1-11.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first >= _MOST_VALUES:
            raise UsageError(
                f"{option} {text}: {part.strip()!r} is not a range. Write the smaller number first, as in 1-11."
            )
        found |= set(range(first, last + 1))
    if not least <= min(found) or max(found) > _LARGEST:
        raise UsageError(f"{option} {text}: a value is not between {least} and {_LARGEST:,}. Give one that is.")
    return tuple(sorted(found))
