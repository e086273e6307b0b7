"""Parse what the user typed as TARGET, without importing torch or touching the file it names."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cnninspect.errors import UsageError

BUILT_IN = ("zoo", "torchvision", "timm")
"""The providers that come with the package, in the order in which a bare name is looked up."""

PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".tar")
WEIGHTS = (".safetensors", ".npz", ".h5")
FORMS = "NAME, PROVIDER:NAME, package.module:attr, file.py:attr or model.pt2"

_FILE = re.compile(r"(?P<path>.+\.py):(?P<attr>.*)", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAME = re.compile(r"[\w.\-]+")


@dataclass(frozen=True)
class Named:
    """A name that providers know; `provider` None asks each in turn."""

    name: str
    provider: str | None = None


@dataclass(frozen=True)
class FromModule:
    """The attribute `attr` of an importable module."""

    module: str
    attr: str


@dataclass(frozen=True)
class FromFile:
    """The attribute `attr` of a Python file."""

    path: Path
    attr: str


@dataclass(frozen=True)
class Archive:
    """A model saved by torch.export."""

    path: Path


Reference = Named | FromModule | FromFile | Archive


def parse_target(spec: str, plugins: Collection[str] = ()) -> Reference:
    """What `spec` refers to; `plugins` are the names of further providers. Raises UsageError."""
    text = spec.strip()
    if not text:
        raise UsageError(f"the target is empty. A target is {FORMS}.")
    if match := _FILE.fullmatch(text):
        return FromFile(Path(match["path"]), _attribute(text, match["attr"]))
    left, colon, right = text.partition(":")
    if colon and (left in BUILT_IN or left in plugins):
        return Named(_name(text, right), left)
    _refuse_other_files(text)
    if text.lower().endswith(".pt2"):
        return Archive(Path(text))
    if colon and _ATTRIBUTE.fullmatch(left):
        return FromModule(left, _attribute(text, right))
    if colon:
        raise UsageError(f"{text!r} cannot be read: {left!r} is not a Python file or module. A target is {FORMS}.")
    return Named(_name(text, text))


def _refuse_other_files(text: str) -> None:
    """UsageError for files that hold no network, or one that cannot be loaded safely."""
    suffix = Path(text).suffix.lower()
    if suffix in PICKLES:
        raise UsageError(
            f"{text!r} is a pickle: loading it can run any code, and it usually holds weights without the network. "
            "Name the code that builds the network (file.py:attr), or save it with torch.export.save as model.pt2."
        )
    if suffix in WEIGHTS:
        raise UsageError(f"{text!r} holds weights, not a network. Name the code that builds it, as file.py:attr.")
    if suffix == ".json":
        raise UsageError(f"{text!r} is a saved report. Only `compare` takes one.")
    if suffix == ".py":
        raise UsageError(f"{text!r} does not say what to take from the file. Add it after a colon: {text}:Net.")


def _attribute(text: str, attr: str) -> str:
    if not _ATTRIBUTE.fullmatch(attr):
        raise UsageError(f"{text!r}: {attr!r} is not the name of a class, function or model. A target is {FORMS}.")
    return attr


def _name(text: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{text!r}: {name!r} is not the name of a model. A target is {FORMS}.")
    return name
