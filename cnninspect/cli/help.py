"""The help texts: what a command does, examples, its options in groups, exit codes; wrapped between words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from typer import style
from typer.core import TyperCommand, TyperGroup

from cnninspect.render.page import Screen

WIDEST = 100
"""The width of help on a wide terminal."""

_LABELS = 30
"""The widest column of options; the text of a longer one begins in the next line."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "summary": (
        "cnninspect summary resnet18",
        "cnninspect summary nets.py:Net --arg width=64 --input 1x3x32x32",
        "cnninspect summary vit_b_16 --filter 'conv*' -f csv -o layers.csv",
        "cnninspect summary weights.safetensors",
    ),
    "flops": ("cnninspect flops resnet18 --top 5", "cnninspect flops nets.py:Net --by kind --backward --memory"),
    "compare": (
        "cnninspect compare nets.py:Net --baseline net.json --update-baseline",
        "cnninspect compare nets.py:Net --baseline net.json --max-macs 600M",
        "cnninspect compare nets.py:Net --claims homework.csv",
        "cnninspect compare resnet18 resnet34 --only-differences",
    ),
    "rf": (
        "cnninspect rf custom-alexnet",
        "cnninspect rf custom-alexnet conv3 --at 0,6 --picture field.svg",
        "cnninspect rf resnet18 layer3 --effective --picture influence.svg",
    ),
    "explain": ("cnninspect explain custom-alexnet conv2", "cnninspect explain lenet5 -f latex -o lenet5.tex"),
    "formula": ("cnninspect formula small-cnn --vary 'widths[0]=8,16,24,32'",),
    "solve": ("cnninspect solve conv --in 32 --out 16 --kernel 3",),
    "sweep": (
        "cnninspect sweep 'torchvision:resnet*'",
        "cnninspect sweep 'timm:*' nets.py:build_all -o all.csv --resume --jobs 4",
        "cnninspect sweep 'timm:*' --where 'macs < 1G and field > 200' --sort params",
    ),
    "reconcile": (
        "cnninspect reconcile resnet50 --macs 4.09G",
        "cnninspect reconcile googlenet --params 13.0M",
        "cnninspect reconcile resnet50 --flops 8.2G --params 25.6M",
    ),
    "models": ("cnninspect models resnet", "cnninspect models 'timm:vit_*' -f json"),
    "config": ("cnninspect config", "cnninspect config -f json"),
    "cache": ("cnninspect cache info", "cnninspect cache clear"),
}
"""Command -> command lines that work, the usual ones first."""

BRIEF = {
    "summary": "One row per layer: output shape, params, MACs, receptive field.",
    "flops": "MACs by layer, kind, op and counter; training, memory, time.",
    "compare": "Against formulas, a baseline, claims, budgets or another network.",
    "rf": "Receptive fields: of all layers, of one position, as a picture.",
    "explain": "Where every number of a layer comes from, step by step.",
    "formula": "Counts as exact formulas in arguments and input sizes.",
    "solve": "All settings of a layer that turn one size into another.",
    "sweep": "Many models into one table, a row each.",
    "reconcile": "Which way of counting gives a published number.",
    "models": "The models of all providers; each name is a TARGET.",
    "config": "The options in use here, and the origin of each.",
    "cache": "What is kept between runs: reports on models of catalogues.",
}
"""Command -> its purpose in one line of a list, in the order of the list."""

_CODES = (
    ("0", "fine"),
    ("1", "a check failed"),
    ("2", "wrong usage or configuration"),
    ("3", "the model cannot be loaded or run"),
    ("4", "incomplete, with --strict"),
    ("130", "interrupted"),
)
_TARGET = (
    ("resnet18", "a name of the built-in zoo, torchvision or timm"),
    ("timm:resnet18", "a name of one provider"),
    ("nets.py:Net", "a class, factory, module or function in a file"),
    ("package.module:Net", "the same in a module that can be imported"),
    ("net.pt2", "an archive of torch.export"),
)
_LAST = "Other options"


class Command(TyperCommand):
    """A command whose help is written here, without a type behind every switch."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS] TARGET [LAYER]`: arguments that may be left out in brackets."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        names = [str(param.metavar or param.name) for param in arguments]
        given = [
            name if each.required or name[:1] == "[" else f"[{name}]"
            for each, name in zip(arguments, names, strict=True)
        ]
        return ["[OPTIONS]", *given]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, purpose, options by group, examples and exit codes."""
        self.format_usage(ctx, formatter)
        _paragraph(formatter, self.help or "")
        _lines(formatter, "Examples", EXAMPLES.get(str(self.name), ()))
        for title, rows in option_groups(self.get_params(ctx)):
            _section(formatter, title, rows)
        _exit_codes(formatter)


class Group(TyperGroup):
    """The list of commands, with forms of TARGET, examples and exit codes."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, commands, forms of TARGET, options and exit codes."""
        self.format_usage(ctx, formatter)
        _paragraph(formatter, self.help or "")
        _section(formatter, "Commands", list(BRIEF.items()))
        _section(formatter, "TARGET is one of", _TARGET)
        _lines(formatter, "Examples", [lines[0] for lines in EXAMPLES.values()][:4])
        _section(formatter, "Options", [row for _, rows in option_groups(self.get_params(ctx)) for row in rows])
        _exit_codes(formatter)


def _heading(title: str) -> str:
    """The title, bold where stdout shows colours."""
    return str(style(title, bold=True)) if sys.stdout is not None and Screen.of(sys.stdout).colour else title


def _exit_codes(formatter: Any) -> None:
    _paragraph(formatter, "Exit codes: " + ", ".join(f"{code} {words}" for code, words in _CODES) + ".")


def _paragraph(formatter: Any, text: str) -> None:
    formatter.write_paragraph()
    formatter.write_text(_plain(text))


def _section(formatter: Any, title: str, rows: Sequence[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(_heading(title)):
            formatter.write_dl(rows, col_max=_LABELS)


def _lines(formatter: Any, title: str, lines: Sequence[str]) -> None:
    if lines:
        with formatter.section(_heading(title)):
            for line in lines:
                formatter.write(f"  {line}\n")


def option_groups(params: Sequence[Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """(title, options) in the order of the command, arguments first, those of every command last."""
    found: dict[str, list[tuple[str, str]]] = {}
    last: list[tuple[str, str]] = []
    for param in params:
        if getattr(param, "hidden", False):
            continue
        row = (_name(param), _text(param))
        if param.param_type_name == "argument":
            found.setdefault("Arguments", []).append(row)
        elif title := getattr(param, "rich_help_panel", None):
            found.setdefault(str(title), []).append(row)
        else:
            last.append(row)
    yield from found.items()
    if last:
        yield _LAST, last


def _name(param: Any) -> str:
    """`-o, --output FILE`, `--train / --eval`, `TARGET`."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name).upper()
    names = ", ".join(sorted(param.opts, key=len))
    names += "".join(f" / {other}" for other in param.secondary_opts)
    is_switch = getattr(param, "is_flag", False) or getattr(param, "count", False)
    return names if is_switch else f"{names} {param.metavar or 'VALUE'}"


def _text(param: Any) -> str:
    """The option's help, and its default if it is a value that is not said yet."""
    text = _plain(getattr(param, "help", None) or "")
    default = getattr(param.default, "value", param.default)
    shown = isinstance(default, (str, int)) and not isinstance(default, bool) and getattr(param, "show_default", True)
    return f"{text} Default: {default}." if shown and default != "" and "default" not in text.lower() else text


def _plain(text: str) -> str:
    """The text without the escapes of rich's markup."""
    return " ".join(text.replace("\\[", "[").split())
