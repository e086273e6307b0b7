"""Published receptive fields come out, each row with its source."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.receptive.rows import row_fields
from cnninspect.report.rows import ReceptiveField
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace
from tests.receptive import literature

ARAUJO = "Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019"
SLIM = "google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md"
RF_TESTS = "google-research/receptive_field, receptive_field_test.py"
ISOLA = "Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks, section 6.1.2"
ZHANG = "Zhang et al. 2017, Beyond a Gaussian Denoiser, section III: (2d + 1) for depth d"
BAI = "Bai et al. 2018, An Empirical Evaluation of Generic Convolutional and Recurrent Networks: 1 + 2(k-1)(2^n - 1)"
HAND = "by hand: r' = r + (k-1) j along the path of 3x3 convolutions"

IMAGE = (1, 3, 224, 224)


@cache
def vision(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        model = getattr(import_torchvision().models, name)(weights=None)
        assert isinstance(model, nn.Module)
        return model

    build.__name__ = name
    return build


def row(
    build: Callable[[], nn.Module], shape: tuple[int, ...], path: str, size: Any, jump: Any, padding: Any, source: str
) -> Any:
    """A network, a layer, and its size, effective stride and padding: one number for all axes, or one for each."""
    axes = len(shape) - 2
    expected = [value if isinstance(value, tuple) else (value,) * axes for value in (size, jump, padding)]
    name = f"{build.__name__}-{path or 'output'}".replace("<lambda>", source.split()[0])
    return pytest.param(build, shape, path, *expected, source, id=name)


@cache
def built(function: Callable[..., nn.Module], *args: int) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return function(*args)

    build.__name__ = "-".join(map(str, (function.__name__, *args)))
    return build


PUBLISHED = [
    row(vision("alexnet"), IMAGE, "features.12", 195, 32, 66, ARAUJO),
    row(built(literature.slim_alexnet), IMAGE, "12", 195, 32, 64, SLIM),
    row(built(literature.slim_alexnet), IMAGE, "0", 11, 4, 0, SLIM),
    row(built(literature.slim_alexnet), IMAGE, "3", 51, 8, 16, SLIM),
    row(vision("vgg16"), IMAGE, "features.0", 3, 1, 1, SLIM),
    row(vision("vgg16"), IMAGE, "features.4", 6, 2, 2, SLIM),
    row(vision("vgg16"), IMAGE, "features.9", 16, 4, 6, SLIM),
    row(vision("vgg16"), IMAGE, "features.16", 44, 8, 18, SLIM),
    row(vision("vgg16"), IMAGE, "features.23", 100, 16, 42, SLIM),
    row(vision("vgg16"), IMAGE, "features.30", 212, 32, 90, ARAUJO),
    row(vision("inception_v3"), (1, 3, 299, 299), "Mixed_7c", 1311, 32, 618, ARAUJO),
    row(built(literature.caffe_resnet50), IMAGE, "layer4", 483, 32, 241, ARAUJO),
    row(vision("resnet50"), IMAGE, "layer1", 35, 4, 17, HAND + ": 11 + 3*2*4"),
    row(vision("resnet50"), IMAGE, "layer2", 91, 8, 45, HAND + ": 35 + 2*4 + 3*2*8"),
    row(vision("resnet50"), IMAGE, "layer3", 267, 16, 133, HAND + ": 91 + 2*8 + 5*2*16"),
    row(vision("resnet50"), IMAGE, "layer4", 427, 32, 213, HAND + ": 267 + 2*16 + 2*2*32"),
    row(vision("resnet18"), IMAGE, "layer1", 43, 4, 21, HAND + ": 11 + 4*2*4"),
    row(vision("resnet18"), IMAGE, "layer2", 99, 8, 49, HAND + ": 43 + 2*4 + 3*2*8"),
    row(vision("resnet18"), IMAGE, "layer3", 211, 16, 105, HAND + ": 99 + 2*8 + 3*2*16"),
    row(vision("resnet18"), IMAGE, "layer4", 435, 32, 217, HAND + ": 211 + 2*16 + 3*2*32"),
    row(vision("resnet34"), IMAGE, "layer1", 59, 4, 29, HAND + ": 11 + 6*2*4"),
    row(vision("resnet34"), IMAGE, "layer2", 179, 8, 89, HAND + ": 59 + 2*4 + 7*2*8"),
    row(vision("resnet34"), IMAGE, "layer3", 547, 16, 273, HAND + ": 179 + 2*8 + 11*2*16"),
    row(vision("resnet34"), IMAGE, "layer4", 899, 32, 449, HAND + ": 547 + 2*16 + 5*2*32"),
    row(built(literature.patch_gan, 1), (1, 3, 64, 64), "", 16, 2, 5, ISOLA + "; padding 1 + 2 + 2"),
    row(built(literature.patch_gan, 2), (1, 3, 128, 128), "", 34, 4, 11, ISOLA + "; padding 1 + 2 + 4 + 4"),
    row(built(literature.patch_gan, 3), (1, 3, 256, 256), "", 70, 8, 23, ISOLA + "; padding 1 + 2 + 4 + 8 + 8"),
    row(built(literature.dncnn, 17), (1, 1, 64, 64), "", 35, 1, 17, ZHANG),
    row(built(literature.tcn, 4), (1, 4, 1100), "", 61, 1, 60, BAI),
    row(built(literature.tcn, 6), (1, 4, 1100), "", 253, 1, 252, BAI),
    row(built(literature.tcn, 8), (1, 4, 1100), "", 1021, 1, 1020, BAI),
    row(built(literature.AlignedBranches), (1, 1, 32, 32), "", 3, 4, 1, RF_TESTS),
    row(built(literature.AlignedTwice), (1, 1, 64, 64), "", 11, 8, 5, RF_TESTS),
    row(built(literature.oblong_kernels), (1, 1, 32, 32), "", (7, 5), 4, 0, RF_TESTS),
]


@pytest.mark.parametrize(("build", "shape", "path", "size", "jump", "padding", "source"), PUBLISHED)
def test_published_field(
    build: Callable[[], nn.Module], shape: tuple[int, ...], path: str, size: Any, jump: Any, padding: Any, source: str
) -> None:
    found = field_at(build, shape, path)
    assert (found.size, found.jump, found.padding) == (size, jump, padding), source


def test_the_original_unet_sees_its_whole_input() -> None:
    """Ronneberger et al. 2015, figure 1: 572 pixels become 388, and the outermost outputs see the outermost pixels."""
    trace = traced(built(literature.original_unet), (1, 1, 572, 572))
    field = intervals(trace, KNOWLEDGE)[trace.outputs[0].value]
    assert field.shape == (1, 2, 388, 388)
    for axis, interval in field.strict.items():
        lo, hi = (np.broadcast_to(end, field.shape)[0, 0].take(0, 1 - axis.index) for end in (interval.lo, interval.hi))
        assert (lo[0], hi[387]) == (0, 571)


def field_at(build: Callable[[], nn.Module], shape: tuple[int, ...], path: str) -> ReceptiveField:
    """The published form of the field of the first call of a module."""
    trace = traced(build, shape)
    call = next(call for call in trace.calls if call.path == path and not call.functional)
    field = row_fields(intervals(trace, KNOWLEDGE))[call.index]
    assert field is not None
    return field


@cache
def traced(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> Trace:
    with torch.device("meta"):
        return record(build().eval(), (torch.empty(shape),), {}, layer_of, device="meta")
