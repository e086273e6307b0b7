"""What the shell completes: names of models, what a file defines, layers, columns, types. Nothing imports torch."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import typer

from cnninspect.targets.grammar import DTYPES, SAFETENSORS, defined_in
from cnninspect.targets.names import built_in


@contextmanager
def whole_words(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Makes `timm:resnet` one word again: bash takes words apart at colons, and completes the last part.

    What is printed inside has only that part.
    """
    before = _joined(environ) if environ.get("_CNNINSPECT_COMPLETE") == "complete_bash" else ""
    if not before:
        yield
        return
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:  # Typer ends a completion with SystemExit.
        sys.stdout.write("".join(f"{line.removeprefix(before)}\n" for line in printed.getvalue().splitlines()))


def _joined(environ: MutableMapping[str, str]) -> str:
    """The part of the word before the cursor that ends with a colon; the words are joined in `environ`."""
    text, at = environ.get("COMP_WORDS", ""), int(environ.get("COMP_CWORD", "0"))
    words = text.split("\n" if "\n" in text else " ")
    colon = at if words[at : at + 1] == [":"] else at - 1
    if not 1 < colon < len(words) or words[colon] != ":":
        return ""
    before, last = f"{words[colon - 1]}:", "" if colon == at else "".join(words[at : at + 1])
    environ["COMP_WORDS"] = "\n".join([*words[: colon - 1], before + last])
    environ["COMP_CWORD"] = str(colon - 1)
    return before


def complete_target(incomplete: str) -> list[str]:
    """Models by the names that were listed before, Python files, and what one defines."""
    file, colon, _ = incomplete.rpartition(":")
    if colon and file.endswith(".py"):
        return _fitting((f"{file}:{name}" for name in defined_in(Path(file))), incomplete)
    from cnninspect.cli.kept import kept_names

    names = kept_names() or built_in()
    bare = dict.fromkeys(name.partition(":")[2] for name in names)
    prefixes = dict.fromkeys(f"{name.partition(':')[0]}:" for name in names)
    return _fitting([*(names if colon else (*bare, *prefixes)), *_files(incomplete)], incomplete)


def _files(incomplete: str) -> list[str]:
    """Python files as `nets.py:`, folders, and files of weights."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    shown = [each for each in found if not each.name.startswith((".", "__"))]
    endings = {".py": ":", SAFETENSORS: ""}
    return [f"{each}{'/' if each.is_dir() else endings[each.suffix]}"
            for each in shown if each.is_dir() or each.suffix in endings]  # fmt: skip


def complete_layer(context: typer.Context, incomplete: str) -> list[str]:
    """The layers of a model whose plain `summary` was kept."""
    from cnninspect.cli.kept import report_key
    from cnninspect.files import kept

    found = kept(report_key(str(context.params.get("target")), (), {}, "summary", {}))
    paths = (row["path"] for row in found["report"]["rows"]) if found is not None else ()
    return _fitting(dict.fromkeys(path for path in paths if path), incomplete)


def complete_columns(context: typer.Context, incomplete: str) -> list[str]:
    """The column after the last comma."""
    from cnninspect.render.sections import column_names

    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    names = (name for name in column_names(str(context.info_name)) if name not in given)
    return _fitting((f"{before}{comma}{name}" for name in names), incomplete)


def complete_dtype(incomplete: str) -> list[str]:
    """The types that torch has."""
    return _fitting(DTYPES, incomplete)


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
