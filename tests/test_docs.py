"""The documentation: its commands exist, its code runs, its recipes can be read, its links lead somewhere."""

import contextlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from typer.main import get_command

from cnninspect.cli.app import app, run
from cnninspect.cli.help import EXAMPLES
from cnninspect.cli.session import Session
from cnninspect.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def command_lines(page):
    """Every command line: in blocks of code, in backquotes and in the scripts of recipes."""
    text = page.read_text()
    code = "\n".join([*blocks(page, r"\w*"), *re.findall(r"^    .*$", text, re.MULTILINE)])
    lines = re.findall(r"^ *(?:[-$] )?(?:run: |entry: )?(cnninspect [^-`\n][^`\n]*)$", code, re.MULTILINE)
    lines += re.findall(r"`(cnninspect [^-`\n][^`\n]*)`", text)
    return [re.split(r" \|\|? | # |  #", line)[0].strip() for line in lines]


COMMANDS = sorted({line for page in PAGES for line in command_lines(page)})


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_exist(line):
    """Each line is parsed as the command line parses it, and not run. COMMAND stands for one of them."""
    _, name, *rest = shlex.split(line)
    command = get_command(app).commands["summary" if name == "COMMAND" else name]
    with contextlib.suppress(typer.Exit):
        # A command without arguments is only mentioned.
        assert not rest or command.make_context(name, rest, obj=Session())


def test_commands_were_found():
    assert {line.split()[1] for line in COMMANDS} >= {"summary", "flops", "compare", "models"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_a_page_names_exist(page):
    named = set(re.findall(r"`((?:\w+/)*[a-z]\w*\.py)`", page.read_text()))
    there = [
        f"/{path.relative_to(ROOT)}"
        for folder in ("cnninspect", "tests", "docs")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_page_holds_the_marks_of_a_conflict(page):
    assert not re.search(r"^(<<<<<<<|=======$|>>>>>>>)", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_recipes_can_be_read(page):
    for text in blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(text), dict)
    for text in blocks(page, "python"):
        compile(text, str(page), "exec")
    for text in blocks(page, "toml"):
        tomllib.loads(text)


def test_the_python_of_the_guide_runs(capsys):
    (example,) = [text for text in blocks(ROOT / "docs" / "guide.md", "python") if "zoo:nethw" in text]
    space = {}
    exec(example, space)
    # docs/guide.md states 5528; tests/zoo/worked derives it.
    assert space["report"].totals["params"].value == 5528
    assert "conv_1" in capsys.readouterr().out


def test_the_hook_of_the_docs_is_that_of_the_manifest():
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    local = next(yaml.safe_load(text) for text in blocks(ROOT / "docs" / "ci.md", "yaml") if "repo: local" in text)
    shared = ("language", "types_or", "pass_filenames", "require_serial")
    (hook,) = local["repos"][0]["hooks"]
    assert {key: hook[key] for key in shared} == {key: hooks["cnninspect-system"][key] for key in shared}


def test_no_recipe_pins_what_was_never_released():
    """Nothing is released: a recipe names a commit, or a wheel as it is built from this source."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "cnninspect").rglob("*.py")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.name != "changelog.md")
    assert re.findall(r"cnninspect\s*==|install '?\"?cnninspect\b|cnninspect\[", text) == []
    assert set(re.findall(r"^ +rev: (\S+)", text, re.MULTILINE)) == {"COMMIT"}
    assert set(re.findall(r"/cnninspect@([\w.-]+)", text)) == {"COMMIT"}
    assert set(re.findall(r"cnninspect-([\d.]+)-py3", text)) == {__version__}


def test_the_screen_of_the_readme_is_what_the_tool_prints(capsys):
    (screen,) = [text for text in blocks(ROOT / "README.md", "") if text.startswith("$ cnninspect summary")]
    line, title, *rest = screen.splitlines()
    assert run(line.split()[2:]) == 0
    printed_title, *printed = capsys.readouterr().out.splitlines()
    assert printed == rest
    # Builds of torch for CUDA or none differ in what follows the version.
    assert printed_title.split("+")[0] == title.split("+")[0]


def test_the_picture_of_the_readme_is_drawn_by_its_command():
    """tests/test_theory.py compares the picture with what the command of the gallery draws."""
    text, gallery = (ROOT / "README.md").read_text(), (ROOT / "docs" / "gallery.md").read_text()
    (picture,) = re.findall(r"!\[.*?\]\(docs/(.*?)\)", text)
    (line,) = re.findall(rf"`cnninspect (.* --picture {picture})`", text)
    assert f"<!-- cnninspect {line} -->" in gallery


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COUNTERS = ROOT / "tests" / "benchmarks" / "readme_table.py"


def test_our_column_of_the_readmes_table_is_true():
    rows = re.findall(r"^\| (.*?) \| ([\d,]+) \| ([\d,]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    script = module_of(COUNTERS)
    ours = {f"{each.number} of {each.words}": script.cell(script.cnninspect, each) for each in script.CASES}
    assert ours == {words: right for words, right, _ in rows} == {words: found for words, _, found in rows}


@pytest.mark.sweep
def test_the_table_of_the_readme_is_what_the_tools_print():
    for tool in ("torchinfo", "fvcore", "torchlens"):
        pytest.importorskip(tool)
    printed = subprocess.run([sys.executable, str(COUNTERS)], capture_output=True, text=True, check=True).stdout
    assert printed.strip() in (ROOT / "README.md").read_text()


FIELDS = (ROOT / "docs" / "receptive-fields.md").read_text()
SCREENS = re.findall(r"^\$ (cnninspect [^\n]*)\n(.*?)^```$", FIELDS, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("line", "screen"), SCREENS, ids=[line for line, _ in SCREENS])
def test_the_screens_of_a_page_are_what_the_tool_prints(capsys, line, screen):
    """A page may leave out the end of a long drawing."""
    assert run(shlex.split(line)[1:]) == 0
    title, *printed = [each.rstrip() for each in capsys.readouterr().out.splitlines()]
    shown_title, *shown = [each.rstrip() for each in screen.splitlines()]
    assert shown == printed[: len(shown)]
    assert title.split("+")[0] == shown_title.split("+")[0]


@pytest.fixture(scope="module")
def generated():
    """The pages of the site that are made from the code, by their paths."""
    pytest.importorskip("mkdocs")
    return dict(module_of(ROOT / "docs" / "generated_pages.py").pages())


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_the_page_of_a_command_has_its_options_and_examples(generated, name):
    page = generated[f"reference/{name}.md"]
    command = get_command(app).commands[name]
    options = [option for each in command.params for option in (*each.opts, *each.secondary_opts) if option[0] == "-"]
    assert [option for option in options if not re.search(rf"[`, /]{option}[`, /]", page)] == []
    assert [line for line in EXAMPLES[name] if line not in page] == []


def test_the_start_of_the_site_leads_where_the_readme_does(generated):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", generated["index.md"])
    assert len(links) > 10
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.sweep
def test_the_site_is_built_without_warnings_and_asks_no_other_server(tmp_path):
    """`.ci/run` builds it as well; a search in its pages for what a browser would fetch takes another 10 seconds."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", ".mkdocs.yml", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 60
    fetched = r"(?:src=|<link(?! rel=.canonical)[^>]*href=|url\()[\"']?(?:https?:)?//"
    assert [str(page) for page in [*pages, *tmp_path.rglob("*.css")] if re.search(fetched, page.read_text())] == []
