"""timm's models; sizes and parameter counts are those that timm's results tables publish."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.inputs import InputOptions, make_inputs
from cnninspect.targets.resolve import resolve

CASES = [
    # name, arguments, published million params (None for a changed model), input
    ("resnet18", {}, 11.69, [1, 3, 224, 224]),
    ("resnet50.a1_in1k", {}, 25.56, [1, 3, 224, 224]),
    ("efficientnet_b0", {}, 5.29, [1, 3, 224, 224]),
    ("inception_v4", {}, 42.68, [1, 3, 299, 299]),
    ("vit_base_patch16_384", {}, 86.86, [1, 3, 384, 384]),
    ("vit_tiny_patch16_224", {"img_size": 96}, None, [1, 3, 96, 96]),
    ("vit_tiny_patch16_224", {"img_size": (64, 96)}, None, [1, 3, 64, 96]),
    ("resnet18", {"in_chans": 1}, None, [1, 1, 224, 224]),
]


@pytest.mark.parametrize(
    ("name", "arguments", "millions", "shape"), CASES, ids=[f"{n}{a or ''}" for n, a, _, _ in CASES]
)
def test_models(name: str, arguments: dict[str, Any], millions: float | None, shape: list[int]) -> None:
    target = resolve(f"timm:{name}", arguments)
    assert (target.provider, target.name) == ("timm", name)
    model = target.build("meta")
    assert isinstance(model, nn.Module)
    inputs = make_inputs(target, model, InputOptions(), "meta")
    assert [item["shape"] for item in inputs.described] == [shape]
    assert model.eval()(*inputs.args).shape == (1, 1000)
    if millions is not None:
        assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == millions


def test_weights_are_never_fetched() -> None:
    with pytest.raises(UsageError, match="--arg pretrained would download weights"):
        resolve("timm:resnet18", {"pretrained": True}).build("meta")


def test_a_wrong_argument() -> None:
    with pytest.raises(
        LoadError, match=r"timm:resnet18 cannot be built: TypeError: .*unexpected keyword argument 'width'\.$"
    ):
        resolve("timm:resnet18", {"width": 3}).build("meta")


def test_a_tag_that_does_not_exist() -> None:
    with pytest.raises(LoadError, match=r"timm:resnet18\.nosuchtag cannot be built"):
        resolve("timm:resnet18.nosuchtag").build("meta")
