"""What each form of TARGET refers to, and what is refused. Expectations restate the contract's list of forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnninspect.errors import UsageError
from cnninspect.targets.grammar import Archive, FromFile, FromModule, Named, parse_target


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param("resnet18", Named("resnet18"), id="name"),
        pytest.param("custom-alexnet", Named("custom-alexnet"), id="name-with-dash"),
        pytest.param("resnet50.a1_in1k", Named("resnet50.a1_in1k"), id="name-with-tag"),
        pytest.param(" resnet18 ", Named("resnet18"), id="spaces-around"),
        pytest.param("zoo:nethw", Named("nethw", "zoo"), id="zoo"),
        pytest.param("torchvision:resnet18", Named("resnet18", "torchvision"), id="torchvision"),
        pytest.param("timm:resnet50.a1_in1k", Named("resnet50.a1_in1k", "timm"), id="timm-with-tag"),
        pytest.param("acme:tiny", Named("tiny", "acme"), id="plugin"),
        pytest.param("acme.nets:tiny", FromModule("acme.nets", "tiny"), id="module-named-like-a-plugin"),
        pytest.param("mynets:Net", FromModule("mynets", "Net"), id="module"),
        pytest.param("pkg.sub.mod:models.Net", FromModule("pkg.sub.mod", "models.Net"), id="dotted-attribute"),
        pytest.param("net.py:Net", FromFile(Path("net.py"), "Net"), id="file"),
        pytest.param("a/b c/net.py:make", FromFile(Path("a/b c/net.py"), "make"), id="file-in-a-folder"),
        pytest.param(r"C:\nets\net.py:Net", FromFile(Path(r"C:\nets\net.py"), "Net"), id="windows-file"),
        pytest.param("net.py:zoo.Net", FromFile(Path("net.py"), "zoo.Net"), id="file-dotted-attribute"),
        pytest.param("out/model.pt2", Archive(Path("out/model.pt2")), id="archive"),
        pytest.param(r"C:\out\model.PT2", Archive(Path(r"C:\out\model.PT2")), id="windows-archive"),
    ],
)
def test_forms(spec: str, expected: object) -> None:
    assert parse_target(spec, plugins=["acme"]) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("", "the target is empty", id="empty"),
        pytest.param("  ", "the target is empty", id="blank"),
        pytest.param("net.py", r"does not say what to take from the file. Write net.py:Net", id="no-attr"),
        pytest.param("net.py:", "'' is not the name of a class", id="empty-attribute"),
        pytest.param("net.py:2Net", "'2Net' is not the name of a class", id="attribute-is-no-identifier"),
        pytest.param("mod:a b", "'a b' is not the name of a class", id="attribute-with-space"),
        pytest.param("timm:", "'' is not the name of a model", id="empty-name"),
        pytest.param("timm:hf-hub:timm/resnet18", "is not the name of a model", id="remote-model"),
        pytest.param("dir/net", "there is no file or folder 'dir/net' here", id="path-without-suffix"),
        pytest.param("dir/net.txt:Net", "'dir/net.txt' is not a Python file or module", id="other-file"),
        pytest.param("saved.json", "is a saved report. Only `compare` takes one", id="report"),
        pytest.param("w.safetensors", "holds weights, not a network", id="safetensors"),
    ],
)
def test_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_target(spec)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".PTH", ".pth.tar"])
def test_pickles_are_refused_with_a_reason_and_a_way_out(suffix: str) -> None:
    with pytest.raises(
        UsageError, match=r"is a pickle or TorchScript: loading it can run any code.*file\.py:attr.*torch\.export\.save"
    ):
        parse_target(f"runs/best{suffix}")
