"""timm models of many families: every row verified, the total equal to torch's own FlopCounterMode."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnninspect import inspect_model
from cnninspect.targets.torchvision_ops import import_torchvision
from tests.timm_models import EXCEPTIONS, SPREAD

import_torchvision()

import timm  # noqa: E402


def independent_macs(name: str) -> int:
    """FlopCounterMode over a model that timm built on meta; it counts two FLOPs for a MAC."""
    with torch.device("meta"):
        model = timm.create_model(name, pretrained=False).eval()
        image = torch.empty(1, *model.default_cfg["input_size"])
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        model(image)
    return counter.get_total_flops() // 2


def check(name):
    report = inspect_model(f"timm:{name}")
    unverified = {
        (row.label, number): quantity.verdict.value
        for row in report.rows
        for number, quantity in row.quantities.items()
        if quantity.verdict.value not in ("match", "not_run")
    }
    assert not unverified
    assert report.totals["macs"].value == report.totals["macs"].measured["torch"]
    return report


@pytest.mark.parametrize("name", SPREAD)
def test_a_spread_of_families(name):
    check(name)


@pytest.mark.parametrize("name", ["efficientnet_b0", "vit_tiny_patch16_224", "nfnet_l0", "mixer_s32_224"])
def test_the_total_is_flop_counter_mode_s(name):
    assert check(name).totals["macs"].value == independent_macs(name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", [name for name in timm.list_models() if name not in EXCEPTIONS])
def test_every_model(name):
    check(name)
