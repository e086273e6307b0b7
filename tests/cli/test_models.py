"""`cnninspect models`."""

import pytest

from cnninspect.cli.app import side_by_side
from cnninspect.errors import MissingPackage
from cnninspect.render.page import Screen


class Provider:
    def __init__(self, name, names, missing=False):
        self.name, self._names, self._missing = name, names, missing

    def names(self):
        if self._missing:
            raise MissingPackage("timm is not installed.")
        return self._names


@pytest.fixture
def providers(monkeypatch):
    found = [
        Provider("zoo", ["lenet5", "resnet32"]),
        Provider("torchvision", ["resnet18", "vgg16"]),
        Provider("timm", [], True),
    ]
    monkeypatch.setattr("cnninspect.targets.providers.providers", lambda: {each.name: each for each in found})


PATTERNS = [
    ("everything", [], ["zoo:lenet5", "zoo:resnet32", "torchvision:resnet18", "torchvision:vgg16"]),
    ("part of a name", ["ResNet"], ["zoo:resnet32", "torchvision:resnet18"]),
    ("provider", ["torchvision:"], ["torchvision:resnet18", "torchvision:vgg16"]),
    ("pattern of a name", ["res*2"], ["zoo:resnet32"]),
    ("pattern with provider", ["torchvision:*1[68]"], ["torchvision:resnet18", "torchvision:vgg16"]),
]


@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(("pattern", "names"), [case[1:] for case in PATTERNS], ids=[case[0] for case in PATTERNS])
def test_names_by_provider(cli, pattern, names):
    result = cli("models", *pattern)
    assert (result.code, result.out.split()) == (0, names)
    assert result.err == "cnninspect: note: timm is not installed.\n"


@pytest.mark.usefixtures("providers")
def test_no_match_names_the_nearest(cli):
    result = cli("-q", "models", "resnett18")
    assert (result.code, result.out) == (2, "")
    assert result.err == "cnninspect: no model matches 'resnett18'. Nearest: torchvision:resnet18, zoo:resnet32.\n"


def test_names_of_the_zoo_are_targets(cli):
    result = cli("models", "zoo:lenet*")
    assert result.out == "zoo:lenet5\n"
    assert cli("summary", "zoo:lenet5", "-q").code == 0


@pytest.mark.usefixtures("providers")
def test_a_terminal_has_them_in_columns_by_provider_with_their_number(cli, monkeypatch):
    monkeypatch.setattr("cnninspect.cli.app.Screen.of", lambda _: Screen(30))
    assert cli("-q", "models").out == (
        "zoo:\n  lenet5    resnet32\n\ntorchvision:\n  resnet18  vgg16\n\n"
        "4 models: zoo 2, torchvision 2. Each is a TARGET, as zoo:lenet5.\n"
    )
    narrow = cli("-q", "models", "zoo:").out
    assert narrow.startswith("zoo:\n  lenet5    resnet32\n")


def test_names_go_down_the_columns_and_no_line_is_too_long():
    text = side_by_side([f"timm:{'x' * size}" for size in range(1, 8)], 20)
    assert text.splitlines()[1:5] == ["  x        xxxxx", "  xx       xxxxxx", "  xxx      xxxxxxx", "  xxxx"]


@pytest.mark.parametrize(
    ("command", "offered"),
    [("models", "table, json"), ("config", "table, json"), ("solve", "table, json, csv, markdown, html")],
)
def test_a_wrong_format_lists_those_that_the_command_writes(cli, command, offered):
    result = cli(command, "-f", "yaml")
    assert (result.code, result.out) == (2, "")
    assert f"'yaml' is not one of {offered}. `cnninspect {command} --help`" in result.err
