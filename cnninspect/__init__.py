"""cnninspect: the numbers of a network, each from a formula and from a measurement.

    >>> from cnninspect import inspect_model
    >>> report = inspect_model("resnet18")
    >>> report.totals["macs"].value
    1814073344

Torch is imported when the first model is inspected, not with the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnninspect.errors import CnninspectError
from cnninspect.report.document import HOOKS, Report
from cnninspect.version import __version__

if TYPE_CHECKING:
    from cnninspect.inspection.pipeline import inspect_model

__all__ = ["CnninspectError", "Report", "__version__", "inspect_model"]

HOOKS["text"].fill("cnninspect.render:render_text")
HOOKS["html"].fill("cnninspect.render.html:fragment")
HOOKS["dataframe"].fill("cnninspect.render.sections:dataframe")
HOOKS["assert_matches_formulas"].fill("cnninspect.testing:assert_matches_formulas")
HOOKS["assert_within"].fill("cnninspect.testing:assert_within")
HOOKS["assert_matches_baseline"].fill("cnninspect.testing:assert_matches_baseline")


def __getattr__(name: str) -> Any:
    if name == "inspect_model":
        from cnninspect.inspection.pipeline import inspect_model

        return inspect_model
    raise AttributeError(f"module 'cnninspect' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
