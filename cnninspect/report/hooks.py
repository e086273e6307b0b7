"""Where a report looks outward: to the rooms that show it and hold it against something.

Imports point towards `report/`, which imports no other room. `print(report)` and `report.assert_within(...)` still need
a renderer and an assertion. Each is a hook: the package fills it with a dotted name (`cnninspect/__init__.py`), and the
name is imported when the hook is first called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Hook:
    """A function of an outer room, imported when it is called."""

    def __init__(self, purpose: str):
        self.purpose = purpose
        self._name = ""

    def fill(self, name: str) -> None:
        """Name the function: `package.module:function`."""
        self._name = name

    @property
    def function(self) -> Any:
        """The function itself; RuntimeError if no room has named one."""
        if not self._name:
            raise RuntimeError(f"nothing is registered that gives {self.purpose}")
        module, _, name = self._name.partition(":")
        return getattr(import_module(module), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        __tracebackhide__ = True
        return self.function(*args, **kwargs)


text = Hook("a document as plain text")
html = Hook("a document as HTML for a notebook")
assert_matches_formulas = Hook("the assertion that formulas and measurements agree")
assert_within = Hook("the assertion that budgets hold")
assert_matches_baseline = Hook("the assertion that a baseline holds")
