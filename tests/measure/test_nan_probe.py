"""The NaN probe finds what arithmetic by hand says, however the model treats batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.measure.masks import Mask
from cnninspect.measure.nan_probe import Probe, Region, probe_nan
from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Trace


def pixel(*index: int, channels: int = 1) -> Region:
    """One pixel of the input "0" in every channel of its only sample."""
    return Region("0", (0, 0, *index), (0, channels - 1, *index))


def probe(
    model: Callable[..., Any], x: Tensor, regions: list[Region], *, onednn: bool = False, **kwargs: Any
) -> tuple[Trace, Probe]:
    trace = record(model, (x,), kwargs, layer_of, device="cpu")
    return trace, probe_nan(trace, model, (x,), kwargs, layer_of, regions, onednn=onednn)


def reacted(found: tuple[Trace, Probe], kind: str, region: int = 0) -> list[list[int]]:
    """The positions of the only output of the only call of `kind` that reacted, without batch and channel."""
    trace, seen = found
    call = next(call for call in trace.calls if call.kind == kind)
    mask = seen.masks[call.index][0]
    assert mask is not None
    whole = np.broadcast_to(mask, (len(seen.regions), *call.outputs[0].shape))[region]
    return np.argwhere(whole[0].any(0)).tolist()


class OneSample(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool1d(x.view(1, 1, 8), 2)


class Centred(nn.Module):
    """Mixes its samples: a batch would tell every copy what happened to the others."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool1d(x - x.mean(0), 2)


class Pairs(nn.Module):
    """Compares every sample with every other."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.avg_pool1d(x, 2)
        return y.flatten(1) @ y.flatten(1).T


class AddsToFirst(nn.Module):
    """Adds with an index for one sample: in a batch `scatter_add` would do so for the first copy alone."""

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool1d(x, 2)
        return pooled.scatter_add(2, torch.tensor([[[3]]]), pooled)


class Conjugated(nn.Module):
    """Returns tensors that only say of their numbers that the imaginary part, or all, changes its sign."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool1d(torch.complex(x, x).conj().imag, 2)


class Mapped(nn.Module):
    """Written for one sample; its calls return tensors that hide the batch."""

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = torch.vmap(lambda sample: F.avg_pool1d(sample, 2))(x)
        return pooled


MODELS = [
    pytest.param(nn.AvgPool1d(2), "AvgPool1d", id="batch"),
    pytest.param(OneSample(), "F.avg_pool1d", id="takes-one-sample"),
    pytest.param(Centred(), "F.avg_pool1d", id="mixes-samples"),
    pytest.param(Pairs(), "F.avg_pool1d", id="pairs-of-samples"),
    pytest.param(Conjugated(), "F.avg_pool1d", id="conjugated"),
    pytest.param(Mapped(), "F.avg_pool1d", id="mapped-over-samples"),
]


@pytest.mark.parametrize(("model", "kind"), MODELS)
def test_a_pixel_reaches_the_one_window_that_holds_it(model: nn.Module, kind: str) -> None:
    found = probe(model, torch.rand(1, 1, 8), [pixel(5), pixel(0)])
    assert reacted(found, kind, 0) == [[2]]  # windows of two: 5 lies in [4, 5]
    assert reacted(found, kind, 1) == [[0]]


def test_what_is_done_to_one_sample_is_seen() -> None:
    found = probe(AddsToFirst(), torch.rand(1, 1, 8), [pixel(1)])
    assert reacted(found, "AddsToFirst") == [[0], [3]]  # [0] holds pixel 1, and is added to [3]


def test_looking_at_tensors_costs_none_of_the_ops_that_a_run_may_take() -> None:
    _, seen = probe(nn.Sequential(*(nn.ReLU() for _ in range(400))), torch.rand(1, 1, 8), [pixel(1)] * 3)
    assert seen.ended is None


def test_samples_merged_into_windows_are_told_apart() -> None:
    class Windows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            windows = x.unflatten(2, (2, 4)).transpose(1, 2).reshape(-1, 1, 4)
            return F.avg_pool1d(windows, 2).reshape(x.shape[0], 1, 4)

    trace, seen = probe(Windows(), torch.rand(1, 1, 8), [pixel(6)])
    pool = next(call for call in trace.calls if call.kind == "F.avg_pool1d")
    mask = seen.masks[pool.index][0]
    assert pool.outputs[0].shape == (2, 1, 2)
    assert mask is not None
    assert mask.tolist() == [[[[False, False]], [[False, True]]]]  # pixel 6 is the third of the second window of four


@pytest.mark.parametrize("onednn", [False, True], ids=["native", "onednn"])
@pytest.mark.parametrize("pixels", [1, 20], ids=["one-pixel", "a-batch-that-would-use-winograd"])
def test_convolution_spreads_nan_no_further_than_it_reaches(pixels: int, onednn: bool) -> None:
    model = nn.Conv2d(4, 5, 3, padding=1)
    found = probe(model, torch.rand(1, 4, 16, 16), [pixel(8, 8, channels=4)] * pixels, onednn=onednn)
    assert reacted(found, "Conv2d", pixels - 1) == [[y, x] for y in (7, 8, 9) for x in (7, 8, 9)]


def test_a_zero_weight_still_reads_its_pixel() -> None:
    model = nn.Conv1d(1, 1, 3, bias=False)
    nn.init.zeros_(model.weight)
    assert reacted(probe(model, torch.rand(1, 1, 6), [pixel(2)]), "Conv1d") == [[0], [1], [2]]


def test_each_call_is_seen_before_later_calls_overwrite_it() -> None:
    class Overwrites(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = F.relu(x)
            return y.zero_()

    found = probe(Overwrites(), torch.rand(1, 1, 4), [pixel(1)])
    assert reacted(found, "F.relu") == [[1]]
    assert reacted(found, "Tensor.zero_") == []


def test_a_region_is_spoiled_in_its_own_input_only() -> None:
    def model(x: Tensor, other: Tensor) -> Tensor:
        return torch.cat([x, other], 2)

    regions = [pixel(1), Region("other", (0, 0, 0), (0, 0, 1))]
    found = probe(model, torch.rand(1, 1, 3), regions, other=torch.rand(1, 1, 3))
    assert reacted(found, "torch.cat", 0) == [[1]]
    assert reacted(found, "torch.cat", 1) == [[3], [4]]


def test_integers_react_by_changing() -> None:
    def model(x: Tensor) -> tuple[Tensor, Tensor]:
        return x > 0.5, torch.zeros(1, 4, dtype=torch.long)

    x = torch.ones(1, 4)
    _, seen = probe(model, x, [Region("0", (0, 2), (0, 2))])
    compared, zeros = seen.masks[0]
    assert compared is not None
    assert compared.tolist() == [[[False, False, True, False]]]
    assert zeros is not None
    assert not zeros.any()


def test_nan_of_the_model_s_own_making_tells_nothing() -> None:
    def model(x: Tensor) -> Tensor:
        return (x - 1).log()

    _, seen = probe(model, torch.zeros(1, 3), [Region("0", (0, 0), (0, 0))])
    assert seen.masks[0] == (None,)


def test_masks_keep_size_one_where_nothing_changes() -> None:
    _, seen = probe(nn.Conv2d(3, 8, 1), torch.rand(1, 3, 6, 7), [pixel(2, 3, channels=3), pixel(4, 3, channels=3)])
    mask: Mask | None = seen.masks[0][0]
    assert mask is not None
    assert mask.shape == (2, 1, 1, 6, 7)


def test_the_switches_of_the_backends_come_back() -> None:
    before = torch._C._get_nnpack_enabled(), torch.backends.mkldnn.enabled

    def fails(x: Tensor) -> Tensor:
        if x.isnan().any():
            raise ValueError("no NaN here")
        return x

    with pytest.raises(ValueError, match="no NaN here"):
        probe(fails, torch.zeros(1, 3), [Region("0", (0, 0), (0, 0))])
    assert (torch._C._get_nnpack_enabled(), torch.backends.mkldnn.enabled) == before


def test_a_mask_made_with_new_zeros_does_not_mix_the_copies_of_a_batch():
    # As in Swin's shifted windows: the mask takes dtype and device of the input and has one copy for the whole batch.
    passes = []

    def masked(x: Tensor) -> Tensor:
        passes.append(x.shape[0])
        mask = F.relu(x.new_zeros(x.shape[-2:]))
        return F.avg_pool2d(x + mask, 2)

    _, found = probe(masked, torch.rand(1, 1, 4, 4), [pixel(0, 0), pixel(2, 3)])
    assert passes == [1, 3]
    pooled = found.masks[max(found.masks)][0]
    assert [np.argwhere(one[0, 0]).tolist() for one in pooled] == [[[0, 0]], [[1, 1]]]
