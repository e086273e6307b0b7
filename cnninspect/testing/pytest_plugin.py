"""The pytest plugin: fixture and marker `cnninspect`, and baselines beside the tests.

pytest loads it at every start, so it does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from cnninspect.testing import FOLDER, Snapshots, current

_NAME = "cnninspect"
_OPTION = "--update-cnninspect-baselines"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Lets tests import a torchvision whose compiled operators do not fit the installed torch."""
    from cnninspect.targets.torchvision_ops import tolerate_missing_operators

    tolerate_missing_operators()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that writes baselines."""
    parser.getgroup(_NAME).addoption(
        _OPTION,
        action="store_true",
        help="write the baselines of assert_matches_baseline instead of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{_NAME}: a test about a network; set for tests that use the fixture {_NAME}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the fixture before pytest selects by markers."""
    for item in items:
        if _NAME in getattr(item, "fixturenames", ()):
            item.add_marker(_NAME)


def pytest_report_header(config: pytest.Config) -> str | None:
    """A header line for runs that write baselines, because their assertions always pass."""
    return "cnninspect: baselines are written, not compared" if config.getoption(_OPTION) else None


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    """Sets the folder of named baselines to `baselines` beside the running test's file."""
    token = current.set(Snapshots(item.path.parent / FOLDER, bool(item.config.getoption(_OPTION))))
    try:
        yield
    finally:
        current.reset(token)


@pytest.fixture(scope="session", name=_NAME)
def _cnninspect() -> Callable[..., Any]:
    """`cnninspect.inspect_model`, imported on first use: `cnninspect(model, (1, 3, 32, 32))` returns a report."""
    from cnninspect import inspect_model

    return inspect_model
