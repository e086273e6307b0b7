"""Convolutions and transposed convolutions, 1-d to 3-d, and deformable ones.

`k` kernel size, `s` stride, `p` padding, `d` dilation, `g` groups, `in`/`out` sizes along one axis.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.masks import known_zeros
from cnninspect.ops.registry import Formula, NoFormula, Use, aten, register, register_op
from cnninspect.ops.rules import as_tuple, divided, each, numel, shape_of, slid_over
from cnninspect.receptive import taps
from cnninspect.receptive.digits import Mask
from cnninspect.receptive.knowledge import reads_by_data
from cnninspect.receptive.reach import Reach, merged, nothing
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef, tensors

# --- one axis ---------------------------------------------------------------------------------------------------


def conv_size(size: int, k: int, s: int, p: int, d: int) -> int:
    """Output positions of a convolution along one axis: floor((in + 2p - d(k-1) - 1)/s) + 1.

    Source: torch.nn.Conv2d, "Shape"; Dumoulin & Visin 2016, relationship 15.
    """
    return (size + 2 * p - d * (k - 1) - 1) // s + 1


def transposed_size(size: int, k: int, s: int, p: int, d: int, output_padding: int) -> int:
    """Output positions of a transposed convolution along one axis: (in-1)s - 2p + d(k-1) + output_padding + 1.

    Source: torch.nn.ConvTranspose2d, "Shape".
    """
    return (size - 1) * s - 2 * p + d * (k - 1) + output_padding + 1


# --- the layer --------------------------------------------------------------------------------------------------


def _geometry(use: Use) -> tuple[tuple[int, ...], ...]:
    """Kernel, stride, dilation per axis, and the input's sizes along them."""
    kernel = tuple(use["kernel_size"])
    axes = len(kernel)
    return kernel, as_tuple(use["stride"], axes), as_tuple(use["dilation"], axes), tuple(use.input[-axes:])


def conv_output(use: Use) -> tuple[Shape, ...]:
    """[N, Cout, *out], or [Cout, *out] without a batch; `same` keeps the size, `valid` is padding 0."""
    kernel, stride, dilation, sizes = _geometry(use)
    axes = len(kernel)
    padding = use["padding"]
    if padding == "same":
        out = sizes
    else:
        pads = (0,) * axes if padding == "valid" else as_tuple(padding, axes)
        out = tuple(map(conv_size, sizes, kernel, stride, pads, dilation))
    return ((*use.input[: -axes - 1], use["out_channels"], *out),)


def transposed_output(use: Use) -> tuple[Shape, ...]:
    """[N, Cout, *out], or [Cout, *out] without a batch; `output_size` overrides `output_padding`."""
    kernel, stride, dilation, sizes = _geometry(use)
    axes = len(kernel)
    extra = as_tuple(use["output_padding"], axes)
    out = tuple(map(transposed_size, sizes, kernel, stride, as_tuple(use["padding"], axes), dilation, extra))
    if use.hyper.get("output_size") is not None:
        out = tuple(use["output_size"])[-axes:]
    return ((*use.input[: -axes - 1], use["out_channels"], *out),)


def conv_params(use: Use) -> dict[str, int]:
    """weight: Cout * Cin/g * prod(k); bias: Cout. Source: torch.nn.Conv2d, "Variables"."""
    weight = use["out_channels"] * divided(use["in_channels"], use["groups"]) * prod(use["kernel_size"])
    return {"weight": weight, "bias": use["out_channels"]}


def conv_macs(use: Use) -> int:
    """N * Cout * prod(out) * Cin/g * prod(k): every output position takes all taps, those on padding included."""
    (output,) = conv_output(use)
    return numel((*output, divided(use["in_channels"], use["groups"]), *use["kernel_size"]))


def transposed_macs(use: Use) -> int:
    """N * Cin * prod(in) * Cout/g * prod(k): the transpose of the convolution's matrix, so its input map counts.

    Source: Dumoulin & Visin 2016, section 4; a transposed convolution is the gradient of a convolution.
    """
    return numel((*use.input, divided(use["out_channels"], use["groups"]), *use["kernel_size"]))


# --- its forms: the raw weight's shape is a hyper-parameter -------------------------------------------------------


def _conv_call(
    input: TensorRef, weight: TensorRef, bias: TensorRef | None = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Use:  # fmt: skip
    _check_real(input)
    hyper = {
        "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0], "kernel_size": weight.shape[2:],
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


def _transposed_call(
    input: TensorRef, weight: TensorRef, bias: TensorRef | None = None,
    stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Use:  # fmt: skip
    _check_real(input)
    hyper = {
        "in_channels": weight.shape[0], "out_channels": weight.shape[1] * groups, "kernel_size": weight.shape[2:],
        "stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Use((input.shape,), hyper, {"weight": weight, "bias": bias})


def _check_real(input: TensorRef) -> None:
    """NoFormula for complex maps: torch works them out as three convolutions of real ones."""
    if input.dtype.startswith("complex"):
        raise NoFormula("a complex convolution is three real ones")


def _module_call(use: Use, input: TensorRef) -> Use:
    _check_real(input)
    return use


def _module_with_output_size(use: Use, input: TensorRef, output_size: Any = None) -> Use:
    _check_real(input)
    return Use((input.shape,), {**use.hyper, "output_size": output_size}, use.state, use.training, use.kind)


_HYPER = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")


CONVOLUTION = register(
    Formula(
        name="convolution",
        source='torch.nn.Conv2d, "Shape" and "Variables"; Dumoulin & Visin 2016, section 2',
        modules=("Conv1d", "Conv2d", "Conv3d"),
        hyperparameters=(*_HYPER, "padding_mode"),
        functions=dict.fromkeys(("F.conv1d", "F.conv2d", "F.conv3d"), _conv_call),
        bind=_module_call,
        roles=("weight", "bias"),
        output=conv_output,
        params=conv_params,
        macs=conv_macs,
    )
)


TRANSPOSED = register(
    Formula(
        name="transposed convolution",
        source='torch.nn.ConvTranspose2d, "Shape" and "Variables"; Dumoulin & Visin 2016, section 4',
        modules=("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        hyperparameters=(*_HYPER, "output_padding"),
        functions={f"F.conv_transpose{axes}d": _transposed_call for axes in (1, 2, 3)},
        bind=_module_with_output_size,
        roles=("weight", "bias"),
        output=transposed_output,
        params=conv_params,
        macs=transposed_macs,
    )
)


# --- the op -------------------------------------------------------------------------------------------------------


def _aten_use(
    input: TensorRef, weight: TensorRef, bias: TensorRef | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, *_: Any,
) -> tuple[Formula, Use]:  # fmt: skip
    if transposed:
        return TRANSPOSED, _transposed_call(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return CONVOLUTION, _conv_call(input, weight, bias, stride, padding, dilation, groups)


def _aten_output(*args: Any) -> tuple[Shape, ...]:
    formula, use = _aten_use(*args)
    return formula.output(use)


def _aten_macs(*args: Any) -> int:
    formula, use = _aten_use(*args)
    return formula.macs(use)


def _field(
    op: Op, x: Reach, weight: Reach, bias: Reach | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, *_: Any,
) -> Reach:  # fmt: skip
    """Windows in space; each output channel sees all input channels of its group.

    A weight or bias that depends on an input (dynamic convolution) counts with all its elements for each output. A
    row or column of a constant kernel in which a mask leaves nothing is not read.
    """
    shape, axes = shape_of(op), len(weight.shape) - 2
    if not (x.inputs or weight.inputs or (bias is not None and bias.inputs)):
        return nothing(shape)
    s, p, d = (each(value, axes) for value in (stride, padding, dilation))
    make = taps.transposed if transposed else taps.windows
    sizes = zip(x.shape[-axes:], shape[-axes:], weight.shape[2:], s, p, d, strict=True)
    cuts = [make(*size).only(kept) for size, kept in zip(sizes, _unmasked(weight), strict=True)]
    seen = slid_over(_across_channels(x, groups, shape[1], op.index), cuts) if x.inputs else x
    if not weight.inputs and (bias is None or not bias.inputs):
        return seen
    return merged((seen, *_parameters(weight, bias, transposed, axes, op.index)), shape, op.index)


def _unmasked(weight: Reach) -> list[Mask]:
    """For each spatial dimension of a kernel, [k]: whether a number is there that is not 0 by a mask or by design."""
    zero = known_zeros(weight)
    if zero is None:
        return [np.full(size, True) for size in weight.shape[2:]]
    kept = ~np.broadcast_to(zero, weight.shape)
    others = [tuple(other for other in range(kept.ndim) if other != dim) for dim in range(2, kept.ndim)]
    return [np.asarray(kept.any(those)) for those in others]


def _across_channels(x: Reach, groups: int, out: int, by: int) -> Reach:
    """`x` with the output channels on dimension 1, each seeing the input channels of its group."""
    shape = (x.shape[0], out, *x.shape[2:])
    if not x.varies(1):
        return x.moved(shape, lambda part: part.resized(1, out))
    if groups == 1:
        return x.reduced([1], by).moved(shape, lambda part: part.resized(1, out))
    split = x.reshaped((x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])).reduced([2], by)
    wide = (*split.shape[:2], out // groups, *x.shape[2:])
    return split.moved(wide, lambda part: part.resized(2, out // groups)).reshaped(shape)


def _parameters(weight: Reach, bias: Reach | None, transposed: bool, axes: int, by: int) -> list[Reach]:
    """The reach of a weight and of a bias that depend on an input, for each output channel: [Cout, 1, ...]."""
    found = []
    if weight.inputs:
        contracted = range(axes + 2) if transposed else range(1, axes + 2)
        seen = weight.reduced(contracted, by)
        found.append(seen.reshaped((seen.shape[0], *(1,) * axes)))
    if bias is not None and bias.inputs:
        found.append(bias.reshaped((bias.shape[0], *(1,) * axes)))
    return found


register_op(
    *aten("convolution _convolution"),
    output=_aten_output,
    macs=_aten_macs,
    field=_field,
    source="Dumoulin & Visin 2016, sections 2 and 4: each output is the sum of Cin/g * prod(k) products",
    operands=lambda op: tensors(op.args[:2]),
    slides=True,
    hides=True,
    positions=lambda op: len(op.args[1].shape) - 2,
)


# --- deformable convolution: torchvision's op ---------------------------------------------------------------------


def _deformed(
    input: TensorRef, weight: TensorRef, offset: TensorRef, mask: TensorRef, bias: TensorRef, *sizes: Any
) -> Use:
    stride, padding, dilation = sizes[0:2], sizes[2:4], sizes[4:6]
    groups = sizes[6]
    hyper = {
        "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0], "kernel_size": weight.shape[2:],
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _deformed_output(*args: Any) -> tuple[Shape, ...]:
    """The shape of the plain convolution."""
    return conv_output(_deformed(*args))


def _deformed_macs(*args: Any) -> int:
    """The MACs of the plain convolution; interpolating the taps is elementwise work. Source: Dai et al. 2017."""
    return conv_macs(_deformed(*args))


register_op(
    "torchvision.deform_conv2d",
    output=_deformed_output,
    macs=_deformed_macs,
    field=reads_by_data,
    source="Dai et al. 2017, Deformable Convolutional Networks, equation 2: the taps stand where the offsets say",
)
