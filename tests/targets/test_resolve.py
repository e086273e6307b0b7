"""Names: the order of lookup, the nearest names of a misspelt one, and packages that are not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cnninspect.errors import LoadError, MissingPackage, UsageError, nearest
from cnninspect.targets.resolve import resolve


@pytest.mark.parametrize(
    ("spec", "provider"),
    [
        pytest.param("nethw", "zoo", id="only-in-the-zoo"),
        pytest.param("resnet18", "torchvision", id="in-torchvision-and-timm"),
        pytest.param("resnet26", "timm", id="only-in-timm"),
        pytest.param("timm:resnet18", "timm", id="asked-for"),
        pytest.param("resnet50.a1_in1k", "timm", id="tag-of-timm"),
    ],
)
def test_the_first_provider_that_has_the_name(spec: str, provider: str) -> None:
    target = resolve(spec)
    assert (target.spec, target.provider, target.name) == (spec, provider, spec.rpartition(":")[2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(
            "resnet_18",
            "no model is called 'resnet_18'. Nearest: torchvision:resnet18, timm:resnet18, timm:resnet18d. "
            "`cnninspect models resnet` lists more.",
            id="misspelt",
        ),
        pytest.param("ResNet18", "Nearest: torchvision:resnet18, timm:resnet18, ", id="case"),
        pytest.param("nethv", "Nearest: zoo:nethw", id="zoo"),
        pytest.param("timm:alexnet", "no model is called 'alexnet'. ", id="asked-in-the-wrong-place"),
        pytest.param("zoo:resnet18", "no model is called 'resnet18'. Nearest: zoo:resnet", id="asked-in-one-place"),
        pytest.param("qqqqqqqq", "no model is called 'qqqqqqqq'. `cnninspect models` lists them.", id="nothing-near"),
        pytest.param("qqqq.zzzz.Wwww", "A model from a module is qqqq.zzzz:Wwww.", id="module-without-colon"),
    ],
)
def test_unknown_names(spec: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "names", "expected"),
    [
        pytest.param("conv_1", ["conv1", "conv2", "fc"], ["conv1", "conv2"], id="separators-do-not-count"),
        pytest.param("NET", ["net", "nets"], ["net", "nets"], id="case-does-not-count"),
        pytest.param("net", ["b:net", "a:net"], ["b:net", "a:net"], id="equals-keep-their-order"),
        pytest.param("abcd", ["abce", "abcf", "abcg", "abch"], ["abce", "abcf", "abcg"], id="three"),
        pytest.param("abcd", ["wxyz", ""], [], id="none"),
    ],
)
def test_nearest(wrong: str, names: list[str], expected: list[str]) -> None:
    assert nearest(wrong, names) == expected


TIMM = r"timm is not installed\. `python -m pip install torchvision timm` brings it\."
TORCHVISION = r"torchvision is not installed\. `python -m pip install torchvision` brings it\."


def test_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingPackage, match=TIMM):
        resolve("timm:resnet18")
    assert resolve("resnet18").provider == "torchvision"
    with pytest.raises(UsageError, match=rf"no model is called 'resnet_18'\. Nearest: torchvision:resnet18, .*{TIMM}"):
        resolve("resnet_18")


def test_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingPackage, match=TORCHVISION) as caught:
        resolve("torchvision:resnet18")
    assert isinstance(caught.value, LoadError)
    assert resolve("nethw").provider == "zoo"
    with pytest.raises(UsageError, match=rf"no model is called 'resnet18'\. .*{TORCHVISION}"):
        resolve("resnet18")


def test_a_name_imports_no_more_than_it_needs() -> None:
    """The zoo comes without torchvision, and torchvision without timm."""
    script = """
import sys
from cnninspect.targets.resolve import resolve
resolve("nethw").build("meta")
print("torchvision" in sys.modules)
resolve("alexnet").build("meta")
print("torchvision" in sys.modules, "timm" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True", "False"]
