"""Rules of elementwise ops that torch does not tag as such, and lists of ops that need no rule of their own."""

from __future__ import annotations

from typing import Any

from cnninspect.receptive import reach
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.rules import (
    CREATES,
    READS_BY_DATA,
    Result,
    enter_all,
    reaches,
    rule,
    shape_of,
    wrapped,
)
from cnninspect.trace.records import Op

enter_all(
    CREATES,
    """
    empty empty_like empty_strided empty_permuted new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like
    new_ones full full_like new_full arange linspace logspace eye scalar_tensor tril_indices triu_indices
    hann_window hamming_window bartlett_window blackman_window kaiser_window zero zero_
    rand rand_like randn randn_like randint randint_like randperm bernoulli_ normal_ uniform_ random_ exponential_
    log_normal_ geometric_ cauchy_
    """,
)

enter_all(
    READS_BY_DATA,
    """
    grid_sampler_2d grid_sampler_3d max_unpool2d max_unpool3d fractional_max_pool2d fractional_max_pool3d
    masked_select masked_scatter masked_scatter_ nonzero take put put_ index_put index_put_ index_add index_add_
    index_copy index_copy_ index_fill index_fill_ unique_dim unique_consecutive _unique2 histc bincount multinomial
    """,
)
for name in ("nms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"):
    READS_BY_DATA.add(f"torchvision.{name}")


@rule(
    "aten.alias", "aten.detach", "aten._to_copy", "aten.lift", "aten.lift_fresh",
    "aten.lift_fresh_copy", "aten.clone", "aten._conj", "aten._neg_view", "aten.complex", "aten.polar",
    "aten.hardswish", "aten.hardswish_", "aten._prelu_kernel", "aten.rrelu_with_noise", "aten.rrelu_with_noise_",
    "aten.masked_fill_", "aten.floor_divide", "aten.floor_divide_", "aten.bernoulli", "aten.bucketize",
    "aten.fake_quantize_per_tensor_affine_cachemask",
    "aten.fake_quantize_per_channel_affine_cachemask",
)  # fmt: skip
def elementwise(op: Op, *args: Any, **kwargs: Any) -> Result:
    """Every element depends on the elements it is computed from."""
    parts = [*reaches(args), *reaches(list(kwargs.values()))]
    shape = shape_of(op) if op.outputs else parts[0].shape
    return (merged(parts, shape, op.index),) * len(op.outputs)


@rule("aten.copy_", "aten.copy")
def copy(op: Op, target: Reach, source: Reach, *_: Any) -> Reach:
    """What is copied, broadcast to the target; the target's old contents are gone."""
    return source.expanded(target.shape)


@rule("aten.fill", "aten.fill_")
def fill(op: Op, target: Reach, value: Any) -> Reach:
    """One value everywhere."""
    return value.expanded(target.shape) if isinstance(value, Reach) else reach.nothing(target.shape)


@rule("aten.native_dropout", "aten.log_sigmoid_forward")
def first_result(op: Op, x: Reach, *_: Any) -> Result:
    """Elementwise; the second result is a random mask or a buffer of the backward pass."""
    return (x, reach.nothing(shape_of(op, 1)))


@rule("aten.glu")
def glu(op: Op, x: Reach, dim: int = -1) -> Reach:
    """One half of a dimension times a function of the other."""
    shape = shape_of(op)
    dim = wrapped(dim, len(shape))
    pairs = x.reshaped((*shape[:dim], 2, *shape[dim:])).reduced([dim], op.index)
    return pairs.without([dim])
