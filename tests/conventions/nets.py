"""Small networks, one for each reason why counters differ. `INPUTS` says what each runs on."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import linear, relu


class Functions(nn.Module):
    """Layers as functions with weights of their own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 3, 3, 3))
        self.bias = nn.Parameter(torch.empty(4))
        self.head = nn.Parameter(torch.empty(5, 4))

    def forward(self, x):
        x = F.relu(F.conv2d(x, self.weight, self.bias, padding=1))
        x = F.leaky_relu(F.silu(F.gelu(F.max_pool2d(x, 2))))
        x = F.softmax(F.adaptive_avg_pool2d(x, 1).flatten(1), dim=1)
        return F.linear(x, self.head)


class Transposed(nn.Module):
    """Transposed convolutions, plain and grouped."""

    def __init__(self):
        super().__init__()
        self.one = nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1)
        self.two = nn.ConvTranspose2d(4, 6, 4, stride=2, groups=2, bias=False)

    def forward(self, x):
        return self.two(self.one(x))


class Convolutions(nn.Module):
    """Grouped, dilated, of one and three dimensions, with padding='same', with and without bias."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, groups=2, padding="same", dilation=2)
        self.line = nn.Conv1d(8, 6, 5, stride=2, bias=False)
        self.volume = nn.Conv3d(2, 3, (1, 2, 3))

    def forward(self, x):
        x = self.line(self.grouped(x).flatten(2))
        return self.volume(x.reshape(x.shape[0], 2, 3, -1, 3))


class Tokens(nn.Module):
    """A linear layer at every position."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 5)
        self.plain = nn.Linear(5, 3, bias=False)

    def forward(self, x):
        return self.plain(self.fc(x))


class Attention(nn.Module):
    """nn.MultiheadAttention with weights, without them, and with a mask; another width of keys."""

    def __init__(self):
        super().__init__()
        self.one = nn.MultiheadAttention(8, 2, batch_first=True)
        self.two = nn.MultiheadAttention(8, 4, bias=False)
        self.cross = nn.MultiheadAttention(8, 2, kdim=8, vdim=8, batch_first=True)

    def forward(self, x):
        x = self.one(x, x, x)[0]
        y = self.two(x, x, x, need_weights=False)[0]
        return self.cross(x, y, y, attn_mask=torch.zeros(x.shape[1], x.shape[1], device=x.device))[0]


class Products(nn.Module):
    """Products of activations, and sums and products of elements, as functions of torch."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))  # calflops fails without a parameter

    def forward(self, x):
        y = torch.matmul(x, x.transpose(1, 2)).matmul(x).matmul(x.transpose(1, 2))
        y = torch.bmm(y, y)
        y = torch.mul(torch.add(y, y), 2)
        y = F.scaled_dot_product_attention(y, y, y)
        return torch.addmm(y[0], y[0], y[1]) + y[0] * 2


class Norms(nn.Module):
    """Normalisation with and without weights."""

    def __init__(self):
        super().__init__()
        self.many = nn.Sequential(
            nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.GroupNorm(2, 4), nn.GroupNorm(2, 4, affine=False),
            nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True),
            nn.LayerNorm((4, 6, 6)), nn.LayerNorm(6, elementwise_affine=False),
        )  # fmt: skip

    def forward(self, x):
        return F.layer_norm(self.many(x), (6,))


class Activations(nn.Module):
    """Activations as modules."""

    def __init__(self):
        super().__init__()
        kinds = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid)
        self.many = nn.Sequential(*(kind() for kind in kinds), nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.Dropout())

    def forward(self, x):
        return self.many(x)


class Pools(nn.Module):
    """Pooling: kernels as one number and as two, sizes that do not divide, functions."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))
        self.many = nn.Sequential(
            nn.MaxPool2d(3, 1), nn.MaxPool2d((2, 3), 1), nn.AvgPool2d(2, 1), nn.AvgPool2d((3, 2), 1),
            nn.AdaptiveMaxPool2d(5), nn.AdaptiveAvgPool2d((3, 2)),
        )  # fmt: skip

    def forward(self, x):
        x = F.avg_pool2d(self.many(x), 2, 1)
        return F.adaptive_avg_pool2d(x, 1)


class Upsampling(nn.Module):
    """Interpolation by a factor and to a size."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))
        self.many = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Upsample((9, 7), mode="bilinear"), nn.Upsample((8, 8), mode="bicubic"),
        )  # fmt: skip

    def forward(self, x):
        x = F.interpolate(self.many(x), scale_factor=2, mode="bilinear")
        return F.interpolate(x, size=(5, 6))


class Block(nn.Module):
    """A container of one module that it shares."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Shared(nn.Module):
    """One convolution in two containers; a batch norm that runs twice."""

    def __init__(self):
        super().__init__()
        conv = nn.Conv2d(4, 4, 3, padding=1)
        self.one, self.two, self.norm = Block(conv), Block(conv), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.two(self.norm(self.one(x))))


class Tied(nn.Module):
    """A head with the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.head = nn.Linear(6, 10, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(self.embedding(x))


class Recurrent(nn.Module):
    """Recurrent layers: two directions, two layers, no bias."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 4, 2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(8, 5, batch_first=True)
        self.rnn = nn.RNN(5, 3, bias=False, batch_first=True)

    def forward(self, x):
        return self.rnn(self.gru(self.lstm(x)[0])[0])[0]


class OwnConv(nn.Conv2d):
    """A subclass that changes nothing."""


class LayerNorm2d(nn.LayerNorm):
    """A subclass with another forward, as in ConvNeXt."""

    def forward(self, x):
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias)
        return x.permute(0, 3, 1, 2)


class Subclasses(nn.Module):
    """Layers that are subclasses of known ones."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = OwnConv(4, 6, 3), LayerNorm2d(6)

    def forward(self, x):
        return self.norm(self.conv(x))


class Unused(nn.Module):
    """A head that no forward pass runs, and a parameter outside every layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.aux = nn.Conv2d(4, 3, 1), nn.Linear(3, 7)
        self.scale = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, x):
        return self.stem(x) * self.scale


class Operators(nn.Module):
    """Sums and products as operators and as methods: one function each for torch, not for the counters."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = (x @ x.transpose(1, 2)).matmul(x) + x * 2
        y = y.add(x).mul(x)
        return torch.linalg.matmul(y, x.transpose(1, 2)) @ x


class Calling(nn.Module):
    """Layers that call a function which counters replace: of another name, or with the batch's own statistics."""

    def __init__(self):
        super().__init__()
        self.many = nn.Sequential(
            nn.Conv2d(4, 4, 1), nn.Softmax2d(), nn.BatchNorm2d(4, track_running_stats=False),
            nn.BatchNorm2d(4, affine=False, track_running_stats=False), nn.SyncBatchNorm(4),
        )  # fmt: skip

    def forward(self, x):
        x = self.many(x)
        return F.batch_norm(x, None, None, None, None, True)


class Kept(nn.Module):
    """Functions that a layer keeps from the start, a module in two containers, and weights that are not trained."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.act = nn.ReLU()
        self.many = nn.ModuleList([nn.Linear(8, 8), self.act])
        self.frozen = nn.Linear(8, 6).requires_grad_(False)

    def forward(self, x):
        return self.frozen(self.act(self.many[1](self.many[0](self.layer(x)))))


class Positions(nn.Module):
    """Settings of functions by position; `sum`, which adds without a name; a pool with indices."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4, 2, 3, 3)), nn.Parameter(torch.ones(4))

    def forward(self, x):
        x = F.conv_transpose2d(x, self.weight, self.bias, 2, 1, 0, 2)
        x = F.conv2d(x, self.weight, self.bias, 1, 1, 1, 2)
        return sum([F.max_pool2d(x, 2, return_indices=True)[0]] * 2)


class Normed(nn.Module):
    """A weight that is computed from parameters of other names."""

    def __init__(self):
        super().__init__()
        self.fc = nn.utils.spectral_norm(nn.Linear(8, 5))

    def forward(self, x):
        return self.fc(x)


class Direct(nn.Module):
    """Layers and a container that are called by `.forward`, which runs no hooks; one is called as usual, too."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        self.many = nn.Sequential(nn.Conv2d(4, 6, 1), nn.AvgPool2d(2), nn.Upsample(scale_factor=2))
        self.heads, self.attention = nn.ModuleList([nn.Linear(3, 3)]), nn.MultiheadAttention(3, 1, batch_first=True)

    def forward(self, x):
        x = self.act.forward(self.norm.forward(self.conv.forward(self.conv(x))))
        x = self.many.forward(x).flatten(2)[..., :3]
        return self.heads[0].forward(self.attention.forward(x, x, x)[0])


class Names(nn.Module):
    """Functions that stand in two places of torch, or that the code has kept from there before anything is replaced."""

    kept = staticmethod(partial(F.gelu, approximate="tanh"))

    def __init__(self):
        super().__init__()
        self.line, self.bias = nn.Parameter(torch.ones(8, 8, 3)), nn.Parameter(torch.ones(8))
        self.square, self.head = nn.Parameter(torch.ones(8, 8)), nn.Parameter(torch.ones(1, 8, 3, 3))
        self.register_buffer("mean", torch.ones(8))

    def forward(self, x):
        x = torch.conv1d(x, self.line, self.bias, padding=1) + F.conv1d(x, self.line, self.bias, padding=1)
        x = torch.conv_transpose1d(x, self.line, self.bias, padding=1) + F.conv_transpose1d(x, self.line, None, 1, 1)
        x = torch.relu(x) + relu(x) + F.relu(x) + x.relu() + F.relu_(x) + self.kept(x) + F.gelu(x, approximate="tanh")
        x = torch.prelu(x, self.bias) + F.prelu(x, self.bias) + torch.softmax(x, 1) + x.softmax(1) + F.softmax(x, 1)
        x = torch.avg_pool1d(x, 3, 1, 1) + F.avg_pool1d(x, 3, 1, 1) + torch.max_pool1d(x, 3, 1, 1)
        x = torch.layer_norm(x, (8,), self.bias) + F.layer_norm(x, (8,), self.bias)
        x = torch.batch_norm(x, self.bias, None, self.mean, self.mean, False, 0.1, 1e-5, False) + torch.group_norm(x, 2)
        x = (
            F.batch_norm(x, self.mean, self.mean)
            + F.group_norm(x, 2)
            + torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, False)
        )
        x = linear(x, self.square) + F.linear(x, self.square) + torch.adaptive_avg_pool1d(x, 8)
        return torch.conv2d(x[:, None], self.head.transpose(0, 1), padding=1)


class Resized(nn.Module):
    """Interpolation under its old names, which call the new one; by a broken scale; by areas, which calls a pool."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))
        self.area = nn.Upsample((4, 6), mode="area")

    def forward(self, x):
        x = F.interpolate(F.upsample(x, scale_factor=2), scale_factor=1.5, mode="bilinear")
        x = F.interpolate(F.upsample_bilinear(x, (8, 8)), (6, 8), mode="area")
        x = F.interpolate(self.area(x), size=(8, 8), mode="bilinear", antialias=True)
        return F.interpolate(F.upsample(x, (4, 4), mode="bicubic"), scale_factor=0.5)


class Lazy(nn.Module):
    """Layers that get their sizes in the first run, which makes plain layers of them."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.head = nn.LazyConv2d(6, 3), nn.LazyBatchNorm2d(), nn.LazyLinear(5)
        self.plain = nn.Linear(5, 4)

    def forward(self, x):
        return self.plain(self.head(self.norm(self.conv(x)).flatten(1)))


class Dunders(nn.Module):
    """Operators that are written out; sums without a name beside `.add`; shapes of unlike rank."""

    def __init__(self):
        super().__init__()
        self.line = nn.Parameter(torch.ones(4))

    def forward(self, x):
        y = x.__matmul__(x.transpose(1, 2)) + torch.Tensor.matmul(x, x.transpose(1, 2)) + x @ x.transpose(1, 2)
        y = y.__add__(y).__mul__(2).__rmul__(3)
        y = sum([y, y.add(y)]).add(sum([y, y]))
        y @= y
        x = y.__rmatmul__(y).matmul(x)
        x = torch.mul(x, self.line) + torch.add(self.line, x, alpha=2) + self.line.mul(x)
        return torch.einsum("bij,bkj->bik", x, x) + torch.einsum("bij,bjk,bkl->bil", y, y, y)


class Composed(nn.Module):
    """Layers and functions that call others, some of which are replaced."""

    def __init__(self):
        super().__init__()
        self.pool, self.norm, self.gate = nn.LPPool2d(2, 2, 1), nn.LocalResponseNorm(3), nn.Softmax2d()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")
        self.even = nn.Conv2d(4, 4, (2, 4), padding="same")

    def forward(self, x):
        x = F.local_response_norm(self.gate(self.norm(self.pool(x))), 2)
        return F.lp_pool2d(self.even(self.conv(x)), 2.0, 2)


class Cells(nn.Module):
    """Recurrent cells, which are called for each step."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(6, 4), nn.GRUCell(4, 5, bias=False), nn.RNNCell(5, 3)

    def forward(self, x):
        h, c = self.lstm(x)
        h, c = self.lstm(x, (h, c))
        return self.rnn(self.gru(h))


class NamedInputs(nn.Module):
    """Layers whose inputs are given by name, where hooks see none."""

    def __init__(self):
        super().__init__()
        self.fc, self.conv = nn.Linear(5, 5), nn.Conv2d(4, 6, 1)

    def forward(self, x):
        return self.conv(input=self.fc(x))


class Refused(nn.Module):
    """Arguments that the rules of some counters do not take."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4, 3, 3))

    def forward(self, x):
        return F.adaptive_avg_pool2d(F.conv2d(x, self.weight, stride=[1, 1], padding=[1, 1]), output_size=2)


class Idle(nn.Module):
    """A weight of two layers beside a table that no forward pass reads."""

    def __init__(self):
        super().__init__()
        self.table, self.idle, self.head = nn.Embedding(7, 6), nn.EmbeddingBag(7, 6), nn.Linear(6, 7)
        self.head.weight = self.table.weight

    def forward(self, x):
        return self.head(self.table((x * 0).long()))


class Bare(nn.Module):
    """Buffers and no parameters; a norm over the only dimension."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.ones(4, 4, 3, 3))
        self.norm = nn.LayerNorm(4, elementwise_affine=False)

    def forward(self, x):
        return F.conv2d(x, self.weight) + self.norm(x[0, :, 0, 0])[:, None, None]


class ConvLike(nn.Module):
    """A module whose class is called a convolution, with parameters of other names."""

    def __init__(self):
        super().__init__()
        self.weight, self.my_bias = nn.Parameter(torch.ones(4, 3, 3, 3)), nn.Parameter(torch.ones(4))
        self.gamma = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight, self.my_bias) * self.gamma


class Worded(nn.Module):
    """Parameters whose names only contain `weight` and `bias`, and a module under two names."""

    def __init__(self):
        super().__init__()
        self.conv, self.normed = ConvLike(), nn.utils.spectral_norm(nn.Conv2d(4, 3, 2))
        self.first = self.second = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x):
        return self.second(self.first(self.normed(self.conv(x))))


class Held(nn.Module):
    """A layer in a plain list, which no counter finds."""

    def __init__(self):
        super().__init__()
        self.stem, self.many = nn.Linear(4, 4), [nn.Linear(4, 5)]

    def forward(self, x):
        return self.many[0](self.stem(x))


def layer():
    """A layer as the whole model."""
    return nn.Linear(4, 3)


class Plain(nn.Module):
    """A convolution of a stem and one of a block, both 3x3 with a batch norm, and a head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.pool(self.block(self.stem(x))).flatten(1))


INPUTS = {
    Functions: "2x3x8x8", Transposed: "2x3x5x5", Convolutions: "2x4x8x8", Tokens: "2x7x8", Attention: "3x5x8",
    Products: "2x4x6", Norms: "2x4x6x6", Activations: "2x4x5x5", Pools: "2x3x11x11", Upsampling: "2x3x4x4",
    Operators: "2x5x4", Calling: "3x4x5x5", Kept: "2x5x8", Positions: "2x4x5x5", Normed: "3x4x8",
    Direct: "2x4x6x6", Names: "2x8x8", Resized: "2x3x4x4", Lazy: "2x3x5x5", Dunders: "2x4x4", Composed: "2x4x7x8",
    Cells: "3x6", NamedInputs: "2x4x5x5", Refused: "2x4x5x5", layer: "2x4",
    Idle: "2x4", Bare: "2x4x5x5", Held: "2x4", Worded: "2x3x12x12",
    Shared: "2x4x6x6", Tied: "2x5:int64", Recurrent: "2x5x6", Subclasses: "2x4x6x6", Unused: "2x4x3x3",
}  # fmt: skip
"""Network -> the input that it runs on."""
