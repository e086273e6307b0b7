"""Samples of linear algebra, convolution, attention and Fourier transforms.

MACs come from torch's counter, or by hand where it has no formula.
"""

from dataclasses import replace

import torch

from tests.ops.aten.samples import OpSample, by_algorithm, by_hand, counted, on_cpu, op
from tests.ops.samples import Tensor

COMPLEX = torch.complex64
INT8 = torch.int8
BF16 = torch.bfloat16
ENDS = Tensor((2,), torch.int32, 17)
"""Where each of two groups ends."""
HEADS = (2, 3, 5, 8)

SAMPLES: list[OpSample] = [
    op("mm", (4, 5), (5, 6)),
    op("bmm", (3, 4, 5), (3, 5, 6)),
    counted(4 * 5, "mv", (4, 5), (5,)),
    counted(5, "dot", (5,), (5,)),
    counted(5, "vdot", (5,), (5,)),
    counted(32 * 16 * 8, "_int_mm", Tensor((32, 16), INT8), Tensor((16, 8), INT8)),
    op("addmm", (6,), (4, 5), (5, 6), beta=0.5),
    op("baddbmm", (1, 4, 6), (3, 4, 5), (3, 5, 6)),
    counted(4 * 5, "addmv", (4,), (4, 5), (5,)),
    counted(4 * 5, "addmv_", (4,), (4, 5), (5,)),
    counted(4 * 5 * 6, "addmm_", (4, 6), (4, 5), (5, 6)),
    counted(3 * 4 * 5 * 6, "baddbmm_", (3, 4, 6), (3, 4, 5), (3, 5, 6)),
    counted(4 * 5 * 6, "_addmm_activation", (6,), (4, 5), (5, 6)),
    counted(3 * 4 * 5 * 6, "addbmm", (4, 6), (3, 4, 5), (3, 5, 6)),
    counted(3 * 4 * 5 * 6, "addbmm_", (4, 6), (3, 4, 5), (3, 5, 6)),
    # 16 rows with the 8 x 24 matrix of their group; 8 x 16 with 16 columns; 2 groups; sums over 16 in 2 groups.
    counted(16 * 8 * 24, "_grouped_mm", Tensor((16, 8), BF16), Tensor((2, 8, 24), BF16), ENDS),
    counted(8 * 16 * 16, "_grouped_mm", Tensor((2, 8, 16), BF16), Tensor((16, 16), BF16), offs=ENDS),
    counted(2 * 4 * 8 * 16, "_grouped_mm", Tensor((2, 4, 8), BF16), Tensor((2, 8, 16), BF16)),
    counted(8 * 16 * 24, "_grouped_mm", Tensor((8, 16), BF16), Tensor((16, 24), BF16), ENDS),
    # Torch runs these as ops of their own on nested tensors alone.
    replace(by_hand("matmul", (3, 4, 5), (3, 5, 6), results=((3, 4, 6),)), macs=3 * 4 * 5 * 6),
    replace(by_hand("linear", (3, 4, 5), (6, 5), (6,), results=((3, 4, 6),)), macs=3 * 4 * 5 * 6),
    op("addr", (4, 5), (4,), (5,)),
    op("linalg_cross", (2, 3), (1, 3)),
    by_algorithm("linalg_matrix_exp", (2, 4, 4)),
    by_algorithm("_linalg_det", (2, 4, 4)),
    by_algorithm("_linalg_slogdet", (2, 4, 4)),
    *(by_algorithm("_linalg_svd", (2, *shape), full) for shape in ((4, 6), (6, 4)) for full in (False, True)),
    by_algorithm("_linalg_svd", (2, 4, 6), False, False),
    *(by_algorithm("linalg_qr", (2, *shape), mode) for shape in ((4, 6), (6, 4)) for mode in ("reduced", "complete")),
    by_algorithm("_linalg_eigh", (2, 4, 4)),
    by_algorithm("linalg_eig", (2, 4, 4)),
    replace(by_algorithm("linalg_pinv", (2, 4, 6)), device="cpu"),
    *(by_algorithm("linalg_lu", (2, *shape)) for shape in ((4, 6), (6, 4))),
    by_algorithm("linalg_lu_factor_ex", (2, 4, 6)),
    by_algorithm("cholesky_solve", (2, 4, 3), (2, 4, 4)),
    on_cpu("_linalg_check_errors", Tensor((), torch.int32), "inv", is_matrix=True),
    by_algorithm("linalg_inv_ex", (2, 4, 4)),
    by_algorithm("linalg_cholesky_ex", (2, 4, 4)),
    by_algorithm("_linalg_solve_ex", (2, 4, 4), (2, 4, 3)),
    by_algorithm("linalg_solve_triangular", (4, 4), (4, 3), upper=True),
    # 6 positions, 2 outputs: each is a product of 5 with a 5 x 3 matrix, then of 3.
    counted(6 * 2 * (5 * 3 + 3), "_trilinear", (6, 5), (2, 5, 3), (6, 3), [1, 3], [0], [1, 2], [2, 3]),
    op("convolution", (2, 4, 9, 9), (6, 2, 3, 3), (6,), [2, 1], [1, 0], [1, 2], False, [0, 0], 2),
    op("convolution", (2, 4, 9), (4, 6, 3), None, [2], [1], [1], True, [1], 1),
    on_cpu("_convolution", (2, 4, 9), (6, 4, 3), None, [1], [1], [1], False, [0], 1, False, False, False, False),
    # Scores and weighted sum of 5 x 5 pairs with 8 features each, for 2 samples and 3 heads.
    OpSample(
        "_scaled_dot_product_flash_attention_for_cpu", (HEADS,) * 3, device="cpu", macs=2 * 3 * (5 * 5 * 8 + 5 * 5 * 8)
    ),
    op("_scaled_dot_product_flash_attention", HEADS, HEADS, HEADS),
    op("_scaled_dot_product_efficient_attention", HEADS, (2, 3, 7, 8), (2, 3, 7, 8), None, False),
    op("_scaled_dot_product_cudnn_attention", HEADS, HEADS, HEADS, None, False),
    by_algorithm("_fft_r2c", (2, 6, 9), [1, 2], 0, True),
    by_algorithm("_fft_r2c", (2, 6, 9), [1], 0, False),
    by_algorithm("_fft_c2r", Tensor((2, 6, 5), COMPLEX), [1, 2], 0, 9),
    by_algorithm("_fft_c2c", Tensor((2, 6, 5), COMPLEX), [2], 0, True),
]
