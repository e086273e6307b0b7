"""Samples of ATen ops that mix whole tensors or look things up: losses, factorisations, attention, packed sequences."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from tests.receptive.samples import Sample, aten, mixed

HEADS = (1, 2, 5, 4)
FINITE = (3.0, -5.0)
"""Marks for factorisations, which refuse NaN."""


def matrices(x: Tensor) -> Tensor:
    """Square matrices that are far from singular."""
    return x[..., :4, :4] + 3 * torch.eye(4)


LOSSES = [
    *(
        Sample(f"aten.{name}", lambda x, name=name, reduction=reduction: getattr(aten, name)(x, x.flip(2), reduction))
        for name in ("mse_loss", "smooth_l1_loss", "huber_loss", "soft_margin_loss")
        for reduction in (0, 1, 2)
    ),
    *(
        Sample(
            "aten.binary_cross_entropy",
            lambda x, reduction=reduction: aten.binary_cross_entropy(
                x.clamp(0, 1), torch.full((1, 2, 5, 6), 0.3), x[:, :1], reduction
            ),
            marks=(0.05, 0.99),
        )
        for reduction in (0, 1)
    ),
    *(
        Sample(
            "aten.binary_cross_entropy_with_logits",
            lambda x, reduction=reduction: aten.binary_cross_entropy_with_logits(x, x.flip(3), None, None, reduction),
        )
        for reduction in (0, 2)
    ),
    *(
        Sample(
            "aten.nll_loss2d_forward",
            lambda x, reduction=reduction: F.cross_entropy(x, torch.ones(1, 5, 6).long(), reduction=reduction),
        )
        for reduction in ("none", "mean")
    ),
    *(
        Sample(
            "aten.nll_loss_forward",
            lambda x, reduction=reduction: F.nll_loss(
                x.mean(1).log_softmax(0).T, torch.tensor([1, 0, 1, 1]), torch.ones(3), reduction=reduction
            ),
            (3, 2, 4),
        )
        for reduction in ("none", "sum")
    ),
]

LOSSES += [
    *(
        Sample(
            "aten.multi_margin_loss",
            lambda x, reduction=reduction: F.multi_margin_loss(
                x[0, 0], torch.tensor([1, 0, 3, 2, 5]), reduction=reduction
            ),
        )
        for reduction in ("none", "mean")
    ),
    Sample(
        "aten.multilabel_margin_loss_forward",
        lambda x: F.multilabel_margin_loss(
            x[0, 0], torch.tensor([[0, 1, 2, 3, 4, 5]]).expand(5, 6) * 0, reduction="none"
        ),
    ),
    Sample(
        "aten._ctc_loss",
        lambda x: F.ctc_loss(
            x[0].permute(1, 0, 2).log_softmax(2), torch.tensor([[1, 2], [3, 4]]), (5, 5), (2, 2), reduction="none"
        ),
        marks=(5.0, -5.0),
    ),
]

LINALG = [
    Sample("aten.linalg_eig", lambda x: torch.linalg.eigvals(matrices(x)).abs(), marks=FINITE),
    Sample("aten.linalg_pinv", lambda x: torch.linalg.pinv(x), marks=FINITE),
    Sample("aten.linalg_matrix_exp", lambda x: torch.linalg.matrix_exp(x[..., :4, :4]), marks=FINITE),
    Sample("aten.linalg_inv_ex", lambda x: torch.linalg.inv(matrices(x)), marks=FINITE),
    Sample("aten._linalg_solve_ex", lambda x: torch.linalg.solve(matrices(x), x[..., 1:, 3:]), marks=FINITE),
    Sample("aten._linalg_det", lambda x: torch.linalg.det(matrices(x)), marks=FINITE),
    Sample("aten._linalg_slogdet", lambda x: torch.linalg.slogdet(matrices(x))[1], marks=FINITE),
    Sample("aten._linalg_svd", lambda x: torch.linalg.svdvals(x), marks=FINITE),
    Sample("aten._linalg_eigh", lambda x: torch.linalg.eigvalsh(matrices(x)), marks=FINITE),
    Sample("aten.linalg_cross", lambda x: torch.linalg.cross(x, mixed(x)[:, :, :5], dim=3), (1, 2, 5, 3)),
    Sample("aten.linalg_cross", lambda x: torch.linalg.cross(x, x.flip(3), dim=2), (1, 2, 3, 4)),
    Sample("aten._pdist_forward", lambda x: F.pdist(x[0, 0])),
    Sample("aten.trace", lambda x: x[0, 0].trace() + x[0, 1, 1:3].trace()),
    Sample("aten._int_mm", lambda x: aten._int_mm((x[0, 0] > 50).to(torch.int8), torch.ones(8, 8).to(torch.int8)),
           (1, 1, 32, 8), marks=(100.0,)),
    Sample("aten.addbmm aten.addbmm_", lambda x: torch.addbmm(x[0, 0, :, :3], x[0], torch.ones(2, 6, 3))
           + (x[0, 1, :, :3] * 1).addbmm_(x[0], torch.ones(2, 6, 3))),
    Sample("aten.addr", lambda x: torch.addr(x[0, 1], x[0, 0, :, 2], x[0, 0, 1])),
]  # fmt: skip

ATTENTION = [
    Sample(
        "aten._scaled_dot_product_flash_attention_for_cpu",
        lambda x: aten._scaled_dot_product_flash_attention_for_cpu(x, x[:, :, 1:4], x[:, :, 2:])[0],
        HEADS,
    ),
    Sample("aten._masked_softmax", lambda x: aten._masked_softmax(x, torch.zeros(5, 5).bool(), 3, 0), (1, 2, 5, 5)),
]

TOKENS = (1, 1, 5, 6)
SOME = (3.0, -5.0)
"""Marks for sums of which one part is 0: NaN would pass a product with 0."""
LATER = torch.ones(5, 5, dtype=torch.bool).triu(1)


def scores(x: Tensor) -> Tensor:
    """[1, 1, 5, 5]: element (i, j) sees rows i and j."""
    return x.sum(3, True) + x.sum(3).unsqueeze(2)


def weighted(weights: Tensor, x: Tensor) -> Tensor:
    return torch.bmm(weights[0], x[0])


MASKS = [
    Sample("aten.masked_fill", lambda x: weighted(scores(x).masked_fill(LATER, -1e9).softmax(3), x), TOKENS, SOME),
    Sample("aten.masked_fill_", lambda x: weighted(scores(x).masked_fill_(LATER, 0.0), x), TOKENS, SOME),
    Sample("aten.where", lambda x: weighted(torch.where(LATER, -torch.inf, scores(x)).softmax(-1), x), TOKENS, SOME),
    Sample("aten.where", lambda x: torch.where(LATER[:, :1], x, x.flip(3))),
    Sample(
        "aten.add aten._safe_softmax",
        lambda x: weighted(aten._safe_softmax(scores(x) + torch.where(LATER, -torch.inf, 0.0), 3), x),
        TOKENS,
        SOME,
    ),
    Sample("aten.add_", lambda x: scores(x).add_(LATER * -1e4).softmax(3), TOKENS, SOME),
    Sample("aten.sub", lambda x: (scores(x).masked_fill(LATER, -1e9) - torch.arange(5.0)).softmax(3), TOKENS, SOME),
    Sample("aten.sub_", lambda x: scores(x).sub_(x[..., :1])),
    Sample("aten.mul aten.tril", lambda x: weighted((scores(x) * torch.ones(5, 5).tril(1)), x), TOKENS, SOME),
    Sample("aten.mul_", lambda x: weighted(scores(x).mul_(torch.eye(5)), x), TOKENS, SOME),
    Sample("aten.tril", lambda x: weighted(scores(x).tril(-1).clone(), x), TOKENS, SOME),
    Sample("aten.clone aten.triu_", lambda x: weighted(scores(x).clone().triu_(1), x), TOKENS, SOME),
    Sample("aten._to_copy aten.triu", lambda x: weighted(scores(x).triu().double().float(), x), TOKENS, SOME),
    Sample(
        "aten.div aten.exp",
        lambda x: weighted((scores(x) / 99).masked_fill(LATER, -1e9).exp() / 3, x),
        TOKENS,
        SOME,
    ),
    Sample("aten.div_", lambda x: weighted(scores(x).tril().div_(x.sum() + 60), x), TOKENS, SOME),
    Sample("aten.exp_", lambda x: weighted(scores(x).div(99).masked_fill(LATER.T, -1e9).exp_(), x), TOKENS, SOME),
    Sample("aten.sigmoid", lambda x: weighted(scores(x).masked_fill(LATER, -1e9).sigmoid(), x), TOKENS, SOME),
    Sample("aten.sigmoid_", lambda x: weighted(scores(x).masked_fill(LATER, -1e9).sigmoid_(), x), TOKENS, SOME),
    Sample("aten.relu", lambda x: weighted((scores(x) + 9).masked_fill(LATER, -1e9).relu(), x), TOKENS, SOME),
    Sample("aten.pow", lambda x: weighted(scores(x).tril() ** 2, x), TOKENS, SOME),
    Sample("aten.pow_", lambda x: weighted(scores(x).tril().pow_(2), x), TOKENS, SOME),
    Sample("aten.relu_", lambda x: weighted((scores(x) + 9).masked_fill(LATER, -1e9).relu_(), x), TOKENS, SOME),
    Sample("aten.bmm", lambda x: torch.bmm(x[0].mT, scores(x)[0].tril(-2)), TOKENS, SOME),
    Sample(
        "aten.baddbmm", lambda x: torch.baddbmm(LATER * -1e9, x[0], x[0].mT).softmax(2) @ x[0].detach(), TOKENS, SOME
    ),
    *(
        Sample(
            "aten._scaled_dot_product_flash_attention_for_cpu",
            lambda x, options=options: aten._scaled_dot_product_flash_attention_for_cpu(x, x * 1, x * 2, **options)[0],
            HEADS,
            SOME,
        )
        for options in (
            {"is_causal": True},
            {"attn_mask": torch.where(LATER, -torch.inf, 0.0)[None, None]},
            {"attn_mask": torch.where(torch.stack([LATER, LATER.T]), -torch.inf, 0.0)[None]},
        )
    ),
]

LOOKED_UP = [
    Sample("aten.isin", lambda x: torch.isin(x, torch.tensor([100.0])), marks=(100.0,)),
    Sample("aten.isin", lambda x: torch.isin(torch.tensor([100.0, 1.0]), x)[:1], marks=(100.0,)),
    Sample("aten.searchsorted", lambda x: torch.searchsorted(torch.tensor([50.0, 80.0]), x), marks=(60.0, 100.0)),
    Sample(
        "aten.searchsorted",
        lambda x: torch.searchsorted(x.cumsum(3), torch.arange(0, 6, 0.1).expand(1, 2, 5, 60).contiguous()).sum(3),
        marks=(-100.0, 100.0),
    ),
    Sample(
        "aten.bucketize",
        lambda x: torch.bucketize(torch.tensor([50.0, 60.0]), x[0, 0, 0].cumsum(0)),
        marks=(100.0, -100.0),
    ),
    Sample("aten._unsafe_index", lambda x: aten._unsafe_index(x, [None, None, torch.tensor([3, 0, -1])])),
    Sample(
        "aten._unsafe_masked_index",
        lambda x: aten._unsafe_masked_index(x, (x[:, :1, 1:3, :1] > -50), [None, None, torch.tensor([4, 1])], 0.0),
        marks=(-100.0,),
    ),
    *(
        Sample(
            "aten._embedding_bag_forward_only",
            lambda x, mode=mode: F.embedding_bag(
                (x[0, 0] > 50).long(), torch.tensor([[0.0, 1.0], [2.0, 4.0]]), mode=mode
            ),
            marks=(100.0,),
        )
        for mode in ("mean", "sum")
    ),
    Sample(
        "aten._embedding_bag",
        lambda x: aten._embedding_bag(
            torch.tensor([[0.0, 1.0], [2.0, 4.0]]), (x[0, 0, 0] > 50).long(), torch.arange(0, 6, 4), False, 0
        )[0],
        marks=(100.0,),
    ),
    Sample("aten.affine_grid_generator", lambda x: F.affine_grid(x[:, :, :2, :3][0], [2, 1, 3, 4], False)),
]

PLACED = [
    Sample("aten.unfold_backward", lambda x: aten.unfold_backward(x.unfold(3, 3, 2), [1, 2, 5, 6], 3, 3, 2)),
    Sample("aten.unfold_backward", lambda x: aten.unfold_backward(x[..., :3], [1, 2, 7], 2, 3, 1)),
    Sample("aten.diag_embed", lambda x: x.diag_embed()),
    Sample("aten.diag_embed", lambda x: x.diag_embed(-1, 0, 2)),
    Sample("aten.slice_scatter", lambda x: torch.slice_scatter(x, x.flip(2)[:, :, :2], 2, 1, 5, 2)),
    Sample("aten.select_scatter", lambda x: torch.select_scatter(x, x.flip(2)[..., 0], 3, -2)),
    Sample("aten.diagonal_scatter", lambda x: torch.diagonal_scatter(x, x.flip(2)[..., 0], 1, 2, 3)),
    Sample("aten.diagonal_scatter", lambda x: torch.diagonal_scatter(x, torch.zeros(1, 2, 4), -1, -2, -1)),
    Sample("aten.block_diag", lambda x: torch.block_diag(x[0, 0], x[0, 1, 0], x[0, 1, :2])),
    Sample("aten._stack", lambda x: aten._stack([x, mixed(x)[:, :, :5]], 2)),
]

DRAWN = [
    Sample("aten.poisson", lambda x: torch.poisson((x > 50) * 1000.0), marks=(100.0,)),
    Sample("aten.binomial", lambda x: torch.binomial((x > 50) * 1000.0, torch.tensor(0.5)), marks=(100.0,)),
    Sample("aten.normal", lambda x: torch.normal(x, 1.0), marks=(100.0,)),
]

NORMS = [
    Sample("aten._batch_norm_with_update", lambda x: aten._batch_norm_with_update(
        x, None, None, torch.zeros(2), torch.ones(2), 0.1, 1e-5)[0]),
    Sample("aten._batch_norm_no_update", lambda x: aten._batch_norm_no_update(
        x, x[0, :, 0, 0], None, torch.zeros(2), torch.ones(2), 0.1, 1e-5)[0]),
    Sample("aten.renorm aten.renorm_", lambda x: x.renorm(2, 2, 0.1) + (x * 1).renorm_(2, 2, 0.1), marks=(100.0,)),
    Sample("aten._weight_norm_interface", lambda x: aten._weight_norm_interface(
        x[0], x[0, :, :1, 1:2].contiguous(), 0), marks=(3.0,)),
]  # fmt: skip

PACKED = [
    Sample(
        "aten._pack_padded_sequence",
        lambda x: pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True).data,
        (2, 5, 3),
    ),
    Sample(
        "aten._pack_padded_sequence",
        lambda x: pack_padded_sequence(x, torch.full((2,), 3), batch_first=True, enforce_sorted=False).data,
        (2, 5, 3),
    ),
]

SAMPLES = [*LOSSES, *LINALG, *ATTENTION, *MASKS, *LOOKED_UP, *PLACED, *DRAWN, *NORMS, *PACKED]
