"""Small networks that other tools get silently wrong, each with its hand arithmetic.

Every case states parameters and MACs of the whole network; the arithmetic is that of the layer's definition in torch's
documentation. Every row must also be verified by torch's own counter, unless the case says that it has no formula.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import forward_ad

from cnninspect import inspect_model


class RawWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.fc = nn.Parameter(torch.rand(10, 6))

    def forward(self, x):
        x = F.conv2d(x, self.conv, padding=1).mean((2, 3))
        return F.linear(x, self.fc)


class AtSign(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(7, 5))

    def forward(self, x):
        return x @ self.weight.t()


class Einsum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 7))

    def forward(self, x):
        return torch.einsum("bni,io->bno", x, self.weight)


class TwoParents(nn.Module):
    def __init__(self):
        super().__init__()
        shared = nn.Conv2d(4, 4, 3, padding=1)
        self.a, self.b = nn.Sequential(shared), nn.Sequential(shared, nn.ReLU())

    def forward(self, x):
        return self.b(self.a(x))


class ForwardMode(nn.Module):
    """torch's derivative of a convolution: those of the input's and of the weight's tangent, which is 0, are added."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1, bias=False)

    def forward(self, x):
        with forward_ad.dual_level():
            primal, tangent = forward_ad.unpack_dual(self.conv(forward_ad.make_dual(x, torch.ones_like(x))))
            return primal + tangent


class ThreeTimes(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x):
        return self.fc(self.fc(self.fc(x)))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 4)
        self.head = nn.Linear(4, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


class SelfAttention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class DotProduct(nn.Module):
    def forward(self, q):
        return F.scaled_dot_product_attention(q, q, q)


class Recurrent(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        out = self.cell(x)
        return out[0] if isinstance(out, tuple) else out


class DirectForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)

    def forward(self, x):
        return self.fc.forward(x)


class TwoInputs(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x, x)


class Unpool(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, x):
        return self.unpool(*self.pool(x))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.spare = nn.Linear(3, 4), nn.Linear(100, 100)

    def forward(self, x):
        return self.used(x)


def legacy_weight_norm():
    return nn.utils.weight_norm(nn.Conv2d(3, 4, 3, padding=1))


CONV = 3 * 4 * 3**2  # weight of Conv2d(3, 4, 3)
MAP = 8 * 8
ATTENTION = 4 * 8 * 8 + 4 * 8  # in_proj 3*8 x 8, out_proj 8 x 8, their biases
ATTENTION_MACS = 2 * (3 * 5 * 8 * 8 + 2 * 5 * 5 * 8 + 5 * 8 * 8)  # batch 2: q, k, v; scores and weighted sum; out_proj

CASES = [
    # id, model, input shape, params, MACs
    ("transposed conv", lambda: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), (1, 3, 8, 8),
     3 * 5 * 4**2 + 5, 3 * MAP * 5 * 4**2),
    ("grouped transposed conv", lambda: nn.ConvTranspose2d(4, 8, 3, groups=2), (1, 4, 8, 8),
     4 * (8 // 2) * 3**2 + 8, 4 * MAP * (8 // 2) * 3**2),
    ("grouped conv", lambda: nn.Conv2d(4, 8, 3, padding=1, groups=2), (1, 4, 8, 8),
     8 * (4 // 2) * 3**2 + 8, 8 * MAP * (4 // 2) * 3**2),
    ("depthwise conv", lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), (1, 4, 8, 8),
     4 * 3**2, 4 * MAP * 3**2),
    ("linear on 4-d input", lambda: nn.Linear(6, 7), (2, 3, 5, 6), 6 * 7 + 7, 2 * 3 * 5 * 6 * 7),
    ("raw weights", RawWeights, (1, 3, 8, 8), 6 * 3 * 3**2 + 10 * 6, 6 * MAP * 3 * 3**2 + 10 * 6),
    ("@", AtSign, (2, 3, 5), 7 * 5, 2 * 3 * 5 * 7),
    ("einsum", Einsum, (2, 3, 5), 5 * 7, 2 * 3 * 5 * 7),
    ("one module, two parents", TwoParents, (1, 4, 8, 8), 4 * 4 * 3**2 + 4, 2 * 4 * MAP * 4 * 3**2),
    ("one module, three calls", ThreeTimes, (1, 6), 6 * 6 + 6, 3 * 6 * 6),
    ("tied embedding and head", Tied, "2x3:int64", 11 * 4, 2 * 3 * 4 * 11),
    ("multi-head attention", SelfAttention, (2, 5, 8), ATTENTION, ATTENTION_MACS),
    ("transformer encoder layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8),
     ATTENTION + (8 * 16 + 16) + (16 * 8 + 8) + 2 * (8 + 8), ATTENTION_MACS + 2 * 5 * 8 * 16 * 2),
    ("scaled dot product attention", DotProduct, (2, 3, 5, 4), 0, 2 * 3 * (5 * 5 * 4 + 5 * 5 * 4)),
    # gates 4*3; layer 1 sees 4 inputs, layer 2 both directions' 2*3; two biases a layer and direction
    ("stacked bidirectional lstm", lambda: Recurrent(nn.LSTM(4, 3, 2, bidirectional=True)), (5, 2, 4),
     2 * (12 * (4 + 3) + 2 * 12) + 2 * (12 * (6 + 3) + 2 * 12), 5 * 2 * (2 * 12 * (4 + 3) + 2 * 12 * (6 + 3))),
    ("gru cell", lambda: Recurrent(nn.GRUCell(4, 3)), (2, 4), 9 * (4 + 3) + 2 * 9, 2 * 9 * (4 + 3)),
    ("forward called directly", DirectForward, (1, 3), 3 * 4 + 4, 3 * 4),
    ("weight_norm", lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3, padding=1)), (1, 3, 8, 8),
     CONV + 4 + 4, 4 * MAP * 3 * 3**2),
    ("old weight_norm", legacy_weight_norm, (1, 3, 8, 8), CONV + 4 + 4, 4 * MAP * 3 * 3**2),
    ("max unpool", Unpool, (1, 3, 8, 8), 0, 0),
    ("pixel shuffle", lambda: nn.PixelShuffle(3), (1, 9, 4, 4), 0, 0),
    ("unused submodule", Unused, (1, 3), 3 * 4 + 4 + 100 * 100 + 100, 3 * 4),
]  # fmt: skip


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    ("model", "shape", "params", "macs"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_counts(model, shape, params, macs, device):
    inputs = {"inputs": [shape]} if isinstance(shape, str) else {"input_shape": shape}
    report = inspect_model(model().eval(), device=device, **inputs)
    assert report.totals["params"].value == params
    assert report.totals["macs"].value == macs
    assert report.totals["flops"].value == 2 * macs
    assert report.totals["macs"].measured["torch"] == macs
    assert report.verdict.value == "match", [(row.label, row.verdict) for row in report.rows]


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_forward_mode_convolutions_count_once_for_each_tangent(device):
    """The convolution of the input, of its tangent, and of the input with the tangent of the weight."""
    total = inspect_model(ForwardMode(), (1, 2, 8, 8), device=device).totals["macs"]
    assert (total.value, total.measured["torch"], total.verdict.value) == (3 * 3 * MAP * 2, 3 * 3 * MAP * 2, "match")
    # torch.jit's trace, which fvcore reads, holds no tangents: one convolution.
    assert total.measured.get("fvcore", 3 * MAP * 2) == 3 * MAP * 2


def test_a_shared_module_is_counted_at_its_first_use():
    report = inspect_model(ThreeTimes(), (1, 6))
    assert [row.params.value for row in report.rows if row.path == "fc"] == [6 * 6 + 6, 0, 0]


def test_spectral_norm_adds_no_parameters():
    model = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3, padding=1))
    report = inspect_model(model.eval(), (1, 3, 8, 8))
    assert report.totals["params"].value == CONV + 4


def test_bilinear_is_not_counted_by_torch_and_says_so():
    report = inspect_model(TwoInputs(nn.Bilinear(3, 3, 5)), (2, 3))
    (row,) = [row for row in report.rows if row.kind == "Bilinear"]
    assert row.params.value == 5 * 3 * 3 + 5
    assert row.macs.verdict.value == "not_counted"
    assert any("torch: bilinear has no formula" in note for note in report.notes), report.notes


class Multi(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.text = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)

    def forward(self, batch, *, scale):
        return self.image(batch["image"]).mean((2, 3)) + self.text(batch["text"]) * scale


def test_dictionary_and_keyword_inputs():
    def inputs():
        return ({"image": torch.rand(1, 3, 8, 8), "text": torch.rand(1, 5)},), {"scale": torch.rand(1, 4)}

    report = inspect_model(Multi(), inputs_from=inputs)
    assert report.totals["macs"].value == 4 * 6 * 6 * 3 * 3**2 + 4 * 5
    assert [item["name"] for item in report.run["inputs"]] == ["0.image", "0.text", "scale"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_counts_do_not_depend_on_the_dtype_but_bytes_do(dtype):
    report = inspect_model(nn.Conv2d(3, 4, 3, padding=1), (1, 3, 8, 8), dtype=dtype)
    assert report.totals["macs"].value == 4 * MAP * 3 * 3**2
    assert report.totals["params_bytes"].value == (CONV + 4) * {"float64": 8}.get(dtype, 2)
    assert report.run["dtype"] == dtype


def test_no_tool_stays_installed_after_an_exception():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    with pytest.raises(Exception, match="no"):
        inspect_model(Broken(), (1, 3))
    assert inspect_model(nn.Linear(3, 4), (1, 3)).totals["macs"].value == 3 * 4


class Unregistered(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 4)]

    def forward(self, x):
        return self.layers[0](x)


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_layers_in_a_plain_list_are_named_because_the_model_does_not_own_them(device):
    report = inspect_model(Unregistered(), (1, 3), device=device)
    assert report.totals["params"].value == 0
    assert any(f"{3 * 4 + 4} elements of parameters are used" in note for note in report.notes)
