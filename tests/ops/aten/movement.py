"""Samples of copies."""

from dataclasses import replace

import torch

from tests.ops.aten.samples import OpSample, by_hand, by_values, on_cpu, op
from tests.ops.samples import Tensor, index

X = (2, 4, 6)
MASK = Tensor((2, 1, 6), torch.bool)

SAMPLES: list[OpSample] = [
    op("cat", [(2, 3), (2, 5), (2, 1)], 1),
    op("cat", [(2, 3), (4, 3)]),
    op("cat", [(0,), (2, 3), (4, 3)], -2),
    op("cat", [(0,), (0,)]),
    op("stack", [X, X, X], -1),
    op("stack", [X, X]),
    op("_stack", [X, X], 1),
    op("repeat", (3, 2), [4, 1, 2]),
    op("rot90", (3, 4)),
    op("rot90", (2, 3, 4), 2, [1, 2]),
    op("rot90", (2, 3, 4), -1, [0, 2]),
    op("roll", X, [1, 2], [0, -1]),
    op("flip", X, [0, 2]),
    op("channel_shuffle", (1, 6, 4, 4), 3),
    op("tril", (3, 4), -1),
    op("tril_", (3, 4)),
    op("triu", (3, 4), 1),
    op("triu_", (3, 4)),
    op("clone", X),
    op("_to_copy", X, dtype=torch.float16),
    by_hand("_to_copy", 2, results=((),)),
    op("copy", X, (6,)),
    op("copy_", X, (6,)),
    op("slice_scatter", X, (2, 2, 6), 1, 1, 3),
    op("select_scatter", X, (2, 6), 1, 0),
    op("diagonal_scatter", (4, 6), (4,)),
    op("as_strided_scatter", X, (2, 3), [2, 3], [3, 1]),
    op("masked_fill", X, MASK, 0.0),
    op("masked_fill", X, MASK, ()),
    op("masked_fill", (1, 6), Tensor((4, 1), torch.bool), 0.0),
    op("masked_fill_", X, MASK, 0.0),
    op("where", MASK, X, ()),
    op("masked_scatter", (6,), MASK, (24,)),
    op("masked_scatter_", X, MASK, (48,)),
    op("constant_pad_nd", X, [1, 2, -1, 0]),
    op("reflection_pad1d", X, [1, 2]),
    op("reflection_pad2d", X, [1, 2, 3, 0]),
    op("reflection_pad3d", (2, 4, 6, 5), [1, 2, 3, 0, 1, 1]),
    op("replication_pad1d", X, [7, 2]),
    op("replication_pad2d", X, [1, 2, 8, 0]),
    op("replication_pad3d", (1, 2, 4, 6, 5), [1, 2, 3, 0, 1, 1]),
    op("im2col", (2, 3, 9, 8), [3, 2], [2, 1], [1, 0], [2, 3]),
    op("im2col", (3, 9, 8), [3, 3], [1, 1], [0, 0], [1, 1]),
    on_cpu("unfold_backward", (2, 4, 3), [2, 9], 1, 3, 2),
    op("block_diag", [(2, 3), (4,), (1, 5)]),
    op("pixel_shuffle", (2, 12, 3, 4), 2),
    op("pixel_unshuffle", (12, 6, 4), 2),
    by_values("_pack_padded_sequence", (2, 4, 6), index(2, below=4), True),
    by_values("_nested_tensor_from_tensor_list", [(2, 3), (4, 3)]),
    *(replace(by_hand(name, X, results=(X,)), shape_known=False) for name in ("values", "to_padded_tensor")),
    # 3 sequences, 5 rows in all; 4 places for each.
    on_cpu("_jagged_to_padded_dense_forward", (5, 7), [Tensor((4,), torch.int64, 6)], [4]),
    by_hand("_padded_dense_to_jagged_forward", (3, 4, 7), [], 5, results=((5, 7),)),
    replace(by_hand("_padded_dense_to_jagged_forward", (3, 4, 7), [], results=((5, 7),)), shape_known=False),
    on_cpu("_to_sparse", X),
    on_cpu("_to_sparse_csr", (3, 4)),
    by_hand("_to_dense", X, results=(X,)),  # runs on sparse tensors only
    on_cpu("is_same_size", X, (2,)),
    on_cpu("_has_same_storage_numel", X, X),
    on_cpu("_assert_async", Tensor((), torch.bool, below=2)),
    on_cpu("_local_scalar_dense", ()),
    on_cpu("_functional_assert_async", Tensor((), torch.bool, below=2), "", (3,)),
]
