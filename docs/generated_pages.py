"""The pages of the site that are made when it is built: the start from README.md, the reference from the code.

A hook of MkDocs (.mkdocs.yml). Nothing here is kept in the repository, so nothing of it can be out of date.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from typer.main import get_command

import cnninspect
from cnninspect import extend
from cnninspect.cli.app import app, run
from cnninspect.cli.help import BRIEF, EXAMPLES, option_groups
from cnninspect.cli.session import Session

ROOT = Path(__file__).parent.parent
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def on_config(config: Any) -> Any:
    """Puts the commands and the decisions, which are many, into the navigation."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    many = {
        "Command line": ["reference/commands.md", *(f"reference/{name}.md" for name in BRIEF)],
        "Decisions": [f"decisions/{page.name}" for page in decisions],
    }
    for section in config.nav:
        for name, pages in section.items():
            section[name] = [_filled(page, many) for page in pages] if isinstance(pages, list) else pages
    return config


def _filled(page: Any, many: dict[str, list[str]]) -> Any:
    (name,) = page if isinstance(page, dict) else ("",)
    return {name: many[name]} if name in many else page


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages, and the HTML report of the gallery."""
    for path, text in (*pages(), ("gallery/resnet32.html", _report("resnet32"))):
        files.append(File.generated(config, path, content=text))
    return files


def _report(target: str) -> str:
    """The page that `cnninspect summary TARGET -o FILE.html` writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        if run(["summary", target, "--no-cache", "-q", "-o", str(file)]):
            raise RuntimeError(f"cnninspect summary {target} failed")
        return file.read_text(encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """(path, text) of each page."""
    yield "index.md", re.sub(r"(\]\(|src=\")docs/", r"\1", (ROOT / "README.md").read_text(encoding="utf-8"))
    yield "reference/commands.md", commands()
    for name in BRIEF:
        yield f"reference/{name}.md", command_page(name)
    yield "reference/python.md", f"# Python\n\n{_objects('cnninspect', cnninspect.__all__)}"
    yield "reference/plug-ins.md", f"# Plug-ins\n\n{extend.__doc__}\n{_objects('cnninspect.extend', extend.__all__)}"
    schema = (ROOT / "cnninspect" / "report" / "schema.json").read_text(encoding="utf-8")
    yield "reference/json.md", f"# JSON\n\nThe JSON Schema of what `--format json` writes.\n\n```json\n{schema}\n```\n"


def commands() -> str:
    """The list of all commands, and the options that stand before any of them."""
    lines = [f"| [`{name}`]({name}.md) | {purpose} |" for name, purpose in BRIEF.items()]
    return "\n".join(
        ["# Commands", "", "| command | what it shows |", "|---|---|", *lines, "", *_options(get_command(app))]
    )


def command_page(name: str) -> str:
    """Usage, purpose, examples and options of a command, as `--help` has them."""
    command = COMMANDS[name]
    usage = " ".join(
        command.collect_usage_pieces(command.make_context(name, [], resilient_parsing=True, obj=Session()))
    )
    return "\n".join(
        [
            f"# {name}", "", command.help, "",
            "```", f"cnninspect {name} {usage}", "```", "", "Examples:", "",
            "```", *EXAMPLES[name], "```", "", *_options(command),
        ]
    )  # fmt: skip


def _options(command: Any) -> Iterator[str]:
    for title, rows in option_groups(command.params):
        yield from (f"## {title}", "", f"| {'' if title == 'Arguments' else 'option'} | meaning |", "|---|---|")
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows)
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _objects(module: str, names: list[str]) -> str:
    """One block of mkdocstrings for each public name."""
    return "\n".join(f"::: {module}.{name}\n" for name in names if not name.startswith("__"))
