"""Samples of ATen ops that compute: windows, products, reductions, normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.receptive.samples import BLOCKS, ELEMENTWISE, INDEXING, MOVEMENT, Sample, aten, mixed


def weights(*shape: int) -> Tensor:
    return torch.ones(shape)


def ends(*rows: int) -> Tensor:
    return torch.tensor(rows, dtype=torch.int32)


def rows(x: Tensor) -> Tensor:
    """Rows of 8 numbers, which start where a grouped product may."""
    return F.pad(x, (0, 2)).bfloat16()


WINDOWS = [
    Sample("aten.convolution", lambda x: F.conv2d(x, weights(3, 2, 2, 3), None, (2, 1), (1, 2), (1, 2))),
    Sample("aten.convolution", lambda x: F.conv2d(x, weights(6, 1, 3, 1), padding=1, groups=2)),
    Sample(
        "aten.convolution", lambda x: F.conv2d(torch.cat([x, mixed(x)[:, :, :5]], 1), weights(4, 2, 1, 1), groups=2)
    ),
    Sample("aten.convolution", lambda x: F.conv1d(x, weights(2, 2, 3), stride=2), (1, 2, 9)),
    Sample("aten.convolution", lambda x: F.conv3d(x, weights(2, 2, 2, 3, 1), padding=(1, 0, 2)), (1, 2, 3, 4, 5)),
    Sample("aten.convolution", lambda x: F.conv2d(x, weights(2, 2, 3, 3)), (2, 5, 6)),
    Sample("aten.convolution", lambda x: F.conv2d(x, x[:, :, :2, :2].transpose(0, 1).repeat(1, 2, 1, 1))),
    Sample("aten.convolution", lambda x: F.conv2d(x, weights(1, 2, 1, 1), x.sum((0, 1, 2, 3)).view(1))),
    Sample("aten.convolution", lambda x: F.conv_transpose2d(x, weights(2, 3, 3, 2), None, (2, 3), 1, 1, 1, (2, 1))),
    Sample("aten.convolution", lambda x: F.conv_transpose2d(x, weights(2, 2, 1, 2), None, 2, groups=2)),
    Sample("aten.convolution", lambda x: F.conv_transpose1d(x, x[:, :, 3:4]), (1, 1, 7)),
    Sample("aten._convolution", lambda x: aten._convolution(
        x, weights(2, 2, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, False, False)),
    Sample("aten.max_pool2d_with_indices", lambda x: F.max_pool2d(x, (2, 3), (2, 1), (1, 0), 1, True)),
    Sample("aten.max_pool2d_with_indices", lambda x: F.max_pool2d(x, 2, padding=1, dilation=2)),
    Sample("aten.max_pool3d_with_indices", lambda x: F.max_pool3d(x, (1, 2, 3), 1), (1, 2, 3, 4, 5)),
    Sample("aten.avg_pool2d", lambda x: F.avg_pool1d(x, 3, 2, 1), (1, 2, 7)),
    Sample("aten.avg_pool2d", lambda x: F.avg_pool2d(x, (2, 3), ceil_mode=True)),
    Sample("aten.avg_pool3d", lambda x: F.avg_pool3d(x, 2, 1, 1), (1, 2, 3, 4, 5)),
    Sample("aten._adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 4))),
    Sample("aten._adaptive_avg_pool3d", lambda x: F.adaptive_avg_pool3d(x, (2, 1, 7)), (1, 2, 3, 4, 5)),
    Sample("aten._adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool1d(x, 4), (1, 2, 7)),
    Sample("aten.adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (2, 5))),
    Sample("aten.adaptive_max_pool3d", lambda x: F.adaptive_max_pool3d(x, (2, 1, 3)), (1, 2, 3, 4, 5)),
    Sample("aten.upsample_nearest1d", lambda x: F.interpolate(x, 11), (1, 2, 7)),
    Sample("aten.upsample_nearest2d", lambda x: F.interpolate(x, scale_factor=(2, 1.7))),
    Sample("aten.upsample_nearest3d", lambda x: F.interpolate(x, (2, 8, 7)), (1, 2, 3, 4, 5)),
    Sample("aten._upsample_nearest_exact1d", lambda x: F.interpolate(x, 11, mode="nearest-exact"), (1, 2, 7)),
    Sample("aten._upsample_nearest_exact2d", lambda x: F.interpolate(x, (3, 14), mode="nearest-exact")),
    Sample("aten._upsample_nearest_exact3d", lambda x: F.interpolate(x, 4, mode="nearest-exact"), (1, 2, 3, 4, 5)),
    Sample("aten.upsample_linear1d", lambda x: F.interpolate(x, scale_factor=1.5, mode="linear"), (1, 2, 7)),
    Sample("aten.upsample_bilinear2d", lambda x: F.interpolate(x, (10, 9), mode="bilinear", align_corners=True)),
    Sample("aten.upsample_bilinear2d", lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear")),
    Sample("aten.upsample_trilinear3d", lambda x: F.interpolate(x, (2, 4, 9), mode="trilinear"), (1, 2, 3, 4, 5)),
    Sample("aten.upsample_bicubic2d", lambda x: F.interpolate(x, (9, 4), mode="bicubic"), (1, 2, 7, 8)),
    Sample("aten._upsample_bilinear2d_aa", lambda x: F.interpolate(x, (3, 8), mode="bilinear", antialias=True)),
    Sample("aten._upsample_lanczos2d_aa", lambda x: aten._upsample_lanczos2d_aa(x, [3, 8], False), (1, 1, 9, 9)),
    Sample("aten._upsample_bicubic2d_aa", lambda x: F.interpolate(x, 4, mode="bicubic", antialias=True), (1, 1, 9, 9)),
]  # fmt: skip

MIXING = [
    Sample("aten.mm", lambda x: x[0, 0] @ weights(6, 3) + weights(5, 5) @ x[0, 1] @ weights(6, 3)),
    Sample("aten.mm", lambda x: x[0, 0] @ x[0, 1].T),
    Sample("aten.bmm", lambda x: x[0] @ x[0].transpose(1, 2)),
    Sample("aten.addmm aten.addmm_", lambda x: (x[0, 0] @ x[0, 1].T).addmm_(x[0, 0], weights(6, 5))
           + torch.addmm(x[0, 0, 0, :5], x[0, 0], weights(6, 5))),
    Sample("aten.addmm", lambda x: torch.addmm(x[0, 1, :, :5], x[0, 0], weights(6, 5), beta=0)),
    Sample("aten.baddbmm", lambda x: torch.baddbmm(x[0, :, :, :5], x[0], weights(2, 6, 5), beta=0)),
    Sample("aten._addmm_activation", lambda x: aten._addmm_activation(x[0, 0, 0, :5], x[0, 0], weights(6, 5))),
    Sample("aten.baddbmm", lambda x: torch.baddbmm(x[0], weights(2, 5, 5), x[0])),
    Sample("aten.baddbmm_", lambda x: (x[0] * 1).baddbmm_(x[0], weights(2, 6, 6))),
    Sample("aten._grouped_mm", lambda x: torch._grouped_mm(rows(x[0, 0]), rows(weights(2, 8, 6)), offs=ends(2, 5))),
    Sample(  # Two columns of each matrix hold zeros, which NaN would pass.
        "aten._grouped_mm", lambda x: torch._grouped_mm(rows(x[0]), rows(weights(2, 8, 6))), marks=(100.0, -100.0)
    ),
    Sample("aten._jagged_to_padded_dense_forward",
           lambda x: aten._jagged_to_padded_dense_forward(x[0, 0], [torch.tensor([0, 2, 5])], [3])),
    Sample("aten._padded_dense_to_jagged_forward",
           lambda x: aten._padded_dense_to_jagged_forward(x[0], [torch.tensor([0, 3, 5])], 5)),
    Sample("aten.mv", lambda x: x[0, 0] @ x[0, 1, 2]),
    Sample("aten.addmv", lambda x: torch.addmv(x[0, 1, :, 0], x[0, 0], weights(6))),
    Sample("aten.addmv_", lambda x: (x[0, 1, :, 0] * 1).addmv_(x[0, 0], weights(6))),
    Sample("aten.dot aten.vdot", lambda x: x[0, 0, 0] @ x[0, 1, 2] + torch.vdot(x[0, 0, 1], x[0, 1, 1])),
    Sample("aten._trilinear", lambda x: F.bilinear(x, x.flip(2), weights(3, 6, 6))),
    Sample("aten._cdist_forward", lambda x: torch.cdist(x[0], x[0, :, :3])),
    Sample("aten._euclidean_dist", lambda x: torch.cdist(x[0, 0], x[0, 1], compute_mode="use_mm_for_euclid_dist")),
    Sample("aten._is_all_true", lambda x: aten._is_all_true(x[0, 0] < 50), marks=(100.0,)),
    Sample("aten._is_any_true", lambda x: aten._is_any_true(x[0, 0] > 50), marks=(100.0,)),
    Sample("aten.mean", lambda x: x.mean((1, -1))),
    Sample("aten.mean", lambda x: x.mean()),
    Sample("aten.sum", lambda x: x.sum(2, keepdim=True)),
    Sample("aten.sum", lambda x: x.sum(())),
    Sample("aten.amax aten.amin", lambda x: x.amax(2) + x.amin(2)),
    Sample("aten.max aten.min", lambda x: x.max(3)[0] + x.min(3)[0]),
    Sample("aten.max aten.min", lambda x: x.max() - x.min()),
    Sample("aten.aminmax", lambda x: sum(torch.aminmax(x, dim=2))),
    Sample("aten._aminmax", lambda x: sum(aten._aminmax(x, 2))),
    Sample("aten.dist", lambda x: torch.dist(x[:, 0], x[:, 1, :4, :5].mean())),
    Sample("aten.var aten.std", lambda x: x.var(2) + x.std(2)),
    Sample("aten.var_mean aten.std_mean", lambda x: torch.var_mean(x, 3)[1] + torch.std_mean(x, 3)[0]),
    Sample("aten.prod", lambda x: x.prod(2)),
    Sample("aten.logsumexp", lambda x: x.logsumexp(3)),
    Sample("aten.argmax aten.argmin", lambda x: x.argmax(2) + 10 * x.argmin(2)),
    Sample("aten.any aten.all", lambda x: (x > 50).any(2).int() + (x > -50).all(2).int()),
    Sample("aten.median", lambda x: x.median(2)[0]),
    Sample("aten.nanmedian", lambda x: x.nanmedian(2)[0], marks=(100.0, -100.0)),
    Sample("aten.mode", lambda x: x.mode(2)[0], marks=(-100.0,)),
    Sample("aten.nansum", lambda x: x.nansum(2)),
    Sample("aten.count_nonzero", lambda x: x.count_nonzero(3), marks=(0.0,)),
    Sample("aten.linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, dim=(1, 2))),
    Sample("aten.norm", lambda x: aten.norm.ScalarOpt_dim(x, 2, [3], True)),
    Sample("aten.kthvalue", lambda x: x.kthvalue(3, 2)[0]),
    Sample("aten._softmax", lambda x: x.softmax(3)),
    Sample("aten._safe_softmax", lambda x: aten._safe_softmax(x, 2)),
    Sample("aten._log_softmax", lambda x: x.log_softmax(-2)),
    Sample("aten.sort", lambda x: x.sort(2)[0]),
    Sample("aten.topk", lambda x: x.topk(3, 3)[0]),
    Sample("aten.cumsum aten.cumsum_", lambda x: x.cumsum(2) + (x * 1).cumsum_(2)),
    Sample("aten.cumprod", lambda x: x.cumprod(3)),
    Sample("aten.cumprod_", lambda x: (x * 1).cumprod_(2)),
    Sample("aten.logcumsumexp", lambda x: x.logcumsumexp(2)),
    Sample("aten.cummax aten.cummin", lambda x: x.cummax(2)[0] + x.cummin(2)[0]),
    Sample("aten._fft_r2c aten._fft_c2r", lambda x: torch.fft.irfft(torch.fft.rfft(x)[..., :2])),
    Sample("aten._fft_c2c", lambda x: torch.fft.fft(x + 0j, dim=2).real),
]  # fmt: skip

NORMS = [
    Sample("aten.native_batch_norm", lambda x: F.batch_norm(x, torch.zeros(2), torch.ones(2))),
    Sample("aten.native_batch_norm", lambda x: F.batch_norm(x, None, None, training=True)),
    Sample("aten.native_batch_norm", lambda x: F.batch_norm(x, torch.zeros(2), torch.ones(2), x[0, :, 1, 1])),
    Sample("aten._native_batch_norm_legit", lambda x: aten._native_batch_norm_legit.no_stats(
        x, None, None, True, 0.1, 1e-5)[0]),
    Sample("aten._native_batch_norm_legit_functional", lambda x: aten._native_batch_norm_legit_functional(
        x, None, None, torch.zeros(2), torch.ones(2), True, 0.1, 1e-5)[0]),
    Sample("aten._native_batch_norm_legit_no_training", lambda x: aten._native_batch_norm_legit_no_training(
        x, None, None, torch.zeros(2), torch.ones(2), 0.1, 1e-5)[0]),
    Sample("aten.native_group_norm", lambda x: F.group_norm(
        torch.cat([x, x[:, :, 1:].mean((2, 3), True).expand(x.shape)], 1), 2)),
    Sample("aten.native_layer_norm", lambda x: F.layer_norm(x, (6,))),
    Sample("aten.native_layer_norm", lambda x: F.layer_norm(x, (5, 6), x[0, 0], x[0, 1])),
]  # fmt: skip

SAMPLES = [*MOVEMENT, *BLOCKS, *INDEXING, *ELEMENTWISE, *WINDOWS, *MIXING, *NORMS]
