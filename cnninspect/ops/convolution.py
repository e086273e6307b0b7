"""Convolutions and transposed convolutions, 1-d to 3-d.

`k` kernel size, `s` stride, `p` padding, `d` dilation, `g` groups, `in`/`out` sizes along one axis.
"""

from __future__ import annotations

from math import prod
from typing import Any

from cnninspect.ops.base import Formula, NoFormula, Use, as_tuple, numel, register, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

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
    weight = use["out_channels"] * use["in_channels"] // use["groups"] * prod(use["kernel_size"])
    return {"weight": weight, "bias": use["out_channels"]}


def conv_macs(use: Use) -> int:
    """N * Cout * prod(out) * Cin/g * prod(k): every output position takes all taps, those on padding included."""
    (output,) = conv_output(use)
    return numel((*output, use["in_channels"] // use["groups"], *use["kernel_size"]))


def transposed_macs(use: Use) -> int:
    """N * Cin * prod(in) * Cout/g * prod(k): the transpose of the convolution's matrix, so its input map counts.

    Source: Dumoulin & Visin 2016, section 4; a transposed convolution is the gradient of a convolution.
    """
    return numel((*use.input, use["out_channels"] // use["groups"], *use["kernel_size"]))


# --- functional forms: the raw weight's shape is a hyper-parameter -------------------------------------------------


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


register_op("aten.convolution", "aten._convolution", output=_aten_output, macs=_aten_macs)
