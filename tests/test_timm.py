"""timm models of many families: every row verified, the total equal to torch's own FlopCounterMode."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cnninspect import inspect_model
from cnninspect.targets.torchvision_ops import import_torchvision
from tests.timm_models import SPREAD
from tests.unverified import unverified

import_torchvision()

import timm  # noqa: E402


def independent_macs(name: str, shape: list[int]) -> int:
    """FlopCounterMode over a model that timm built on meta; it counts two FLOPs for a MAC."""
    with torch.device("meta"):
        # The mode's module tracker asserts on some views of parameters that require gradients.
        model = timm.create_model(name, pretrained=False).eval().requires_grad_(False)
        image = torch.empty(shape)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):
        model(image)
    return counter.get_total_flops() // 2


def check_total(name):
    report = inspect_model(f"timm:{name}")
    assert not unverified(report)
    (image,) = report.run["inputs"]
    assert report.totals["macs"].value == independent_macs(name, image["shape"])


SLOW = {"sequencer2d_s"}
"""24 bidirectional LSTMs along rows and columns: op by op on meta it takes as long as all others together."""


def _sweep_but_every_third(names):
    in_sweep = [name for index, name in enumerate(names) if index % 3 or name in SLOW]
    return [pytest.param(name, marks=pytest.mark.sweep if name in in_sweep else ()) for name in names]


@pytest.mark.parametrize("name", _sweep_but_every_third(SPREAD))
def test_a_spread_of_families(name):
    assert not unverified(inspect_model(f"timm:{name}"))


@pytest.mark.parametrize("name", ["efficientnet_b0", "vit_tiny_patch16_224", "nfnet_l0", "mixer_s32_224"])
def test_the_total_is_flop_counter_mode_s(name):
    check_total(name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", timm.list_models())
def test_every_model(name):
    check_total(name)
