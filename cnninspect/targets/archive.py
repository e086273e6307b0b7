"""Models saved by torch.export.save."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.construct import placed
from cnninspect.targets.grammar import Given
from cnninspect.targets.target import Built, Source
from cnninspect.trace.private_torch import tree_structure, tree_unflatten


class ArchiveSource(Source):
    """A `.pt2` file."""

    def __init__(self, path: Path):
        self.path = path

    def build(self, device: str, dtype: str | None) -> Built:
        """The exported program as modules with the paths and class names that it was exported from."""
        with _quiet():
            model: nn.Module = torch.export.unflatten(self._program)
            _name_classes(model)
            return placed(model, device, dtype), ()

    def default_inputs(self) -> Given:
        """The example inputs that were exported with it."""
        args, kwargs = self._program.example_inputs or ((), {})
        return Given(tuple(args), kwargs)

    def check_inputs(self, name: str, given: Given) -> None:
        """Raises UsageError unless the inputs have the structure and names of the export; torch would only print it."""
        expected = self._program.call_spec.in_spec
        if expected is None:
            return
        args, kwargs = tree_unflatten(range(expected.num_leaves), expected)
        if tree_structure(args) == tree_structure(given.args) and kwargs.keys() == given.kwargs.keys():
            return
        named = "".join(f", {keyword}" for keyword in kwargs)
        raise UsageError(
            f"the inputs do not fit {name}, which was exported for ({len(args)} positional{named}). "
            "Give --input for each of them, in this order or as NAME=SHAPE."
        )

    @cached_property
    def _program(self) -> ExportedProgram:
        try:
            with _quiet():
                return torch.export.load(self.path)
        except Exception as error:
            raise LoadError(
                f"{self.path} is not an archive that torch {torch.__version__} can load. "
                "Save the model with torch.export.save."
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses torch.export's warnings about its internals and its logged tracebacks."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _name_classes(model: nn.Module) -> None:
    """Gives each module a class with the name of the exported class; the module still runs its own graph."""
    for module in model.modules():
        original = getattr(module, "type_name", lambda: None)()
        if original:
            module.__class__ = type(original.rpartition(".")[2], (type(module),), {})
