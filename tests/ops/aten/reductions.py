"""Samples of reductions, scans and sorting."""

import torch

from tests.ops.aten.samples import OpSample, by_values, counted, on_cpu, op
from tests.ops.samples import Tensor, index

X = (2, 3, 4)
_OVER = ("sum", "nansum", "mean", "var", "std", "amax", "amin", "all", "any", "logsumexp")
_ALONG = ("max", "min", "median", "nanmedian", "mode")

SAMPLES: list[OpSample] = [
    *(op(name, X, [0, -1], keepdim=keepdim) for name in _OVER for keepdim in (False, True)),
    *(
        op(name, X)
        for name in ("sum", "nansum", "mean", "prod", "amax", "amin", "all", "any", "count_nonzero", "var", "std")
    ),
    op("mean", X, []),
    op("sum", (), [0]),
    op("prod", X, 1, True),
    op("count_nonzero", X, [0, 1]),
    *(
        op(name, X, [1, 2], correction=1, keepdim=keepdim)
        for name in ("var_mean", "std_mean")
        for keepdim in (False, True)
    ),
    op("linalg_vector_norm", X),
    op("linalg_vector_norm", X, 1, [1], True),
    op("norm", X),
    op("norm", X, 2, [0, 1], True),
    op("trace", (4, 4)),
    op("dist", X, X),
    *(on_cpu(name, Tensor((3, 4), torch.bool)) for name in ("_is_all_true", "_is_any_true")),
    *(op(name, X, 1) for name in ("cumsum", "cumsum_", "cumprod", "cumprod_", "logcumsumexp")),
    op("_cdist_forward", (2, 5, 3), (1, 7, 3), 2.0, None),
    # Squared distances of 5 and 7 points with 3 + 2 coordinates, twice.
    counted(2 * 5 * 7 * (3 + 2), "_euclidean_dist", (2, 5, 3), (2, 7, 3)),
    on_cpu("_pdist_forward", (5, 3)),
    by_values("bincount", index(5)),
    on_cpu("histc", X, 7),
    *(op(name, X, X, 1) for name in ("mse_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss")),
    *(op(name, X, X, 0) for name in ("mse_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss")),
    *(on_cpu("multi_margin_loss", (5, 3), index(5), 1, 1.0, None, reduction) for reduction in (0, 1)),
    on_cpu("multi_margin_loss", (5, 3), index(5), 1, 0.0),
    *(on_cpu("multilabel_margin_loss_forward", (5, 3), index(5, 3), reduction) for reduction in (0, 1)),
    on_cpu("_ctc_loss", (6, 2, 4), index(2, 3, below=2), [6, 6], [3, 3]),
    op("binary_cross_entropy", X, X),
    op("binary_cross_entropy", X, X, None, 0),
    op("binary_cross_entropy_with_logits", X, X, None, None, 2),
    op("nll_loss_forward", (5, 3), index(5), None, 1, -100),
    op("nll_loss_forward", (5, 3), index(5), None, 0, -100),
    op("nll_loss2d_forward", (2, 3, 4, 4), index(2, 4, 4), None, 0, -100),
    *(op(name, X, -1, False) for name in ("_softmax", "_log_softmax")),
    op("_safe_softmax", X, -1),
    on_cpu("_masked_softmax", (2, 2, 4, 4), Tensor((4, 4), torch.bool), 3, 0),
    op("aminmax", X, dim=1, keepdim=True),
    op("aminmax", X),
    on_cpu("_aminmax", X, 1),
    *(op(name, X, 1) for name in _ALONG),
    *(op(name, X, -1, True) for name in _ALONG),
    *(op(name, X) for name in ("max", "min", "median", "nanmedian", "mode")),
    *(op(name, X, *dims) for name in ("argmax", "argmin") for dims in ((), (1,), (None,), (-1, True))),
    op("kthvalue", X, 2, 1),
    op("topk", X, 2),
    op("topk", X, 1, 0),
    op("sort", X),
    op("sort", X, stable=True, dim=1),
    op("cummax", X, 1),
    op("cummin", X, 1),
    op("searchsorted", (7,), X),
    op("searchsorted", (7,), 0.5),
    op("bucketize", X, (7,)),
]
