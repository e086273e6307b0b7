"""Models saved by torch.export.save."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch.export import ExportedProgram

from cnninspect.errors import LoadError
from cnninspect.targets.placing import placed
from cnninspect.targets.providers import Model
from cnninspect.targets.sources import Source
from cnninspect.targets.specs import Given


class ArchiveSource(Source):
    """A `.pt2` file."""

    def __init__(self, path: Path):
        self.path = path

    def build(self, device: str, dtype: str | None) -> tuple[Model, Sequence[str]]:
        """The exported program, with the module paths it was exported from."""
        return placed(torch.export.unflatten(self._program), device, dtype), ()

    def default_inputs(self) -> Given:
        """The example inputs that were exported with it."""
        args, kwargs = self._program.example_inputs or ((), {})
        return Given(tuple(args), kwargs)

    @cached_property
    def _program(self) -> ExportedProgram:
        try:
            return torch.export.load(self.path)
        except Exception as error:
            raise LoadError(f"{self.path} is no archive of torch.export ({type(error).__name__}: {error}).") from error
