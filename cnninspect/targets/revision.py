"""The files of a git repository as they were at a revision, in a folder of their own; the working tree is only read."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from cnninspect.errors import UsageError, nearest


@dataclass(frozen=True)
class Revision:
    """A revision by the user's name for it, its commit, the root of the working tree, and the folder of its files.

    `lacks` are the submodules of which the commit is not in their clone.
    """

    name: str
    commit: str
    root: Path
    folder: Path
    lacks: tuple[str, ...] = ()

    def then(self, path: Path) -> Path | None:
        """The place of a path of the working tree among the revision's files; None for a path outside the repository.

        A relative path is one from the working directory. The file need not exist.
        """
        whole = path.resolve()
        return self.folder / whole.relative_to(self.root) if whole.is_relative_to(self.root) else None

    def holds(self, path: str | None) -> bool:
        """Whether a path is one of the revision's files."""
        return path is not None and Path(path).is_relative_to(self.folder)


@contextlib.contextmanager
def files_of(name: str, start: Path) -> Iterator[Revision]:
    """The revision of the repository around `start` with all of its files in a temporary folder.

    Raises UsageError for a revision that git does not know.
    """
    root = Path(_git(["-C", str(start), "rev-parse", "--show-toplevel"], _no_repository)).resolve()
    commit = _commit(name, root)
    with TemporaryDirectory(prefix="cnninspect-") as temporary:
        folder = Path(temporary).resolve() / "files"
        lacks = _check_out(root, commit, folder, folder.parent / "index")
        yield Revision(name, commit, root, folder, tuple(path.relative_to(root).as_posix() for path in lacks))


def _check_out(root: Path, commit: str, folder: Path, index: Path) -> list[Path]:
    """Write the files of a commit to `folder`, with those of its submodules; return the submodules that lack theirs."""
    folder.mkdir(exist_ok=True)
    # With an index of its own git does not touch the repository's. `git archive` would leave `export-ignore` out.
    own = {"GIT_INDEX_FILE": str(index)}
    index.unlink(missing_ok=True)
    _git(["-C", str(root), "read-tree", commit], _failed, own)
    _git(["-C", str(root), "checkout-index", "--all", f"--prefix={folder}{os.sep}"], _failed, own)
    lacks: list[Path] = []
    for line in _git(["-C", str(root), "ls-files", "--stage", "-z"], _failed, own).split("\0"):
        entry, _, path = line.partition("\t")
        if entry.startswith(_SUBMODULE) and (root / path / ".git").exists():
            submodule, then = root / path, entry.split()[1]
            if _has(submodule, then):
                lacks += _check_out(submodule, then, folder / path, index)
            else:
                lacks.append(submodule)
                (folder / path).rmdir()  # an empty package would hide the one of today
    return lacks


_SUBMODULE = "160000"
"""The mode of a submodule in git's index."""


def _has(repository: Path, commit: str) -> bool:
    try:
        _git(["-C", str(repository), "cat-file", "-e", f"{commit}^{{commit}}"], str)
    except UsageError:
        return False
    return True


def _commit(name: str, root: Path) -> str:
    if name.startswith(("-", "^")):
        raise UsageError(_unknown(name, root))
    parse = ["-C", str(root), "rev-parse", "--verify", "--quiet"]
    found = _git([*parse, name], lambda _: _unknown(name, root))
    # In one step, `^{commit}` would be a part of the text that `:/text` looks for.
    return _git([*parse, f"{found}^{{commit}}"], lambda _: _unknown(name, root))


def former_name(revision: Revision, path: Path) -> str | None:
    """The name of a file at the revision, relative to the root, if git finds that it was renamed since."""
    arguments = ["-C", str(revision.root), "diff", "--find-renames", "--name-status", "-z", revision.commit, "--"]
    words = _git(arguments, _failed).split("\0")
    moves = {new: old for kind, old, new in zip(words, words[1:], words[2:], strict=False) if kind.startswith("R")}
    return moves.get(path.resolve().relative_to(revision.root).as_posix())


def own_files(root: Path) -> frozenset[str]:
    """The files of the working tree that git tracks or would add, relative to its root, with those of its submodules.

    Installed packages are none.
    """
    listed = ["-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    paths = frozenset(path for path in _git(listed, _failed).split("\0") if path and "site-packages" not in path)
    below = [(path, own_files(root / path)) for path in paths if (root / path / ".git").exists()]
    return paths.union(f"{path}/{file}" for path, files in below for file in files)


_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def _git(arguments: Sequence[str], words: Callable[[str], str], environment: Mapping[str, str] | None = None) -> str:
    """What git prints, without the last line break; UsageError with `words(git's message)` if it fails."""
    command = ["git", "--no-optional-locks", *arguments]
    # In a hook git says which repository it runs for; here that is the one around a folder.
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="surrogateescape", env={**own, **(environment or {})}
        )
    except OSError as error:
        raise UsageError(f"--since needs git, which does not start: {error.strerror}. Install git.") from error
    if done.returncode:
        raise UsageError(words(" ".join(done.stderr.split()).removeprefix("fatal: ").rstrip(".")))
    return done.stdout.rstrip("\n")


def _failed(message: str) -> str:
    step = "`git fsck` says what the repository lacks."
    if "lfs" in message:
        step = "`git lfs fetch --all` brings the files of Git LFS; with GIT_LFS_SKIP_SMUDGE=1 their pointers are taken."
    return f"git cannot read the revision: {message or 'no message'}. {step}"


def _no_repository(message: str) -> str:
    return f"--since needs a git repository: {message}. Run it in a folder of the repository."


def _unknown(name: str, root: Path) -> str:
    """The sentence for a revision that does not exist, with the nearest branches and tags."""
    refs = _git(["-C", str(root), "for-each-ref", "--format=%(refname:short)"], _failed).splitlines()
    if _git(["-C", str(root), "rev-parse", "--is-shallow-repository"], _failed) == "true":
        step = "The clone is shallow: fetch it first, with `git fetch --unshallow` or `fetch-depth: 0` on GitHub."
    elif near := nearest(name, refs):
        step = f"Nearest: {', '.join(near)}."
    else:
        step = "`git log --oneline` lists commits, `git branch -a` branches."
    return f"git knows no revision {name!r}. {step}"


class FromRevision(MetaPathFinder):
    """Takes modules of the repository from the revision's files, also where an editable install names the working tree.

    A file that git ignores (what was compiled in place) and installed packages are the same at every revision. Modules
    of the package `own` are left alone.
    """

    def __init__(self, revision: Revision, own: str):
        self.revision, self.own = revision, own
        lacks = tuple(f"{path}/" for path in revision.lacks)
        self._files = {file for file in own_files(revision.root) if not file.startswith(lacks)}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module, in the revision if the other finders find it in the working tree."""
        if name.partition(".")[0] == self.own:
            return None
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in self._others())), None)
        if spec is None:
            return None
        if spec.origin is None and spec.submodule_search_locations is not None:
            places = [(Path(now), self._then(Path(now))) for now in spec.submodule_search_locations]
            spec.submodule_search_locations = [str(then if then.is_dir() else now) for now, then in places]
            return spec
        return self._placed(name, spec)

    def _others(self) -> Iterator[MetaPathFinder]:
        return (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))  # type: ignore[misc]

    def _placed(self, name: str, spec: ModuleSpec) -> ModuleSpec:
        """The spec with its file at the revision; ModuleNotFoundError for one of the repository that did not exist."""
        if not spec.has_location or spec.origin is None:
            return spec
        now = Path(spec.origin)
        then = self._then(now)
        if then == now:
            return spec
        if not then.is_file():
            if now.resolve().relative_to(self.revision.root).as_posix() in self._files:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return spec
        folders = None if spec.submodule_search_locations is None else [str(then.parent)]
        return spec_from_file_location(name, then, submodule_search_locations=folders) or spec

    def _then(self, path: Path) -> Path:
        """The place of a path among the revision's files; the path itself where it lies elsewhere."""
        return path if self.revision.holds(str(path)) else self.revision.then(path) or path
