"""Samples of ATen ops that move elements or compute element by element: functions of one tensor that run the op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

aten = torch.ops.aten
Function = Callable[[Tensor], Any]

HUGE = (torch.nan, 100.0, -100.0)


@dataclass(frozen=True)
class Sample:
    """`function` runs the ops `packets` on an input of `shape`; one of `marks` put somewhere shows who reads there."""

    packets: str
    function: Function
    shape: tuple[int, ...] = (1, 2, 5, 6)
    marks: tuple[float, ...] = HUGE

    @property
    def id(self) -> str:
        return self.packets.replace("aten.", "").replace(" ", "-")


def mixed(x: Tensor) -> Tensor:
    """Every position sees its neighbours along both axes, every channel all channels."""
    return F.conv2d(x, torch.ones(x.shape[1], x.shape[1], 2, 3), padding=(1, 1))


MOVEMENT = [
    Sample("aten.view", lambda x: x.view(2, 3, 10)),
    Sample("aten.view", lambda x: x.view(1, 2, 5, 2, 3)),
    Sample("aten.view", lambda x: x.view(4, 15)),
    Sample("aten._unsafe_view", lambda x: aten._unsafe_view(x, [5, 12])),
    Sample("aten._reshape_alias", lambda x: aten._reshape_alias(x, [10, 6], [6, 1])),
    Sample("aten.permute", lambda x: x.permute(3, -3, 0, 2)),
    Sample("aten.transpose", lambda x: x.transpose(-1, 1)),
    Sample("aten.transpose_", lambda x: (x * 1).transpose_(2, 3)),
    Sample("aten.t", lambda x: x[0, 0].t()),
    Sample("aten.t_", lambda x: x[0, 0].clone().t_()),
    Sample("aten.expand", lambda x: x[:, :1].expand(4, -1, 3, -1, -1), (1, 1, 5, 6)),
    Sample("aten.squeeze", lambda x: x.squeeze()),
    Sample("aten.squeeze", lambda x: x.squeeze(1), (1, 1, 5, 6)),
    Sample("aten.squeeze_", lambda x: x.clone().squeeze_(0)),
    Sample("aten.unsqueeze", lambda x: x.unsqueeze(-2)),
    Sample("aten.unsqueeze_", lambda x: x.clone().unsqueeze_(2)),
    Sample("aten.as_strided", lambda x: x.mean((2, 3)).as_strided((2, 2), (1, 0))),
    Sample("aten.as_strided_", lambda x: x.mean((2, 3)).as_strided_((2, 1), (1, 1))),
    Sample("aten.view_as_complex", lambda x: torch.view_as_complex(x.view(1, 2, 5, 3, 2)).abs()),
    Sample("aten.view_as_real", lambda x: torch.view_as_real(x * (1 + 1j))),
    Sample("aten.select", lambda x: x.select(2, -2)),
    Sample("aten.slice", lambda x: x[:, 1:, 1:4, ::2]),
    Sample("aten.slice", lambda x: x[..., -3:100]),
    Sample("aten.split", lambda x: x.split(2, 2)),
    Sample("aten.split_with_sizes", lambda x: x.split([1, 3, 2], -1)),
    Sample("aten.unsafe_split", lambda x: torch.unsafe_split(x, 4, 3)),
    Sample("aten.unsafe_split_with_sizes", lambda x: torch.unsafe_split_with_sizes(x, [2, 3], 2)),
    Sample("aten.unbind", lambda x: x.unbind(-2)),
    Sample("aten.flip", lambda x: x.flip(2, -1)),
    Sample("aten.rot90", lambda x: torch.cat([x.rot90(1, (2, 3)), x.rot90(-1, (-1, 2)).rot90(2, (2, 3))], 1)),
    Sample("aten.diagonal", lambda x: x.diagonal(1, -1, 2)),
    Sample("aten.diagonal", lambda x: x.diagonal(-2, 2, 3)),
    Sample("aten.cat", lambda x: torch.cat([x, mixed(x)[:, :, :5], torch.zeros(1, 3, 5, 6)], 1)),
    Sample("aten.cat", lambda x: torch.cat([x[:, :, 3:], x[:, :, :2], torch.zeros(1, 2, 1, 6)], 2)),
    Sample("aten.cat", lambda x: torch.cat([torch.zeros(0), x], -1)),
    Sample("aten.stack", lambda x: torch.stack([x, mixed(x)[:, :, :5]], -1)),
    Sample("aten.repeat", lambda x: x.repeat(2, 1, 1, 2, 3)),
    Sample("aten.roll", lambda x: x.roll((1, -2), (2, 3))),
    Sample("aten.roll", lambda x: x.roll(7)),
    Sample("aten.constant_pad_nd", lambda x: F.pad(x, (1, 2, -1, 3))),
    Sample("aten.constant_pad_nd", lambda x: F.pad(x, (0, 0, 0, 0, 1, 2), value=1.0)),
    Sample("aten.reflection_pad1d", lambda x: F.pad(x, (3, 2), mode="reflect"), (1, 2, 6)),
    Sample("aten.reflection_pad2d", lambda x: F.pad(x, (3, 2, 1, 4), mode="reflect")),
    Sample("aten.reflection_pad3d", lambda x: F.pad(x, (1, 2, 0, 1, 2, 1), mode="reflect"), (1, 2, 3, 4, 5)),
    Sample("aten.replication_pad1d", lambda x: F.pad(x, (3, 2), mode="replicate"), (1, 2, 6)),
    Sample("aten.replication_pad2d", lambda x: F.pad(x, (3, 2, 1, 4), mode="replicate")),
    Sample("aten.replication_pad3d", lambda x: F.pad(x, (1, 2, 0, 1, 2, 1), mode="replicate"), (1, 2, 3, 4, 5)),
    Sample("aten.copy_", lambda x: F.pad(x, (3, 2, 1, 4), mode="circular")),
]

BLOCKS = [
    Sample("aten.pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (1, 8, 3, 4)),
    Sample("aten.pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 3), (1, 2, 6, 9)),
    Sample("aten.channel_shuffle", lambda x: F.channel_shuffle(torch.cat([x, mixed(x)[:, :, :5]], 1), 2)),
    Sample("aten.unfold", lambda x: x.unfold(2, 3, 2).unfold(-2, 2, 1)),
    Sample("aten.im2col", lambda x: F.unfold(x, (3, 2), dilation=(1, 2), padding=(1, 2), stride=(2, 1))),
    Sample("aten.im2col", lambda x: F.unfold(x, 2), (2, 5, 6)),
    Sample("aten.col2im", lambda x: F.fold(F.unfold(x, 3, 2, 1, 2), (5, 6), 3, 2, 1, 2)),
    Sample("aten.col2im", lambda x: F.fold(F.unfold(x, 2).flip(1), (5, 6), 2)),
    Sample("aten.col2im", lambda x: F.fold(x.repeat(1, 2, 1), (4, 6), 2, stride=2), (1, 2, 6)),
]

ROWS = torch.tensor([2, 0, 4, 1, 3])[:, None].expand(1, 2, 5, 6)
"""For each element another row than its own."""

COLUMNS = torch.tensor([5, 0, 3]).expand(1, 2, 5, 3)

INDEXING = [
    Sample("aten.index_select", lambda x: x.mean(2, True).index_select(2, torch.tensor([0, 0]))),
    Sample("aten.index", lambda x: x.mean(2, True)[:, :, [0, 0, 0]]),
    Sample("aten.index", lambda x: x.mean((2, 3), True)[:, :, [[0], [0]], [[0, 0, 0]]]),
    Sample("aten.index", lambda x: x.mean((1, 3), True)[:, [0, 0], :, [0, 0]]),
    Sample("aten.gather", lambda x: x.mean(3, True).gather(3, torch.zeros(1, 2, 5, 2, dtype=torch.int64))),
    Sample("aten.index", lambda x: x[:, :, torch.arange(4, 0, -2)]),
    Sample("aten.index", lambda x: x[:, :, [3, 0, -1]]),
    Sample("aten.index", lambda x: x[..., torch.tensor([[4, 2], [0, 1]])]),
    Sample("aten.index_select", lambda x: x.index_select(2, torch.tensor([2, 2, 0]))),
    Sample("aten.index_select", lambda x: x.index_select(3, torch.arange(3))),
    Sample("aten.gather", lambda x: x.gather(3, (torch.arange(24) * 5 % 6).reshape(1, 2, 4, 3))),
    Sample("aten.take", lambda x: x.take(torch.tensor([[3, 50], [-1, 0]]))),
    Sample("aten.take", lambda x: x.mean((2, 3), True).expand(1, 2, 5, 6)[:, :1].take(torch.tensor([[3], [20]]))),
    Sample(
        "aten.index_copy aten.index_copy_",
        lambda x: torch.cat(
            [
                x.index_copy(2, torch.tensor([3, 0]), mixed(x)[:, :, :2]),
                x.clone().index_copy_(3, torch.tensor([1]), x[..., 4:5]),
            ]
        ),
    ),
    Sample(
        "aten.index_fill aten.index_fill_",
        lambda x: torch.cat(
            [
                x.index_fill(2, torch.tensor([1, 1, 4]), 7.0),
                x.clone().index_fill_(3, torch.tensor([-1]), 7.0),
                x.index_fill(3, torch.tensor([0, 2]), x[0, 0, 2, 1]),
            ]
        ),
    ),
    Sample(
        "aten.index_add aten.index_add_",
        lambda x: torch.cat(
            [
                x.index_add(2, torch.tensor([1, 1, 4]), x[:, :, 2:]),
                x.clone().index_add_(3, torch.tensor([0, 5]), x[..., :2], alpha=2),
            ]
        ),
    ),
    Sample(
        "aten.put aten.put_",
        lambda x: torch.cat(
            [
                x.put(torch.tensor([7, -1]), x[0, 0, 0, :2]),
                x.clone().put_(torch.tensor([7, 7, 40]), x[0, 0, :3, 2], accumulate=True),
            ]
        ),
    ),
    Sample("aten.scatter aten.scatter_", lambda x: x.scatter(2, ROWS, x).scatter_(3, COLUMNS, mixed(x)[..., :3])),
    Sample("aten.scatter", lambda x: x.scatter(2, torch.tensor([0, 3, 3, 1]).reshape(1, 1, 4, 1), 7.0)),
    Sample("aten.scatter", lambda x: x.scatter(2, torch.tensor([[[[0], [3], [3]]]]), x.flip(3), reduce="add")),
    Sample("aten.scatter_add", lambda x: x.scatter_add(2, (torch.arange(40) * 3 % 5).reshape(1, 2, 4, 5), x.flip(2))),
    Sample("aten.scatter_reduce_", lambda x: (x * 1).scatter_reduce_(2, ROWS // 2, x.flip(3), "amax")),
    Sample(
        "aten.scatter_reduce",
        lambda x: x.scatter_reduce(3, COLUMNS // 2, x.flip(2), "mean", include_self=False),
    ),
    Sample(
        "aten.index_reduce aten.index_reduce_",
        lambda x: torch.cat(
            [
                x.index_reduce(2, torch.tensor([1, 1, 4]), x[:, :, 2:], "amax"),
                x.clone().index_reduce_(3, torch.tensor([0, 5]), x[..., 2:4], "mean", include_self=False),
            ]
        ),
    ),
    Sample("aten.index_put", lambda x: aten.index_put(x, [None, None, torch.tensor([3, 0])], mixed(x)[:, :, :2])),
    Sample("aten.index_put", lambda x: x.index_put((torch.tensor([0]), torch.tensor([1, 0])), x[0, :, 2:3, 1:2])),
    Sample(
        "aten.index_put",
        lambda x: aten.index_put(x, [None, torch.tensor([0, 0]), None, torch.tensor([5, 1])], x[0, 0, 2, 3]),
    ),
    Sample(
        "aten.index_put_",
        lambda x: aten.index_put_(x.clone(), [None, None, torch.tensor([[1, 4], [2, 1]])], x[:, :, :2, None], True),
    ),
    Sample(
        "aten.index_put_",
        lambda x: aten.index_put_(x.clone(), [None, None, ROWS[0, 0] % 2 > 0], x[0, 1, 1, 1]),
    ),
    Sample(
        "aten._index_put_impl_",
        lambda x: aten._index_put_impl_(x.clone(), [None, None, torch.tensor([1])], x[:, :, :1], False),
    ),
    Sample(
        "aten._unsafe_index_put",
        lambda x: aten._unsafe_index_put(x, [None, None, torch.tensor([1, 1])], x[:, :, :2], True),
    ),
    Sample("aten.index", lambda x: x[:, :, torch.tensor([[0], [3]]), torch.tensor([5, 1, 1])]),
    Sample("aten.index", lambda x: x[:, torch.tensor([1, 0]), :, torch.tensor([5, -1])]),
    Sample("aten.index", lambda x: x[:, :, ROWS[0, 0] % 2 > 0]),
    Sample(
        "aten.max_unpool2d",
        lambda x: F.max_unpool2d(x, (torch.arange(60) * 2 % 60).reshape(1, 2, 5, 6) + 60, 2, output_size=(10, 12)),
    ),
    Sample(
        "aten.max_unpool3d", lambda x: F.max_unpool3d(x[None], 4 * torch.arange(60).reshape(1, 1, 2, 5, 6), (1, 2, 2))
    ),
    Sample("aten.as_strided", lambda x: x.contiguous().as_strided((2, 2, 3), (30, 12, 2), 1)),
    Sample("aten.as_strided", lambda x: (x * 1).as_strided((2, 3, 4, 2), (1, 6, 1, 30))),
    Sample("aten.as_strided", lambda x: (x * 1).mT.contiguous().mT.as_strided((2, 5, 3), (30, 1, 10))),
    Sample("aten.as_strided", lambda x: (x * 1).as_strided((4, 7), (11, 2), 3)),
    Sample("aten.as_strided_", lambda x: (x * 1).as_strided_((2, 1, 5, 3), (30, 0, 6, 1), 2)),
    Sample("aten.resize_", lambda x: torch.cat([(x * 1).resize_(60), (x * 1).resize_(3, 10).flatten()])),
    Sample("aten.scatter_", lambda x: F.one_hot((x > 50).any(3).long(), 2), marks=(100.0,)),
    Sample("aten.scatter", lambda x: x.scatter(1, (x[:, :1] > 50).long(), 7.0), marks=(60.0, 100.0)),
    Sample(
        "aten.scatter_add aten.scatter_add_",
        lambda x: (
            x.mean(3, True).scatter_add(
                3, torch.zeros(1, 2, 5, 2, dtype=torch.int64), x.amax(3, True).expand(-1, -1, -1, 2)
            )
            + (x.mean(3, True) * 1).scatter_add_(3, torch.zeros(1, 2, 5, 1, dtype=torch.int64), x.amax(3, True))
        ),
    ),
    Sample(
        "aten.scatter_reduce aten.scatter_reduce_",
        lambda x: (
            x.mean(3, True).scatter_reduce(3, torch.zeros(1, 2, 5, 1, dtype=torch.int64), x.amax(3, True), "sum")
            + (x.mean(3, True) * 1).scatter_reduce_(
                3, torch.zeros(1, 2, 5, 1, dtype=torch.int64), x.amax(3, True), "sum"
            )
        ),
    ),
    Sample("aten.embedding", lambda x: F.embedding((x > 50).long(), torch.tensor([[0.0, 1], [2, 3]])), marks=(100.0,)),
]

ELEMENTWISE = [
    Sample("prims.add prims.sub", lambda x: torch.ops.prims.sub(torch.ops.prims.add(x, x.flip(3)), x.flip(2) * 2)),
    Sample("prims.mul prims.div", lambda x: torch.ops.prims.div(torch.ops.prims.mul(x, x.flip(3)), x.flip(2))),
    Sample("aten.alias", lambda x: aten.alias(x)),
    Sample("aten.detach", lambda x: x.detach()),
    Sample("aten._to_copy", lambda x: x.double()),
    Sample("aten.lift", lambda x: aten.lift(x)),
    Sample("aten.lift_fresh", lambda x: aten.lift_fresh(x)),
    Sample("aten.lift_fresh_copy", lambda x: aten.lift_fresh_copy(x)),
    Sample("aten.clone", lambda x: x.clone()),
    Sample("aten._conj aten._neg_view", lambda x: (x * (1 + 1j)).conj().imag * 1),
    Sample("aten.complex", lambda x: torch.complex(x, mixed(x)[:, :, :5]).abs()),
    Sample("aten.polar", lambda x: torch.polar(x, mixed(x)[:, :, :5]).abs()),
    Sample("aten.hardswish", F.hardswish),
    Sample("aten.hardswish_", lambda x: F.hardswish(x * 2, inplace=True)),
    Sample("aten._prelu_kernel", lambda x: F.prelu(x, torch.ones(2))),
    Sample("aten.rrelu_with_noise", lambda x: F.rrelu(x, 0.5, 0.5)),
    Sample("aten.rrelu_with_noise_", lambda x: F.rrelu(x * 1, 0.5, 0.5, inplace=True)),
    Sample("aten.masked_fill_", lambda x: (x * 1).masked_fill_(x > 50, 7.0), marks=(60.0,)),
    Sample("aten.floor_divide", lambda x: x // 2, marks=(100.0,)),
    Sample("aten.floor_divide_", lambda x: (x * 1).floor_divide_(2), marks=(100.0,)),
    Sample("aten.bucketize", lambda x: torch.bucketize(x, torch.tensor([50.0])), marks=(100.0,)),
    Sample(
        "aten.fake_quantize_per_tensor_affine_cachemask",
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.01, 0, 0, 255),
        marks=(0.0,),
    ),
    Sample(
        "aten.fake_quantize_per_channel_affine_cachemask",
        lambda x: torch.fake_quantize_per_channel_affine(x, torch.full((2,), 0.01), torch.zeros(2), 1, 0, 255),
        marks=(0.0,),
    ),
    Sample(
        "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
        lambda x: aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams(
            x, torch.tensor(0.01), torch.tensor(0, dtype=torch.int32), torch.tensor(1), 0, 255
        )[0],
        marks=(0.0,),
    ),
    Sample(
        "aten.quantize_per_tensor aten.dequantize",
        lambda x: torch.quantize_per_tensor(x, 0.01, 0, torch.quint8).dequantize(),
        marks=(0.0,),
    ),
    Sample(
        "aten.quantize_per_channel",
        lambda x: torch.quantize_per_channel(x, torch.full((2,), 0.01), torch.zeros(2), 1, torch.quint8).dequantize(),
        marks=(0.0,),
    ),
    *(
        Sample(f"aten.{name}_", lambda x, name=name: getattr(x * 1, f"{name}_")(50.0), marks=(100.0,))
        for name in ("gt", "ge", "lt", "le")
    ),
    *(
        Sample(f"aten.{name}_", lambda x, name=name: getattr(x * 1, f"{name}_")(100.0), marks=(100.0,))
        for name in ("eq", "ne")
    ),
    *(Sample(f"aten.{name}_", lambda x, name=name: getattr(aten, f"{name}_")(x * 1)) for name in ("gelu", "mish")),
    *(
        Sample(f"aten.{name}{in_place}", lambda x, name=f"{name}{in_place}": getattr(aten, name)(x * 1))
        for name in ("neg", "abs", "sqrt", "tanh", "leaky_relu", "elu", "silu")
        for in_place in ("", "_")
    ),
    Sample("aten.gelu", F.gelu),
    *(
        Sample(
            f"aten.{name}_",
            lambda x, name=name: getattr(((x > 50) * 2).long(), f"{name}_")(torch.tensor(4)),
            marks=(100.0,),
        )
        for name in ("gcd", "lcm")
    ),
    Sample("aten.threshold_", lambda x: aten.threshold_(x * 1, 50.0, 0.0), marks=(100.0,)),
    Sample("aten.copysign_", lambda x: (x * 1).copysign_(mixed(x)[:, :, :5])),
    Sample("aten.heaviside_", lambda x: (x * 1).heaviside_(torch.tensor(0.0)), marks=(-100.0,)),
    Sample("aten._add_relu", lambda x: aten._add_relu(x, x.flip(2)), marks=(100.0,)),
    Sample("aten.bernoulli", lambda x: torch.bernoulli(x.clamp(0, 1)), marks=(0.0, 1.0)),
    Sample("aten.triu", lambda x: x.triu(1)),
    Sample("aten.triu aten.tril", lambda x: torch.cat([mixed(x).triu(-2), x.tril(-1)], 2)),
    Sample("aten.triu_", lambda x: (x * 1).triu_()),
    Sample("aten.tril_", lambda x: (x.mean((2, 3), True) * torch.ones(1, 2, 3, 5)).tril_(1)),
    Sample("aten.copy", lambda x: aten.copy(torch.zeros(3, 2, 5, 6), x)),
    Sample("aten.copy_", lambda x: torch.zeros(1, 2, 5, 6).copy_(mixed(x)[:, :1, :1])),
    Sample("aten.fill aten.fill_", lambda x: torch.zeros(3).fill_(x.sum()) + aten.fill(torch.zeros(3), x.sum())),
    Sample("aten.native_dropout", lambda x: aten.native_dropout(x, 0.0, True)[0]),
    Sample("aten.log_sigmoid_forward", F.logsigmoid),
    Sample("aten.glu", lambda x: F.glu(torch.cat([x, mixed(x)[:, :, :5]], 1), 1)),
    Sample("aten.glu", lambda x: F.glu(x, -1)),
    Sample("aten.add", lambda x: x + mixed(x)[:, :1, :1]),
    Sample("aten.where", lambda x: torch.where(x.sum(1, True) > 50, x, x.flip(2)), marks=(60.0, 100.0)),
]
