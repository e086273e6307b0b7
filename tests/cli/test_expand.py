"""Groups of options as dataclasses."""

import inspect
from dataclasses import dataclass, field
from typing import Annotated

from cnninspect.cli.app import expanded


@dataclass(frozen=True)
class Size:
    height: Annotated[int, "help"] = 3
    names: list[str] = field(default_factory=list)


def command(target: str, size: Size) -> tuple[str, Size]:
    """What it does."""
    return target, size


def test_a_group_becomes_one_keyword_per_field():
    parameters = inspect.signature(expanded(command)).parameters
    assert list(parameters) == ["target", "height", "names"]
    assert parameters["height"].annotation == Annotated[int, "help"]
    assert (parameters["height"].default, parameters["names"].default) == (3, [])
    assert parameters["target"].default is inspect.Parameter.empty


def test_the_command_gets_its_groups():
    assert expanded(command)(target="x", height=5, names=["a"]) == ("x", Size(5, ["a"]))


def test_name_and_help_stay():
    assert (expanded(command).__name__, expanded(command).__doc__) == ("command", "What it does.")
