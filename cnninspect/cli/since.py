"""`compare TARGET --since REV`: the report on the same TARGET at a git revision, made in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnninspect.checks.baseline import read_report
from cnninspect.checks.differences import compare_models
from cnninspect.checks.numbers import Tolerance
from cnninspect.cli.options import RunOptions
from cnninspect.cli.reports import inspected, plugin_names, with_course, with_derivations
from cnninspect.cli.session import Session
from cnninspect.errors import CnninspectError, LoadError, NoSuchTarget, UsageError
from cnninspect.render import Format, render
from cnninspect.render.page import Derivations, OtherSide
from cnninspect.report.document import Comparison, Report
from cnninspect.report.rows import RowId
from cnninspect.report.selection import Ops, View
from cnninspect.targets.grammar import Archive, Folder, FromFile, defined_in, parse_target
from cnninspect.targets.revision import FromRevision, Revision, files_of, former_name

_START = (
    "import json, sys; request = json.load(sys.stdin); sys.path[:] = request['path']; "
    "from cnninspect.cli.since import answer; answer(request)"
)
"""What the process runs: it imports this cnninspect, not one among the files of the revision."""

_NOT_THERE = "did not exist"


def compared_since(
    target: str, name: str, run: RunOptions, tolerance: Tolerance, session: Session, *, page: bool = False
) -> tuple[Comparison, Derivations | None, OtherSide]:
    """TARGET in the working tree against TARGET at the revision `name`, built from the files of that time.

    The derivations are those of the first; the last is the side of the revision. For a `page`, both have derivations,
    graph and memory. Raises UsageError for an unknown revision or a TARGET that is not of the repository, LoadError if
    it failed then.
    """
    run = dataclasses.replace(run, probe=bool(run.probe))  # as for two networks
    file = _file_of(target)
    start = Path.cwd() if file is None else file.parent
    with (
        _no_bytecode(),
        files_of(name, start) as revision,
        _asked(target, run, revision, session, page=page) as process,
    ):
        for path in revision.lacks:
            session.note(
                f"the submodule {path} lacks its commit of {name}, so its files of today are taken. "
                f"`git -C {revision.root / path} fetch` brings the commit."
            )
        now, derived = _inspected(target, run, session, page=page)
        then, of_then = _report(process, target, revision), _derivations_of(revision) if page else None
        if then is None:
            before = None if file is None else former_name(revision, file)
            was = "" if before is None else f"; git says that its file was called {before}"
            session.note(f"{target} {_NOT_THERE} at {name}, so all of it is new{was}.")
            then = dataclasses.replace(now, rows=(), totals={}, notes=(), dataflow=None, live_bytes=None)
    for note in then.notes:
        if note not in now.notes:
            session.note(f"at {name}: {note}")
    then = dataclasses.replace(then, target={**now.target, "revision": name})
    return compare_models(now, then, tolerance), derived, OtherSide(then, of_then)


def _inspected(target: str, run: RunOptions, session: Session, *, page: bool) -> tuple[Report, Derivations | None]:
    """The report on a TARGET; for a page, with graph and memory, and the derivations of its rows."""
    if not page:
        return inspected(target, run, session, "compare"), None
    return with_derivations(target, run, session, "compare", with_course(None))


@contextlib.contextmanager
def _asked(
    target: str, run: RunOptions, revision: Revision, session: Session, *, page: bool
) -> Iterator[subprocess.Popen[str]]:
    """The process that inspects TARGET at the revision; it ends with the context."""
    here = revision.then(Path()) or Path.cwd()
    here.mkdir(parents=True, exist_ok=True)
    file = _file_of(target)
    today = [Path.cwd(), *([] if file is None else [file.parent])]  # for what git ignores: compiled in place
    request = {
        "path": [os.path.abspath(folder) for folder in sys.path],
        "today": [str(folder.absolute()) for folder in today],
        "revision": [revision.name, revision.commit, str(revision.root), str(revision.folder), revision.lacks],
        "here": str(here),
        "target": _moved(target, revision),
        "is_folder": isinstance(parse_target(target, plugin_names()), Folder),
        "run": {**dataclasses.asdict(run), "inputs_from": _inputs_then(run.inputs_from, revision)},
        "answer": str(_answer_file(revision)),
        "derivations": str(_derivations_file(revision)) if page else None,
    }
    stderr = None if session.debug else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr, text=True,
        cwd=revision.folder.parent,
    )  # fmt: skip
    try:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(json.dumps(request))
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    """Importing writes no .pyc files, so that the working tree stays as it is."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _answer_file(revision: Revision) -> Path:
    return revision.folder.parent / "answer.json"


def _derivations_file(revision: Revision) -> Path:
    return revision.folder.parent / "derivations.json"


def _derivations_of(revision: Revision) -> Derivations:
    """The derivations that the process wrote; none if it wrote none, because TARGET did not exist."""
    file = _derivations_file(revision)
    found = json.loads(_words(file.read_text(encoding="utf-8"), revision)) if file.is_file() else []
    return {RowId(**row): derived for row, derived in found}


def _file_of(target: str) -> Path | None:
    """The file that TARGET names; None for a module or the name of a model."""
    reference = parse_target(target, plugin_names())
    return reference.path if isinstance(reference, (FromFile, Archive)) else None


def _moved(target: str, revision: Revision) -> str:
    """TARGET with the path of its file or folder at the revision; UsageError for one outside the repository."""
    reference = parse_target(target, plugin_names())
    if not isinstance(reference, (FromFile, Archive, Folder)):
        return target
    then = revision.then(reference.path)
    if then is None:
        raise UsageError(
            f"{reference.path} leads out of the repository {revision.root}. Name a file or folder that it holds."
        )
    return f"{then}:{target.rpartition('.py:')[2]}" if isinstance(reference, FromFile) else str(then)


def _inputs_then(function: str | None, revision: Revision) -> str | None:
    """`--inputs-from` at the revision; that of the working tree where it did not exist yet."""
    reference = None if function is None else parse_target(function)
    if not isinstance(reference, FromFile):
        return function
    then = revision.then(reference.path)
    existed = then is not None and reference.attr in defined_in(then)
    return f"{then if existed else reference.path.resolve()}:{reference.attr}"


def _report(process: subprocess.Popen[str], target: str, revision: Revision) -> Report | None:
    """The report of the process; None if TARGET did not exist. Its errors are raised with the revision's name."""
    code = process.wait()
    file = _answer_file(revision)
    if not file.is_file():
        raise LoadError(
            f"{target} at {revision.name}: the process that builds it ended with the code {code}. "
            "--debug shows what it printed."
        )
    text = _words(file.read_text(encoding="utf-8"), revision)
    file.write_text(text, encoding="utf-8")
    answer = json.loads(text)
    if "error" not in answer:
        return read_report(file)
    if answer["error"] == _NOT_THERE:
        return None
    kind = UsageError if answer["code"] == UsageError.exit_code else LoadError
    raise kind(f"{target} at {revision.name}: {answer['error']}")


def _words(text: str, revision: Revision) -> str:
    """What the process wrote with paths as in the working tree."""
    return text.replace(f"{revision.folder}{os.sep}", "").replace(str(revision.folder), str(revision.root))


def answer(request: Mapping[str, Any]) -> None:
    """In the process: inspect the target among the files of the revision; write the report, or the error, as JSON."""
    name, commit, root, folder, lacks = request["revision"]
    revision = Revision(name, commit, Path(root), Path(folder), tuple(lacks))
    sys.dont_write_bytecode = True
    finder = FromRevision(revision, __package__.partition(".")[0])
    sys.path += request["today"]
    then = [revision.then(Path(place)) for place in sys.path]
    sys.path[:0] = [str(place) for place in then if place is not None and place.is_dir()]
    sys.meta_path.insert(0, finder)
    os.chdir(request["here"])
    try:
        if request["is_folder"] and not Path(request["target"]).is_dir():
            raise NoSuchTarget(f"there is no folder {request['target']}.")
        page = request["derivations"] is not None
        report, derived = _inspected(request["target"], RunOptions(**request["run"]), Session(quiet=True), page=page)
        if not _is_of(revision, request["target"]):
            raise UsageError(
                f"no file of the repository {root} is part of it, so it is the same at every revision. "
                "Name a TARGET whose code the repository holds."
            )
        found = render(report, Format.JSON, view=View(ops=Ops.ALL))
        if derived is not None:
            rows = [[dataclasses.asdict(row), of_row] for row, of_row in derived.items()]
            Path(request["derivations"]).write_text(json.dumps(rows), encoding="utf-8")
    except NoSuchTarget:
        found = json.dumps({"error": _NOT_THERE})
    except CnninspectError as error:
        found = json.dumps({"error": str(error), "code": error.exit_code})
    Path(request["answer"]).write_text(found, encoding="utf-8")


def _is_of(revision: Revision, target: str) -> bool:
    """Whether code of the revision was run, or an archive or a folder of it was read."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return revision.holds(target) or any(revision.holds(file) for file in files)
