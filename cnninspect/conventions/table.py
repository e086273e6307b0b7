"""The conventions of counters as data: what each sees, and what an operation of each class costs.

A cost is a Python expression over one use, in the names of `costs.NAMES`: `macs` are multiply-accumulates, `inputs`
and `outputs` elements of the first tensor that goes in and comes out, `bias` and `affine` are 1 or 0. What has no line
is not counted. A function is named by the place where a counter replaces it: `F.conv2d` is not `torch.conv2d`. The
lines describe the released versions that are named; they were found by running the libraries and reading their sources,
and the tests hold them to what the libraries print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum


class Work(str, Enum):
    """What an operation does; the first four multiply and accumulate."""

    CONVOLUTION = "convolutions"
    LINEAR = "linear layers"
    MATMUL = "products of activations"
    RECURRENT = "recurrent layers"
    BIAS = "biases"
    NORM = "normalisation"
    ACTIVATION = "activations"
    POOLING = "pooling"
    INTERPOLATION = "interpolation"
    SOFTMAX = "softmax"
    ELEMENTWISE = "elementwise products and sums"


Costs = Mapping[Work, str]


class Params(str, Enum):
    """Which parameters a counter adds up."""

    ALL = "every parameter once"
    TRAINABLE = "every parameter that is trained, once"
    HOOKED = "those of the modules that it has a hook for and that ran"
    EACH_MODULE = "those of every module, shared ones once for each module"


class Fails(str, Enum):
    """Models for which a library prints no number."""

    LAZY = "layers whose parameters have no shape before the first run"
    BARE = "models without parameters"
    UNREGISTERED = "parameters that no module holds"


@dataclass(frozen=True)
class Convention:
    """How a library counts, and in which versions.

    `unit` is what its headline number is: "macs" or "flops", of which a multiply-accumulate has `per_mac`. `modules`
    and `functions` hold the cost of each use; `leaves` that of any module without children, by a word in its name. If n
    modules contain a module, what it does counts n**`shared` times. `per_sample` means that the sum over modules is
    divided by the batch size; `subclasses`, that a subclass counts as its base and that named inputs are put in order;
    `traces`, that functions are read off torch's traced graph and not replaced, so that it does not matter by which
    name they are reached. It fails for the models in `fails`. `takes` holds the arguments that its
    rules take where they are not those of `SIGNATURES`. It fails for other arguments also of functions whose work is
    not among `only` and so is not counted. `unknown` are names whose cost the table does not describe.
    """

    name: str
    package: str
    version: str
    unit: str
    says: str
    modules: Mapping[str, Costs] = field(default_factory=dict)
    functions: Mapping[str, Costs] = field(default_factory=dict)
    leaves: Mapping[str, Costs] = field(default_factory=dict)
    shared: int = 0
    per_sample: bool = False
    subclasses: bool = False
    params: Params = Params.ALL
    unknown: tuple[str, ...] = ()
    per_mac: int = 1
    traces: bool = False
    fails: tuple[Fails, ...] = ()
    takes: Mapping[str, str] = field(default_factory=dict)
    only: tuple[Work, ...] = ()


def _dims(pattern: str, dims: Iterable[int] = (1, 2, 3)) -> tuple[str, ...]:
    return tuple(pattern.format(n) for n in dims)


CONVS, TRANSPOSED = _dims("nn.Conv{}d"), _dims("nn.ConvTranspose{}d")
BATCH_NORMS, INSTANCE_NORMS = _dims("nn.BatchNorm{}d"), _dims("nn.InstanceNorm{}d")
MAX_POOLS, AVG_POOLS = _dims("nn.MaxPool{}d"), _dims("nn.AvgPool{}d")
ADAPTIVE_MAX, ADAPTIVE_AVG = _dims("nn.AdaptiveMaxPool{}d"), _dims("nn.AdaptiveAvgPool{}d")
POOLS = (*MAX_POOLS, *AVG_POOLS, *ADAPTIVE_MAX, *ADAPTIVE_AVG)
UPSAMPLES = ("nn.Upsample", "nn.UpsamplingBilinear2d", "nn.UpsamplingNearest2d")
RECURRENT = ("nn.RNN", "nn.GRU", "nn.LSTM")
CELLS = ("nn.RNNCell", "nn.GRUCell", "nn.LSTMCell")
ELEMENTWISE = ("torch.mul", "Tensor.mul", "torch.add", "Tensor.add")  # not `x * y`: an operator is another attribute
PRODUCTS = ("torch.matmul", "Tensor.matmul", "torch.mm", "Tensor.mm", "torch.bmm", "Tensor.bmm")
RESIZING = ("F.interpolate", "F.upsample")
POOL_FUNCTIONS = (
    *_dims("F.max_pool{}d"), *_dims("F.avg_pool{}d"), *_dims("F.adaptive_max_pool{}d"),
    *_dims("F.adaptive_avg_pool{}d"),
)  # fmt: skip
CONV_FUNCTIONS, TRANSPOSED_FUNCTIONS = _dims("F.conv{}d"), _dims("F.conv_transpose{}d")


_POOL = (
    "input, kernel_size, stride=None, padding=0, dilation=None, ceil_mode=False, count_include_pad=True, "
    "divisor_override=None, return_indices=None"
)
_CONV = "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1"
_ADDED = "input, mat1, mat2, *, beta=1, alpha=1, out=None"
SIGNATURES = {
    **dict.fromkeys(CONV_FUNCTIONS, _CONV),
    **dict.fromkeys(TRANSPOSED_FUNCTIONS, "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, "
                                          "dilation=1"),
    **dict.fromkeys(POOL_FUNCTIONS, _POOL),
    "F.linear": "input, weight, bias=None",
    "F.batch_norm": "input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5",
    "F.instance_norm": "input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
                       "momentum=0.1, eps=1e-5",
    "F.layer_norm": "input, normalized_shape, weight=None, bias=None, eps=1e-5",
    "F.group_norm": "input, num_groups, weight=None, bias=None, eps=1e-5",
    **dict.fromkeys(("F.relu", "F.relu6", "F.silu"), "input, inplace=False"),
    "F.prelu": "input, weight",
    "F.elu": "input, alpha=1.0, inplace=False",
    "F.leaky_relu": "input, negative_slope=0.01, inplace=False",
    "F.gelu": "input, **kwargs",
    "F.softmax": "input, dim=None, _stacklevel=3, dtype=None",
    "F.embedding": "input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
                   "sparse=False",
    "F.scaled_dot_product_attention": "q, k, v, *args, **kwargs",
    **dict.fromkeys((*PRODUCTS, "Tensor.__matmul__", "torch.linalg.matmul"), "input, other, *, out=None"),
    **dict.fromkeys(("torch.addmm", "Tensor.addmm", "torch.baddbmm"), _ADDED),
    **dict.fromkeys(("torch.mul", "Tensor.mul"), "input, other, *, out=None"),
    **dict.fromkeys(("torch.add", "Tensor.add"), "input, other, *, alpha=1, out=None"),
}  # fmt: skip
"""Function -> the arguments that counters take which have replaced it. They fail where a call has others."""

_TORCHS_OWN = {
    "F.interpolate": "input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
                     "recompute_scale_factor=None, antialias=False",
    "torch.batch_norm": "input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled",
    "torch.layer_norm": "input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True",
    "torch.group_norm": "input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True",
    "torch.instance_norm": "input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, "
                           "cudnn_enabled",
    **dict.fromkeys(("torch.mm", "Tensor.mm", "torch.bmm", "Tensor.bmm"), "input, mat2, *, out=None"),
    "F.adaptive_avg_pool2d": "input, output_size",
}  # fmt: skip
"""Function -> its arguments in torch, for a counter that reads torch's graph."""

_ANY = "input, *args, **kwargs"


def _each(names: Iterable[str], work: Work, cost: str, bias: str | None = None) -> dict[str, Costs]:
    return dict.fromkeys(names, {work: cost} if bias is None else {work: cost, Work.BIAS: bias})


THOP = Convention(
    "thop", "thop", "0.1.1-2209072238", "macs", "MACs",
    modules={
        # It takes a transposed convolution for a convolution: from output positions, not from input positions.
        **_each((*CONVS, *TRANSPOSED), Work.CONVOLUTION, "outputs * (in_channels // groups) * kernel"),
        **_each(("nn.Linear",), Work.LINEAR, "in_features * outputs"),
        **_each((*BATCH_NORMS, *INSTANCE_NORMS, "nn.LayerNorm", "nn.SyncBatchNorm"), Work.NORM,
                "2 * inputs * (1 + affine)"),
        **_each(("nn.PReLU",), Work.ACTIVATION, "inputs"),
        **_each(("nn.Softmax",), Work.SOFTMAX, "inputs // features * (3 * features - 1)"),
        **_each(AVG_POOLS, Work.POOLING, "outputs"),
        **_each(ADAPTIVE_AVG, Work.POOLING, "int((window + 1) * outputs)"),
        **_each(UPSAMPLES, Work.INTERPOLATION,
                "outputs * {'nearest': 1, 'linear': 5, 'bilinear': 11, 'bicubic': 259}.get(mode, 0)"),
        **_each(("nn.RNN",), Work.RECURRENT, "steps * sum(d * (h * (i + h) + h + 2 * h * bias) for i, h, d in stack)"),
        **_each(("nn.GRU",), Work.RECURRENT,
                "steps * sum(d * (3 * (h * (i + h) + h + 2 * h * bias) + 4 * h) for i, h, d in stack)"),
        **_each(("nn.LSTM",), Work.RECURRENT,
                "steps * sum(d * (4 * (h * (i + h) + h + 2 * h * bias) + 4 * h) for i, h, d in stack)"),
        **_each(("nn.ZeroPad2d", "nn.ReLU", "nn.ReLU6", "nn.LeakyReLU", *MAX_POOLS, *ADAPTIVE_MAX, "nn.Dropout",
                 "nn.PixelShuffle"), Work.ACTIVATION, "0"),
        "nn.RNNCell": {Work.RECURRENT: "steps * sum(h * (i + h) + h + 2 * h * bias for i, h, d in stack)"},
        "nn.GRUCell": {
            Work.RECURRENT: "steps * sum(3 * (h * (i + h) + h + 2 * h * bias) + 4 * h for i, h, d in stack)"
        },
        "nn.LSTMCell": {
            Work.RECURRENT: "steps * sum(4 * (h * (i + h) + h + 2 * h * bias) + 4 * h for i, h, d in stack)"
        },
    },
    shared=2, params=Params.HOOKED,
)  # fmt: skip

_ADDED_BY_GATES = {
    name: more for kind, more in (("RNN", "h"), ("GRU", "7 * h"), ("LSTM", "10 * h"))
    for name in (f"nn.{kind}", f"nn.{kind}Cell")
}  # fmt: skip

_PTFLOPS_ACTIVATIONS = ("F.relu", "F.prelu", "F.elu", "F.relu6", "F.gelu", "F.silu")

PTFLOPS = Convention(
    "ptflops", "ptflops", "0.7.5", "macs", "MACs",
    modules={
        **_each((*CONVS, *TRANSPOSED), Work.CONVOLUTION, "macs", "bias * outputs"),
        **_each(("nn.Linear",), Work.LINEAR, "inputs * weight[0]", "bias * outputs"),
        **_each(("nn.ReLU", "nn.PReLU", "nn.ELU", "nn.LeakyReLU", "nn.ReLU6", "nn.GELU"), Work.ACTIVATION, "outputs"),
        **_each(POOLS, Work.POOLING, "inputs"),
        # A layer norm has no attribute `affine`, where this counter looks.
        **_each((*BATCH_NORMS, *INSTANCE_NORMS, "nn.GroupNorm"), Work.NORM, "inputs * (1 + affine)"),
        **_each(("nn.LayerNorm",), Work.NORM, "inputs"),
        # It takes the first sample of the output for the whole output.
        **_each(("nn.Upsample",), Work.INTERPOLATION, "outputs // batch"),
        **{name: {Work.RECURRENT: "steps * directions * sum(gates * h * (i + h) + "
                  f"{more} + 2 * gates * h * bias for i, h, d in stack)"} for name, more in _ADDED_BY_GATES.items()},
        "nn.MultiheadAttention": {
            Work.LINEAR: "batch * (queries * width ** 2 + keys * kdim ** 2 + values * vdim ** 2 + queries * vdim ** 2)",
            Work.BIAS: "batch * (bias * (queries + keys + values) * width + queries * vdim)",
            Work.MATMUL: "batch * heads * queries * keys * (width // heads + vdim // heads)",
            Work.SOFTMAX: "batch * heads * queries * keys",
            Work.ELEMENTWISE: "batch * queries * width",
        },
    },
    functions={
        **_each(_PTFLOPS_ACTIVATIONS, Work.ACTIVATION, "inputs"),
        **_each(POOL_FUNCTIONS, Work.POOLING, "inputs"),
        **_each(("F.softmax",), Work.SOFTMAX, "inputs"),
        **_each(RESIZING, Work.INTERPOLATION, "outputs if sized else scaled"),
        **_each(PRODUCTS, Work.MATMUL, "product"),
        **_each(("torch.addmm", "Tensor.addmm", "torch.baddbmm"), Work.MATMUL, "product", "inputs * (beta != 0)"),
        **_each(ELEMENTWISE, Work.ELEMENTWISE, "from_left"),
    },
    shared=1, per_sample=True, params=Params.TRAINABLE, fails=(Fails.LAZY,),
    takes={
        **dict.fromkeys((*_PTFLOPS_ACTIVATIONS, *POOL_FUNCTIONS, "F.softmax"), _ANY),
        **dict.fromkeys((*PRODUCTS, *ELEMENTWISE), "input, other, *args, **kwargs"),
    },
    unknown=("DeformConv2d", "timm.Attention"),
)  # fmt: skip

# Up to 0.6.9 it hooked modules alone, as it still does with `count_functional=False`.
PTFLOPS_OF_MODULES = replace(PTFLOPS, name="ptflops up to 0.6.9", functions={})

TORCHINFO = Convention(
    "torchinfo", "torchinfo", "1.8.0", "macs", "mult-adds",
    leaves={
        # Other names, as of a weight before its norm, count once for each channel of the output.
        "Conv": {
            Work.CONVOLUTION: "positions * weight_size + two_axes * other_weights",
            Work.BIAS: "positions * bias_size",
        },
        # What is no convolution: the number of its parameters, once for each sample and not for each position.
        "Norm": {Work.NORM: "first_axis * (weight_size + bias_size) + two_axes * other_weights"},
        "": {
            Work.LINEAR: "first_axis * weight_size", Work.BIAS: "first_axis * bias_size",
            Work.RECURRENT: "two_axes * other_weights",
        },
    },
    params=Params.EACH_MODULE,
)  # fmt: skip


_MACS = (Work.CONVOLUTION, Work.LINEAR, Work.MATMUL)


def _patched(extra: Mapping[str, Costs], *, mac: bool) -> dict[str, Costs]:
    """What calflops and DeepSpeed have in common: functions that they replace, in FLOPs, or else MACs alone."""
    two = "" if mac else "2 * "
    macs = {
        **_each(CONV_FUNCTIONS, Work.CONVOLUTION, f"{two}spots * weight[0] * weight[1] * kernel",
                None if mac else "bias * spots * weight[0]"),
        **_each(("F.linear",), Work.LINEAR, f"{two}macs"),
        **_each(("torch.matmul", "Tensor.matmul"), Work.MATMUL, f"{two}product"),
        **_each(("torch.addmm", "Tensor.addmm", "torch.baddbmm"), Work.MATMUL, f"{two}product",
                None if mac else "inputs"),
    }  # fmt: skip
    others = {
        **_each(("F.relu", "F.prelu", "F.elu", "F.leaky_relu", "F.relu6", "F.silu", "F.gelu"), Work.ACTIVATION,
                "inputs"),
        **_each(("F.batch_norm",), Work.NORM, "inputs * (1 + affine + 3 * trained)"),
        **_each(("F.layer_norm", "F.group_norm", "F.instance_norm"), Work.NORM, "inputs * (4 + affine)"),
        **_each(POOL_FUNCTIONS, Work.POOLING, "inputs"),
        **_each(("F.softmax",), Work.SOFTMAX, "inputs"),
        "torch.einsum": {Work.MATMUL: "0 * einsum" if mac else "einsum"},
        **_each(("F.embedding",), Work.ELEMENTWISE, "0"),
    }  # fmt: skip
    return {**macs, **others, **extra}


def _calflops(*, mac: bool) -> Convention:
    two = "" if mac else "2 * "
    per_group = f"{two}inputs * (weight[1] // groups) * kernel"
    extra = {
        **_each(TRANSPOSED_FUNCTIONS, Work.CONVOLUTION, per_group, None if mac else "bias * spots * weight[1]"),
        **_each(RESIZING, Work.INTERPOLATION, "size or unscaled"),
        **_each(ELEMENTWISE, Work.ELEMENTWISE, "from_left"),
    }
    return Convention(
        f"calflops {'MACs' if mac else 'FLOPs'}", "calflops", "0.3.2", "macs" if mac else "flops",
        "MACs" if mac else "FLOPs",
        functions=_patched(extra, mac=mac), modules=_RECURRENT_MACS if mac else _RECURRENT_FLOPS,
        shared=1, params=Params.TRAINABLE, per_mac=1 if mac else 2, fails=(Fails.LAZY, Fails.BARE),
        only=_MACS if mac else (),
    )  # fmt: skip


_RECURRENT_FLOPS = {
    name: {Work.RECURRENT: "steps * directions * sum(2 * gates * h * (i + h) - 2 * gates * h + "
           f"{more} + 2 * gates * h * bias for i, h, d in stack)"}
    for name, more in _ADDED_BY_GATES.items()
}  # fmt: skip


# Its hook reads the input also where only MACs are of interest, of which it counts none.
_RECURRENT_MACS = _each(_RECURRENT_FLOPS, Work.RECURRENT, "0 * given")


def _deepspeed(*, mac: bool) -> Convention:
    two = "" if mac else "2 * "
    extra = {
        **_each(TRANSPOSED_FUNCTIONS, Work.CONVOLUTION, f"{two}macs", None if mac else "bias * outputs"),
        **_each(
            ("Tensor.__matmul__", "torch.mm", "Tensor.mm", "torch.bmm", "Tensor.bmm"), Work.MATMUL, f"{two}product"
        ),
        **_each(("F.scaled_dot_product_attention",), Work.MATMUL, f"{two}attention"),
        **_each(RESIZING, Work.INTERPOLATION, "size or int(inputs * scale)"),
        **_each(ELEMENTWISE, Work.ELEMENTWISE, "broadcast"),
    }
    return Convention(
        f"DeepSpeed {'MACs' if mac else 'FLOPs'}", "deepspeed", "0.19.8", "macs" if mac else "flops",
        "MACs" if mac else "FLOPs",
        functions=_patched(extra, mac=mac), modules=_RECURRENT_MACS if mac else _RECURRENT_FLOPS,
        per_mac=1 if mac else 2, fails=(Fails.LAZY,), only=_MACS if mac else (),
    )  # fmt: skip


FVCORE = Convention(
    "fvcore", "fvcore", "0.1.5.post20221221", "macs", "flops",
    functions={
        # torch traces another op where the padding is given as `same` or `valid`.
        **_each(CONV_FUNCTIONS, Work.CONVOLUTION, "0 if named_padding else macs"),
        **_each(TRANSPOSED_FUNCTIONS, Work.CONVOLUTION, "macs"),
        **_each(("F.linear",), Work.LINEAR, "macs"),
        **_each((*PRODUCTS, "torch.linalg.matmul", "Tensor.__matmul__", "torch.addmm", "Tensor.addmm"), Work.MATMUL,
                "matched"),
        "torch.einsum": {Work.MATMUL: "einsum // 2"},
        **_each(("F.batch_norm", "torch.batch_norm"), Work.NORM, "inputs * (1 + affine + 3 * trained)"),
        **_each(("F.layer_norm", "F.group_norm", "torch.layer_norm", "torch.group_norm", "torch.instance_norm",
                 "F.instance_norm"), Work.NORM, "normed * (4 + affine)"),
        **_each(("F.adaptive_avg_pool2d",), Work.POOLING, "inputs"),
        **_each(("F.interpolate",), Work.INTERPOLATION,
                "outputs * {'nearest': 1, 'bilinear': 4}.get(mode, 0) if rank == 4 and not antialias else 0"),
        **_each(("F.grid_sample", "torch.grid_sampler"), Work.INTERPOLATION, "4 * outputs"),
        # A cell is two linear layers in the graph.
        **_each(("torch.rnn_cell", "torch.gru_cell", "torch.lstm_cell"), Work.RECURRENT,
                "steps * sum(gates * h * (i + h) for i, h, d in stack)"),
    },
    traces=True, takes=_TORCHS_OWN, fails=(Fails.UNREGISTERED,),
    # The tracer fails in the check of an unpool's indices.
    unknown=(*_dims("nn.MaxUnpool{}d"), *_dims("F.max_unpool{}d"), *(f"aten.{op}" for op in (
        "convolution", "_convolution", *_dims("conv{}d"), "mm", "bmm", "addmm", "matmul", "linear", "einsum",
        "batch_norm", "group_norm", "layer_norm", "instance_norm", "upsample_nearest2d", "upsample_bilinear2d",
        "adaptive_avg_pool2d", "grid_sampler",
    ))),
)  # fmt: skip

TORCHSCAN = Convention(
    "torch-scan", "torchscan", "0.2.0", "macs", "MACs",
    modules={
        **_each(CONVS, Work.CONVOLUTION, "macs"),
        **_each(TRANSPOSED, Work.CONVOLUTION, "outputs * (in_channels // groups) * kernel + 4 * (rank - 2)"),
        **_each(("nn.Linear",), Work.LINEAR, "in_features * outputs"),
        **_each((*BATCH_NORMS, "nn.SyncBatchNorm"), Work.NORM, "inputs * (1 + affine)"),
        # One number for the kernel size is taken for the number of elements in a window.
        **_each(MAX_POOLS, Work.POOLING, "outputs * (written_kernel - 1)"),
        **_each(AVG_POOLS, Work.POOLING, "outputs * (written_kernel - 1 + rank - 2)"),
        **_each(ADAPTIVE_MAX, Work.POOLING, "outputs * (near_window - 1)"),
        **_each(ADAPTIVE_AVG, Work.POOLING, "outputs * (near_window - 1 + rank - 2)"),
    },
    subclasses=True,
)  # fmt: skip

CONVENTIONS = {
    each.name: each
    for each in (
        THOP, PTFLOPS, PTFLOPS_OF_MODULES, TORCHINFO, _calflops(mac=True), _calflops(mac=False), _deepspeed(mac=True),
        _deepspeed(mac=False), FVCORE, TORCHSCAN,
    )
}  # fmt: skip
"""Every convention by its name, the best known first."""

REPLACED = tuple(
    dict.fromkeys(
        name for each in CONVENTIONS.values() for name in each.functions
        if not (each.traces and name.startswith("torch."))  # F.layer_norm calls torch.layer_norm: it is one op
    )
)  # fmt: skip
"""The names of all functions that counters replace."""
