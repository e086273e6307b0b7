"""Samples of elementwise ops: those with a rule of their own, and some that share the pointwise rule."""

import torch

from tests.ops.aten.samples import OpSample, by_hand, on_cpu, op
from tests.ops.samples import Tensor, index

X = (2, 3, 4)
ZERO, ON = Tensor((1,), torch.int32, below=1), Tensor((1,), torch.int64, below=2)
ZERO_POINTS = Tensor((3,), torch.int32, below=3)
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

_POLYNOMIALS = (
    *(f"{shifted}chebyshev_polynomial_{kind}" for shifted in ("", "shifted_") for kind in "tuvw"),
    *("hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p"),
)

SAMPLES: list[OpSample] = [
    *(op(f"special_{name}", X, (3, 1)) for name in (*_POLYNOMIALS, "zeta")),
    *(op(name, X, X) for name in ("igamma", "igamma_", "igammac", "igammac_")),
    *(op(name, X, X) for name in ("logical_and_", "logical_or_", "logical_xor_")),
    op("logical_not_", X),
    *(op(name, X, (3, 1)) for name in ("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_")),
    *(
        op(f"{name}{in_place}", X)
        for name in ("neg", "abs", "sqrt", "tanh", "leaky_relu", "elu", "silu")
        for in_place in ("", "_")
    ),
    op("gelu", X),
    *(op(name, X) for name in ("exp", "exp_", "relu", "relu_", "sigmoid", "sigmoid_")),
    *(op(name, X, (3, 1)) for name in (*_COMPARISONS, "maximum", "minimum", "fmax", "fmin")),
    *(op(f"{name}_", X, 0.5) for name in _COMPARISONS),
    *(op(name, X) for name in ("isnan", "isinf", "isposinf", "isneginf")),
    *(op(name, X) for name in ("nan_to_num", "nan_to_num_", "sign", "sign_", "sgn", "sgn_")),
    op("heaviside", X, (4,)),
    op("isin", X, (7,)),
    op("isin", 3, (7,)),
    *(op(name, X) for name in ("hardswish", "hardswish_", "mish_", "gelu_", "log_sigmoid_forward")),
    op("threshold_", X, 0.5, 0.0),
    op("softshrink", X, 0.5),
    *(op(name, X, (3, 1)) for name in ("pow", "hypot", "copysign")),
    *(op(name, X, X) for name in ("pow_", "hypot_")),
    on_cpu("rrelu_with_noise", X, X, 0.1, 0.3, False),
    on_cpu("rrelu_with_noise_", X, X, 0.1, 0.3, True),
    op("_prelu_kernel", X, (1, 3, 1)),
    *(op(name, X, X) for name in ("copysign_", "heaviside_", "xlogy_", "floor_divide_")),
    *(op(name, index(*X), index(4)) for name in ("gcd_", "lcm_")),
    op("floor_divide", X, (3, 1)),
    op("polar", X, (3, 1)),
    op("complex", X, (3, 1)),
    op("_add_relu", X, (3, 1)),
    op("frexp", X),
    op("native_dropout", X, 0.5, True),
    on_cpu("fake_quantize_per_tensor_affine_cachemask", X, 0.1, 0, -128, 127),
    on_cpu("fake_quantize_per_channel_affine_cachemask", X, (3,), ZERO_POINTS, 1, -128, 127),
    on_cpu("_fake_quantize_per_tensor_affine_cachemask_tensor_qparams", X, (1,), ZERO, ON, -128, 127),
    on_cpu("_fused_moving_avg_obs_fq_helper", X, ON, ON, (1,), (1,), (1,), ZERO, 0.1, -128, 127, -1),
    on_cpu("quantize_per_tensor", X, 0.1, 0, torch.quint8),
    on_cpu("quantize_per_channel", X, (3,), index(3), 1, torch.quint8),
    on_cpu("dequantize", X),
    op("glu", X),
    op("glu", (2, 6, 4), 1),
    # The fused cells run on CUDA only: one next state for the GRU, hidden and cell state for the LSTM.
    *(by_hand(f"prims.{name}", X, (3, 1), results=(X,)) for name in ("add", "sub", "mul", "div")),
    by_hand("_thnn_fused_lstm_cell", (2, 20), (2, 20), (2, 5), results=((2, 5), (2, 5))),
    by_hand("_thnn_fused_gru_cell", (2, 15), (2, 15), (2, 5), results=((2, 5),)),
    op("add", X, (3, 1)),
    op("addcmul", (4,), X, (3, 1)),
    op("mul_", X, 2.0),
    op("clamp", X, (3, 1), None),
    op("lerp", X, X, 0.5),
]
