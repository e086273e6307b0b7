"""Providers from entry points, installed as pip would: a package folder beside its metadata."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnninspect.cli.app import run
from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.inputs import InputOptions, make_inputs
from cnninspect.targets.providers import providers
from cnninspect.targets.resolve import resolve

from .conftest import Write

MODULE = """
    from torch import nn

    def names():
        return {"wide", "narrow"}

    def build(name, classes=10):
        return nn.Linear({"wide": 64, "narrow": 4}[name], classes)

    def inputs(name, classes=10):
        return [(1, 64)] if name == "wide" else ["1x4:float64"]
"""

CLASS = """
    class Provider:
        def names(self):
            return ["only"]

        def build(self, name):
            return lambda x: x
"""

LATE = """
    from torch import nn

    def names():
        return ["net"]

    def build(name):
        return nn.Linear(7, 2)

    def inputs_of(model):
        return [f"input=1x{model.in_features}"]
"""

RAISING = """
    def names():
        raise KeyError("database")

    def build(name):
        return None

    class Vague:
        def names(self):
            return ["net"]

        def build(self, name):
            return lambda x: x

        def inputs(self, name):
            return None
"""


@pytest.fixture
def installed(write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write("site/acme_nets.py", MODULE)
    write("site/single_net.py", CLASS)
    write("site/broken_nets.py", "import no_such_package_here")
    write("site/late_nets.py", LATE)
    write("site/poor_nets.py", "def names(): return []")
    write("site/raising_nets.py", RAISING)
    write("site/acme-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    points = [
        "acme = acme_nets",
        "single = single_net:Provider",
        "broken = broken_nets",
        "poor = poor_nets",
        "raising = raising_nets",
        "late = late_nets",
        "vague = raising_nets:Vague",
        "zoo = acme_nets",
    ]
    folder = write("site/acme-1.dist-info/entry_points.txt", "[cnninspect.models]\n" + "\n".join(points)).parent.parent
    with monkeypatch.context() as context:
        context.syspath_prepend(str(folder))
        yield


@pytest.mark.usefixtures("installed")
class TestPlugins:
    def test_they_come_after_the_built_in_providers(self) -> None:
        built_in = [
            "zoo",
            "torchvision",
            "timm",
            "transformers",
            "diffusers",
            "smp",
            "open_clip",
            "monai",
            "ultralytics",
        ]
        assert list(providers())[:9] == built_in
        assert set(list(providers())[9:]) == {"acme", "single", "broken", "poor", "raising", "late", "vague"}

    def test_a_built_in_name_cannot_be_taken(self) -> None:
        assert "nethw" in providers()["zoo"].names()

    def test_names_are_sorted(self) -> None:
        assert providers()["acme"].names() == ["narrow", "wide"]

    @pytest.mark.parametrize(("name", "shape", "dtype"), [("wide", [1, 64], "float32"), ("narrow", [1, 4], "float64")])
    def test_a_model_with_its_inputs(self, name: str, shape: list[int], dtype: str) -> None:
        target = resolve(f"acme:{name}", {"classes": 3})
        inputs = make_inputs(target, target.build("meta"), InputOptions(), "meta")
        assert target.provider == "acme"
        assert inputs.described == ({"name": "0", "shape": shape, "dtype": dtype},)
        assert target.build("meta").weight.shape == (3, shape[1])  # type: ignore[attr-defined]

    def test_a_class_without_inputs(self) -> None:
        target = resolve("single:only")
        with pytest.raises(UsageError, match=r"the inputs of only \(x\) are not known"):
            make_inputs(target, target.build("meta"), InputOptions(), "meta")

    def test_inputs_that_follow_from_the_network(self) -> None:
        target = resolve("late:net")
        inputs = make_inputs(target, target.build("meta"), InputOptions(), "meta")
        assert inputs.described == ({"name": "input", "shape": [1, 7], "dtype": "float32"},)

    def test_an_unknown_name(self) -> None:
        with pytest.raises(UsageError, match=r"no model is called 'wird'\. Nearest: acme:wide"):
            resolve("acme:wird")

    def test_a_wrong_argument(self) -> None:
        with pytest.raises(UsageError, match=r"acme:wide takes no --arg clases\. Nearest: classes"):
            resolve("acme:wide", {"clases": 3})

    def test_a_plugin_that_fails_to_import(self) -> None:
        with pytest.raises(
            LoadError, match=r"the provider 'broken' \(broken_nets\) cannot be loaded: ModuleNotFoundError"
        ):
            resolve("broken:x")

    def test_a_plugin_without_build(self) -> None:
        with pytest.raises(LoadError, match=r"the provider 'poor' \(poor_nets\) has no function `build`"):
            resolve("poor:x")

    def test_a_plugin_whose_names_raise(self) -> None:
        with pytest.raises(LoadError, match=r"'raising' \(raising_nets\) cannot list its names: KeyError"):
            resolve("raising:x")

    def test_a_plugin_whose_inputs_are_none(self) -> None:
        target = resolve("vague:net")
        with pytest.raises(LoadError, match=r"'vague' \(raising_nets:Vague\) cannot say what inputs net takes"):
            make_inputs(target, target.build("meta"), InputOptions(), "meta")

    def test_the_list_goes_on_without_broken_plugins(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["models", "acme:"]) == 0
        listed = capsys.readouterr()
        assert listed.out == "acme:narrow\nacme:wide\n"
        assert [line.partition(" (")[0] for line in listed.err.splitlines() if "the provider" in line] == [
            f"cnninspect: note: the provider '{name}'" for name in ("broken", "poor", "raising")
        ]
