"""Samples of indexing."""

import torch

from tests.ops.aten.samples import OpSample, by_values, op
from tests.ops.samples import Tensor, index

X = (4, 5, 6)
PAIRS = index(2, 3)
MASK = Tensor((4, 5), torch.bool, below=2)

SAMPLES: list[OpSample] = [
    op("index", X, [PAIRS]),
    op("index", X, [None, PAIRS]),
    op("index", X, [None, PAIRS, index(3)]),
    op("index", X, [PAIRS, None, index(3)]),
    op("index", X, [index(2, 1), index(3), PAIRS]),
    by_values("index", X, [MASK]),
    op("_unsafe_index", X, [None, index(7, 1), index(8)]),
    op("_unsafe_masked_index", X, Tensor((2, 3, 1, 1), torch.bool), [PAIRS], 0),
    op("index_select", X, 1, index(9)),
    op("index_select", X, -1, index(2)),
    op("gather", X, 1, index(3, 2, 6)),
    op("take", X, PAIRS),
    op("embedding", (10, 7), PAIRS),
    op("embedding", (10, 7), index()),
    OpSample("embedding_renorm_", ((10, 7), PAIRS, 1.0, 2.0), device="cpu"),
    op("_embedding_bag", (10, 7), index(6), index(3)),
    op("_embedding_bag_forward_only", (10, 7), index(6), index(3), False, 1),
    op("_embedding_bag", (10, 7), index(6), index(4), False, 0, False, None, True),
    # Six looked-up rows of 7, each times its weight and added up.
    OpSample("_embedding_bag", ((10, 7), index(6), index(3), False, 0, False, (6,)), macs=6 * 7),
    *(op(f"scatter{suffix}", X, 0, index(2, 3, 4), (2, 3, 4)) for suffix in ("", "_", "_add", "_add_")),
    *(op(f"scatter_reduce{suffix}", X, 0, index(2, 3, 4), (2, 3, 4), "sum") for suffix in ("", "_")),
    *(op(f"index_put{suffix}", X, [PAIRS], (2, 3, 5, 6)) for suffix in ("", "_")),
    op("_index_put_impl_", X, [PAIRS], (6,)),
    op("_unsafe_index_put", X, [PAIRS], (6,)),
    *(op(f"index_{name}{suffix}", X, 1, index(2), (4, 2, 6)) for name in ("copy", "add") for suffix in ("", "_")),
    *(op(f"index_reduce{suffix}", X, 1, index(2), (4, 2, 6), "prod") for suffix in ("", "_")),
    *(op(f"index_fill{suffix}", X, 1, index(2), 0.0) for suffix in ("", "_")),
    *(op(f"put{suffix}", X, index(2), (2,)) for suffix in ("", "_")),
    op("repeat_interleave", index(3), output_size=8),
    by_values("repeat_interleave", index(3, below=3)),
    by_values("masked_select", X, Tensor(X, torch.bool, below=2)),
    by_values("nonzero", X),
    by_values("_unique2", (7,)),
    by_values("unique_dim", X, 0),
    by_values("unique_consecutive", (7,)),
]
