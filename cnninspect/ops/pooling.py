"""Pooling over sliding windows, 1-d to 3-d: max, average and power-average, and max unpooling.

`k` kernel size, `s` stride, `p` padding, `d` dilation, `in`/`out` sizes along one axis. Comparing and averaging are no
multiply-accumulates: pooling counts 0 MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

from cnninspect.ops.indexing import unpooled_field
from cnninspect.ops.registry import Formula, Use, Work, register, register_op
from cnninspect.ops.rules import as_tuple, each, numel, shape_of, slid_over
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- one axis ---------------------------------------------------------------------------------------------------


def pool_size(size: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    """Output positions of a pooling along one axis: floor((in + 2p - d(k-1) - 1)/s) + 1.

    In ceil mode the quotient is rounded up, and a last window that would start in the right padding is left out.

    Source: torch.nn.MaxPool2d, "Shape" and the note on `ceil_mode`.
    """
    steps = size + 2 * p - d * (k - 1) - 1
    if not ceil_mode:
        return steps // s + 1
    last = -(-steps // s)
    return last if last * s >= size + p else last + 1


def unpool_size(size: int, k: int, s: int, p: int) -> int:
    """Output positions of an unpooling along one axis: (in-1)s - 2p + k.

    Source: torch.nn.MaxUnpool2d, "Shape".
    """
    return (size - 1) * s - 2 * p + k


# --- the layers -------------------------------------------------------------------------------------------------


def pool_output(axes: int, use: Use) -> tuple[Shape, ...]:
    """[*, C, *out], and once more for the indices if they are returned."""
    kernel = as_tuple(use["kernel_size"], axes)
    stride = as_tuple(use["stride"], axes) if use["stride"] else kernel
    padding = as_tuple(use.hyper.get("padding", 0), axes)
    dilation = as_tuple(use.hyper.get("dilation", 1), axes)
    out = map(partial(pool_size, ceil_mode=use["ceil_mode"]), use.input[-axes:], kernel, stride, padding, dilation)
    shape = (*use.input[:-axes], *out)
    return (shape, shape) if use.hyper.get("return_indices") else (shape,)


def unpool_output(axes: int, use: Use) -> tuple[Shape, ...]:
    """[*, C, *out]; `output_size`, given with or without batch and channels, overrides the formula."""
    kernel = as_tuple(use["kernel_size"], axes)
    stride = as_tuple(use["stride"], axes) if use["stride"] else kernel
    out = tuple(map(unpool_size, use.input[-axes:], kernel, stride, as_tuple(use["padding"], axes)))
    if use["output_size"] is not None:
        out = tuple(use["output_size"])[-axes:]
    return ((*use.input[:-axes], *out),)


# --- their forms ------------------------------------------------------------------------------------------------


def _unpool_bind(use: Use, input: TensorRef, indices: TensorRef, output_size: Any = None) -> Use:
    return replace(use, inputs=(input.shape, indices.shape), hyper={**use.hyper, "output_size": output_size})


def _max_call(
    input: TensorRef, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Use:  # fmt: skip
    hyper = {
        "kernel_size": kernel_size, "stride": stride or kernel_size, "padding": padding, "dilation": dilation,
        "ceil_mode": ceil_mode, "return_indices": return_indices,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _max_call_with_indices(*args: Any, **kwargs: Any) -> Use:
    use = _max_call(*args, **kwargs)
    return replace(use, hyper={**use.hyper, "return_indices": True})


def _average_call(
    input: TensorRef, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Use:  # fmt: skip
    hyper = {
        "kernel_size": kernel_size, "stride": stride or kernel_size, "padding": padding, "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad, "divisor_override": divisor_override,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _power_call(
    input: TensorRef, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Use:
    hyper = {
        "norm_type": norm_type, "kernel_size": kernel_size, "stride": stride or kernel_size, "ceil_mode": ceil_mode,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _unpool_call(
    input: TensorRef, indices: TensorRef, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Use:  # fmt: skip
    hyper = {
        "kernel_size": kernel_size, "stride": stride or kernel_size, "padding": padding, "output_size": output_size,
    }  # fmt: skip
    return Use((input.shape, indices.shape), hyper)


_WINDOW = ("kernel_size", "stride", "padding", "ceil_mode")


for _axes in (1, 2, 3):
    register(
        Formula(
            name=f"max pooling {_axes}d",
            source=f'torch.nn.MaxPool{_axes}d, "Shape"',
            modules=(f"MaxPool{_axes}d",),
            hyperparameters=(*_WINDOW, "dilation", "return_indices"),
            functions={
                f"F.max_pool{_axes}d": _max_call,
                f"torch.max_pool{_axes}d": _max_call,
                f"F.max_pool{_axes}d_with_indices": _max_call_with_indices,
                **({"torch.max_pool1d_with_indices": _max_call_with_indices} if _axes == 1 else {}),
            },
            output=partial(pool_output, _axes),
        )
    )
    register(
        Formula(
            name=f"average pooling {_axes}d",
            source=f'torch.nn.AvgPool{_axes}d, "Shape"',
            modules=(f"AvgPool{_axes}d",),
            hyperparameters=(*_WINDOW, "count_include_pad", *(("divisor_override",) if _axes > 1 else ())),
            functions={f"F.avg_pool{_axes}d": _average_call},
            output=partial(pool_output, _axes),
        )
    )
    register(
        Formula(
            name=f"power-average pooling {_axes}d",
            source=f'torch.nn.LPPool{_axes}d, "Shape"',
            modules=(f"LPPool{_axes}d",),
            hyperparameters=("norm_type", "kernel_size", "stride", "ceil_mode"),
            functions={f"F.lp_pool{_axes}d": _power_call},
            output=partial(pool_output, _axes),
        )
    )
    register(
        Formula(
            name=f"max unpooling {_axes}d",
            source=f'torch.nn.MaxUnpool{_axes}d, "Shape"',
            modules=(f"MaxUnpool{_axes}d",),
            hyperparameters=("kernel_size", "stride", "padding"),
            functions={f"F.max_unpool{_axes}d": _unpool_call},
            bind=_unpool_bind,
            output=partial(unpool_output, _axes),
        )
    )


# --- the ops ----------------------------------------------------------------------------------------------------


def _averaged(axes: int) -> Callable[..., tuple[Shape, ...]]:
    """The rule of average pooling over so many axes."""

    def output(
        self: TensorRef, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, *_: Any
    ) -> tuple[Shape, ...]:
        hyper = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        return pool_output(axes, Use((self.shape,), hyper))

    return output


def _greatest(axes: int) -> Callable[..., tuple[Shape, ...]]:
    """The rule of max pooling with indices over so many axes."""

    def output(
        self: TensorRef, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> tuple[Shape, ...]:  # fmt: skip
        hyper = {
            "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
            "ceil_mode": ceil_mode, "return_indices": True,
        }  # fmt: skip
        return pool_output(axes, Use((self.shape,), hyper))

    return output


def _unpooled(self: TensorRef, indices: TensorRef, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size]."""
    return ((*self.shape[: -len(output_size)], *output_size),)


def _windows(op: Op) -> int:
    """Output elements times the taps of the kernel, those on padding included."""
    return numel(shape_of(op)) * prod(as_tuple(op.args[1], axes_of(op)))


def axes_of(op: Op) -> int:
    """The 2 in `aten.max_pool2d_with_indices`."""
    return int(op.packet.split("pool")[1][0])


def _max_field(op: Op, x: Reach, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, *_: Any) -> Result:
    """Windows in space, channel by channel; the index of the maximum depends on the same window."""
    return _pooled_field(op, x, kernel, stride, padding, dilation)


def _average_field(op: Op, x: Reach, kernel: Any, stride: Any = (), padding: Any = 0, *_: Any, **__: Any) -> Result:
    """Windows in space, channel by channel."""
    return _pooled_field(op, x, kernel, stride, padding, 1)


def _pooled_field(op: Op, x: Reach, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Result:
    axes = axes_of(op)
    k, p, d = (each(value, axes) for value in (kernel, padding, dilation))
    s = each(stride, axes) if stride else k
    sizes = zip(x.shape[-axes:], shape_of(op)[-axes:], k, s, p, d, strict=True)
    return (slid_over(x, [taps.windows(*size) for size in sizes]),) * len(op.outputs)


for _axes in (2, 3):
    for _name, _shapes, _rule, _work, _source in (
        ("max_pool{}d_with_indices", _greatest(_axes), _max_field, Work.COMPARISON, "the maximum of each window"),
        ("avg_pool{}d", _averaged(_axes), _average_field, Work.REDUCTION, "the mean of each window"),
    ):
        register_op(
            f"aten.{_name.format(_axes)}",
            output=_shapes,
            field=_rule,
            source=f'torch.nn.MaxPool2d and AvgPool2d, "Shape": {_source} of floor((in + 2p - d(k-1) - 1)/s) + 1',
            work=_work,
            operations=_windows,
            slides=True,
        )
    register_op(
        f"aten.max_unpool{_axes}d",
        output=_unpooled,
        field=unpooled_field,
        source=f"torch.nn.MaxUnpool{_axes}d: every value goes where its index says",
    )
