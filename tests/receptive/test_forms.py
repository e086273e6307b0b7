"""The two forms agree: where the borders of the image play no part the endless form is the exact one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.fields import intervals
from cnninspect.trace.recorder import record
from tests.receptive import literature

Model = nn.Module | Callable[..., Any]


def residual(x: Tensor) -> Tensor:
    strided = F.conv2d(x, torch.ones(1, 1, 5, 5), stride=4, padding=2)
    return F.max_pool2d(literature.AlignedBranches()(x) + strided, 3, 1, 1)


def windows(x: Tensor) -> Tensor:
    """A transposed convolution, windows of 4 in both directions, every second position, and a convolution."""
    x = F.conv_transpose2d(x, torch.ones(1, 1, 3, 3), stride=2)[:, :, :128, :128]
    parts = x.view(-1, 32, 4, 32, 4).permute(0, 1, 3, 2, 4).reshape(-1, 16)
    mixed = parts.softmax(1).view(-1, 32, 32, 4, 4).permute(0, 1, 3, 2, 4).reshape(1, 1, 128, 128)
    return F.conv2d(mixed[:, :, ::2, ::2], torch.ones(1, 1, 3, 3), dilation=2)


def shuffled(x: Tensor) -> Tensor:
    y = F.pixel_shuffle(F.conv2d(x, torch.ones(4, 1, 3, 3), padding=1), 2)
    wide = F.avg_pool2d(F.interpolate(y, scale_factor=1.5, mode="bilinear"), 2)
    return wide + F.interpolate(x, scale_factor=1.5)


NETWORKS = [
    pytest.param(literature.UNet(2, 1, literature.up_conv), (1, 1, 128, 128), id="unet-up-conv"),
    pytest.param(literature.UNet(3, 1, literature.upsample("bilinear")), (1, 1, 256, 256), id="unet-bilinear"),
    pytest.param(literature.tcn(3), (1, 4, 128), id="tcn"),
    pytest.param(residual, (1, 1, 96, 96), id="branches"),
    pytest.param(windows, (1, 1, 64, 64), id="windows"),
    pytest.param(shuffled, (1, 1, 64, 64), id="shuffled-and-resampled"),
]


def completed(part: Bounds) -> np.ndarray:
    """[2, *shape]: `lo` and `-hi` of every element."""
    return np.broadcast_to(part.dense(), (2, *part.shape))


@pytest.mark.parametrize(("model", "shape"), NETWORKS)
def test_an_endless_field_that_fits_into_the_image_is_exact(model: Model, shape: tuple[int, ...]) -> None:
    if isinstance(model, nn.Module):
        model.eval()
    trace = record(model, (torch.rand(shape),), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    inside = 0
    for call in trace.calls:
        for ref in call.outputs:
            for axis, forms in fields.reach(call, ref).forms.items():
                exact, endless = completed(forms.strict), completed(forms.endless)
                on_image = exact[0] <= -exact[1]
                fits = (endless[0] >= 0) & (-endless[1] < axis.size) & on_image
                np.testing.assert_array_equal(exact[:, fits], endless[:, fits])
                inside += int(fits.sum())
    assert inside
