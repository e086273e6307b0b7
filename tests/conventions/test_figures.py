"""The page of published figures holds what `reconcile` says: a sample here, every row under the `sweep` marker."""

from __future__ import annotations

import pytest
import torch

from cnninspect import inspect_model
from cnninspect.targets.torchvision_ops import import_torchvision
from tests.conventions.figures import FIGURES, PAGE, row, says

SAMPLE = ["googlenet --params 6.6M", "mobilenet_v2 --macs 320M", "alexnet --params 60M", "vit_b_16 --params 86M"]


def check(figure):
    assert row(figure, says(figure)) in PAGE.read_text().splitlines()


@pytest.mark.parametrize("figure", [each for each in FIGURES if each.key in SAMPLE], ids=lambda each: each.key)
def test_a_sample_of_the_page(figure):
    check(figure)


@pytest.mark.sweep
@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: each.key)
def test_every_row_of_the_page(figure):
    check(figure)


def test_every_row_has_a_figure():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `") and "--" in line]
    assert len(rows) == len(FIGURES)
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)


@pytest.mark.parametrize(("name", "macs"), [("resnet50", 3_857_973_248), ("resnet101", 7_570_194_432)])
def test_resnets_with_the_strides_of_the_paper(name, macs):
    """The page quotes these. The numbers are half of what torch's FlopCounterMode counts for the changed networks."""
    import_torchvision()
    from torchvision import models

    with torch.device("meta"):
        model = getattr(models, name)().eval()
    for block in model.modules():
        if isinstance(block, models.resnet.Bottleneck) and block.stride != 1:
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    assert inspect_model(model, (1, 3, 224, 224), device="meta").total("macs").value == macs
    assert f"{macs:,}" in PAGE.read_text(encoding="utf-8")


def test_a_resnet_34_without_projections():
    """The page quotes it: the network, and the three 1x1 convolutions of its shortcuts from one width to the double."""
    macs = inspect_model("torchvision:resnet34", device="meta").total("macs").value
    assert (
        macs - sum(width * 2 * width * side * side for width, side in ((64, 28), (128, 14), (256, 7))) == 3_644_493_824
    )
    assert "3,644,493,824" in PAGE.read_text(encoding="utf-8")
