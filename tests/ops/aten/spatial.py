"""Samples of resampled maps."""

from tests.ops.aten.samples import OpSample, counted, on_cpu, op
from tests.ops.samples import index

MAP, CUBE = (2, 3, 11, 9), (2, 3, 7, 9, 8)

SAMPLES: list[OpSample] = [
    op("avg_pool2d", MAP, [3, 2], [2, 2], [1, 0]),
    op("avg_pool2d", MAP, [3], [], [0], True),
    op("avg_pool3d", CUBE, [2, 3, 2]),
    op("max_pool2d_with_indices", MAP, [3, 2], [2, 1], [1, 1], [2, 1]),
    op("max_pool2d_with_indices", MAP, [2], [], 0, 1, True),
    op("max_pool3d_with_indices", CUBE, [2], [3]),
    op("_adaptive_avg_pool2d", MAP, [4, 5]),
    op("_adaptive_avg_pool3d", CUBE, [1, 2, 3]),
    op("adaptive_max_pool2d", MAP, [4, 5]),
    op("adaptive_max_pool3d", CUBE[1:], [1, 2, 3]),
    op("fractional_max_pool2d", MAP, [2, 2], [5, 6], (2, 3, 2)),
    op("fractional_max_pool3d", CUBE, [2, 2, 2], [3, 4, 5], (2, 3, 3)),
    op("max_unpool2d", MAP, index(*MAP), [22, 18]),
    op("max_unpool3d", CUBE, index(*CUBE), [14, 18, 16], [2, 2, 2], [0, 0, 0]),
    op("grid_sampler_2d", MAP, (2, 5, 6, 2), 0, 0, False),
    op("grid_sampler_3d", CUBE, (2, 5, 6, 4, 3), 0, 0, False),
    *(op(name, (2, 3, 9), [18]) for name in ("upsample_nearest1d", "_upsample_nearest_exact1d")),
    *(op(name, MAP, [22, 20]) for name in ("upsample_nearest2d", "_upsample_nearest_exact2d")),
    *(op(name, CUBE, [14, 20, 8]) for name in ("upsample_nearest3d", "_upsample_nearest_exact3d")),
    op("upsample_linear1d", (2, 3, 9), [18], False),
    *(op(f"upsample_{mode}2d", MAP, [5, 20], True) for mode in ("bilinear", "bicubic")),
    *(op(f"_upsample_{mode}2d_aa", MAP, [5, 20], False) for mode in ("bilinear", "bicubic", "lanczos")),
    op("upsample_trilinear3d", CUBE, [14, 20, 8], False),
    # Each of 5 * 6 positions (y, x, 1) times a 3 x 2 matrix, for 2 samples; (z, y, x, 1) times 4 x 3 in a volume.
    counted(2 * 5 * 6 * 3 * 2, "affine_grid_generator", (2, 2, 3), [2, 3, 5, 6], False),
    counted(2 * 5 * 6 * 4 * 4 * 3, "affine_grid_generator", (2, 3, 4), [2, 1, 5, 6, 4], True),
    op("col2im", (2, 12, 9), [4, 4], [2, 2], [1, 1], [0, 0], [1, 1]),
    on_cpu("col2im", (12, 9), [4, 4], [2, 2], [1, 1], [0, 0], [1, 1]),
]
