"""Quantised layers: the true number of their weights and bytes, or a stated unknown; no count that is silently wrong.

torchao 0.18 was tried by hand: with `Int8WeightOnlyConfig`, layers of 64 x 32 and 32 x 16 weights have 2,608 weights in
2,992 bytes: 2,560 codes, 48 scales of four bytes, 48 zero points and 48 biases.
"""

import functools
import warnings

import pytest
import torch
from torch import nn
from torch.ao import quantization

from cnninspect import inspect_model
from cnninspect.report.quantities import Status, Verdict

pytestmark = pytest.mark.filterwarnings("ignore")


def dynamic(*layers, kinds=None, dtype=torch.qint8):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return quantization.quantize_dynamic(nn.Sequential(*layers), kinds or {type(layers[0])}, dtype=dtype)


class Static(nn.Module):
    """A convolution and a linear layer, quantised after a calibrating run."""

    def __init__(self):
        super().__init__()
        self.enter, self.leave = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.relu, self.fc = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 2)

    def forward(self, x):
        return self.leave(self.fc(self.relu(self.conv(self.enter(x))).mean((2, 3))))


@functools.cache
def static(*, fused=False):
    net = Static().eval()
    net.qconfig = quantization.get_default_qconfig("fbgemm")
    if fused:
        quantization.fuse_modules(net, [["conv", "relu"]], inplace=True)
    quantization.prepare(net, inplace=True)
    net(torch.zeros(1, 3, 8, 8))
    return quantization.convert(net, inplace=True)


class Int8(torch.Tensor):
    """A wrapper as of torchao: codes of 8 bits and a scale for each row stand for floating numbers."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=scale.dtype, device=codes.device)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, meta, size, stride):
        return cls(inner["codes"], inner["scale"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return cls(args[0].codes, args[0].scale)
        plain = [each.codes.to(each.scale.dtype) * each.scale if isinstance(each, cls) else each for each in args]
        return func(*plain, **(kwargs or {}))


def wrapped():
    net = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    codes, scale = torch.zeros(4, 8, dtype=torch.int8), torch.ones(4, 1)
    net[0].weight = nn.Parameter(Int8(codes, scale), requires_grad=False)
    return net


class QuantState:
    """What bitsandbytes keeps beside the packed weights: the true shape, a maximum for each block, and the code."""

    def __init__(self, shape, blocks):
        self.shape, self.absmax, self.code = torch.Size(shape), torch.zeros(blocks), torch.zeros(16)


class Params4bit(nn.Parameter):
    def __new__(cls, data, quant_state):
        made = torch.Tensor._make_subclass(cls, data, False)
        made.quant_state = quant_state
        return made


class Linear4bit(nn.Linear):
    """Two weights in a byte."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        packed = torch.zeros(-(-inputs * outputs // 2), 1, dtype=torch.uint8)
        self.weight = Params4bit(packed, QuantState((outputs, inputs), 1))

    def forward(self, x):
        state, codes = self.weight.quant_state, self.weight.data.view(-1)
        both = torch.stack([state.code[(codes >> 4).long()], state.code[(codes & 15).long()]], 1).view(-1)
        return nn.functional.linear(x, both[: state.shape.numel()].view(state.shape), self.bias)


class Gptq(nn.Module):
    """Eight weights of four bits in an int32 buffer."""

    def __init__(self, bits=4):
        super().__init__()
        if bits:
            self.bits = bits
        self.register_buffer("qweight", torch.zeros(8 * 4 // 8, 4, dtype=torch.int32))
        self.register_buffer("scales", torch.zeros(1, 4, dtype=torch.float16))

    def forward(self, x):
        return x


class Bytes(nn.Module):
    """Integers that do not say what they hold."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.uint8), requires_grad=False)

    def forward(self, x):
        return x + self.weight.float().sum()


PACKED = {
    # layers, weights, bytes: codes of one byte, biases of four, scale (8) and zero point (8) of each channel
    "dynamic linear": (lambda: dynamic(nn.Linear(8, 8), nn.Linear(8, 4)), 8 * 8 + 8 + 8 * 4 + 4, 96 + 4 * 12),
    "without a bias": (lambda: dynamic(nn.Linear(8, 4, bias=False)), 8 * 4, 8 * 4),
    "half precision": (lambda: dynamic(nn.Linear(8, 4), dtype=torch.float16), 8 * 4 + 4, None),
    "dynamic lstm": (
        lambda: dynamic(nn.LSTM(4, 5, 2, bidirectional=True)),
        # 4 gates, 2 directions: the second layer reads both directions of the first.
        2 * 4 * 5 * (4 + 5 + 2) + 2 * 4 * 5 * (10 + 5 + 2),
        2 * 4 * 5 * (4 + 5) + 2 * 4 * 5 * (10 + 5) + 4 * 2 * 2 * 2 * 4 * 5,
    ),
    "dynamic gru": (lambda: dynamic(nn.GRU(4, 5)), 3 * 5 * (4 + 5 + 2), 3 * 5 * 9 + 4 * 2 * 3 * 5),
    "static": (static, 4 * 27 + 4 + 4 * 2 + 2, 4 * 27 + 4 * 2 + 4 * 6 + 16 * (4 + 2)),
    "static, fused": (lambda: static(fused=True), 4 * 27 + 4 + 4 * 2 + 2, 4 * 27 + 4 * 2 + 4 * 6 + 16 * (4 + 2)),
}  # fmt: skip


@pytest.mark.parametrize(("make", "weights", "size"), PACKED.values(), ids=PACKED)
def test_packed_weights_are_unpacked_and_counted_by_formula(make, weights, size):
    report = inspect_model(make(), run=False)
    total = report.total("weights")
    assert (total.value, total.analytic, total.measured) == (weights, weights, {"unpacked": weights})
    assert total.verdict is Verdict.MATCH
    assert size is None or report.total("weights_bytes").value == size
    assert report.total("params").value is None
    assert any("totals.weights counts all" in note for note in report.notes)


def test_a_run_says_the_same_of_packed_weights():
    report = inspect_model(static(), (1, 3, 8, 8))
    assert report.total("weights").value == 4 * 27 + 4 + 4 * 2 + 2
    assert {row.path: row.extra["weights"].value for row in report.rows if "weights" in row.extra} == {
        "conv": 4 * 27 + 4,
        "fc": 4 * 2 + 2,
    }


@pytest.mark.parametrize("how", ["factory on meta", "instance on meta", "on the cpu", "without a run"])
def test_wrappers_have_the_bytes_that_they_hold(how):
    """Codes 32, scales 4*4, the bias 4*4; the plain layer 4*10."""
    target = wrapped if how == "factory on meta" else wrapped()
    options = {"run": False} if how == "without a run" else {"device": "cpu"} if how == "on the cpu" else {}
    report = inspect_model(target, *([] if "run" in options else [(1, 8)]), **options)
    size = 32 + 16 + 16 + 40
    assert (report.total("params").value, report.total("params").verdict) == (46, Verdict.MATCH)
    assert (report.total("weights").value, report.total("weights_bytes").value) == (46, size)
    assert (report.total("params_bytes").value, report.total("params_bytes").verdict) == (size, Verdict.NOT_RUN)
    assert report.total("weights").parts == {"quantised_layers": 36, "other_layers": 10}
    if "run" not in options:
        # The input has 32 bytes, the peak of activations and the buffers are what they were.
        memory = report.total("peak_memory")
        assert memory.parts["parameters"] == size
        assert memory.value == sum(memory.parts.values())


@pytest.mark.parametrize("run", [True, False])
def test_two_weights_in_a_byte(run):
    """8*4 weights and 4 biases; 16 bytes of codes, a maximum and 16 values of the code, the biases; the plain layer."""
    net = nn.Sequential(Linear4bit(8, 4), nn.ReLU(), nn.Linear(4, 2))
    report = inspect_model(net, *([(1, 8)] if run else []), run=run)
    assert report.total("weights").value == 8 * 4 + 4 + 10
    assert report.total("weights").verdict is Verdict.MATCH
    assert report.total("weights_bytes").value == 16 + 4 * (1 + 16) + 4 * 4 + 4 * 10
    assert report.total("params").value == sum(each.numel() for each in net.parameters()) == 16 + 4 + 10
    assert "params counts 16 of the 32 weights of 0.weight (uint8 with a quant_state)" in " ".join(report.notes)
    row = next(row for row in report.rows if row.path == "0")
    assert (row.extra["weights"].value, row.extra["weights"].analytic) == (36, 36)


def test_weights_in_a_buffer_are_counted_by_their_bits():
    """Eight in an int32: 4 * 4 * 8 = 128; no layer of torch declares them, so that there is one source."""
    report = inspect_model(Gptq(), run=False)
    weights = report.total("weights")
    assert (weights.value, weights.measured, weights.verdict) == (128, {"unpacked": 128}, Verdict.NOT_RUN)
    assert report.total("weights_bytes").value == 4 * 16 + 2 * 4


@pytest.mark.parametrize(
    ("make", "name"), [(Bytes, "weight"), (lambda: Gptq(bits=0), "qweight")], ids=["parameter", "buffer"]
)
def test_integers_that_say_nothing_are_a_stated_unknown(make, name):
    report = inspect_model(make(), (1, 4))
    assert report.total("weights").value is None
    assert report.total("weights").status is Status.UNKNOWN
    assert f"weights unknown in {name}: nothing says how many weights an element of" in " ".join(report.notes)


def test_an_object_that_cannot_be_unpacked_is_a_stated_unknown(monkeypatch):
    monkeypatch.setattr("cnninspect.measure.quantised._unpacked", lambda value: None)
    report = inspect_model(dynamic(nn.Linear(8, 4)), run=False)
    assert (report.total("weights").value, report.total("weights_bytes").status) == (None, Status.LOWER_BOUND)
    assert "an object of LinearPackedParamsBase cannot be unpacked" in " ".join(report.notes)


def test_a_wrong_number_of_unpacked_weights_differs():
    """Ten outputs are declared, eight are there."""
    net = dynamic(nn.Linear(4, 8))
    net[0].out_features = 10
    weights = inspect_model(net, run=False).total("weights")
    assert (weights.analytic, weights.measured, weights.verdict) == (50, {"unpacked": 40}, Verdict.DIFFER)


def test_indices_and_truth_values_are_no_packed_weights():
    net = nn.Linear(3, 4)
    net.index = nn.Parameter(torch.arange(4), requires_grad=False)
    net.keep = nn.Parameter(torch.ones(4, dtype=torch.bool), requires_grad=False)
    report = inspect_model(net, (1, 3))
    assert "weights" not in report.totals
    assert report.total("params").value == 3 * 4 + 4 + 4 + 4


def test_plain_networks_have_no_weights_of_their_own():
    for net in (nn.Linear(3, 4), nn.Linear(3, 4).to(torch.bfloat16), nn.Embedding(4, 2)):
        assert "weights" not in inspect_model(net, run=False).totals


def test_the_table_has_a_column_of_weights(capsys):
    print(inspect_model(nn.Sequential(Linear4bit(8, 4), nn.Linear(4, 2)), run=False))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2] == ["layer", "kind", "params", "weights", "✓"]
    assert lines[3] == ["0", "Linear4bit", "20", "36", "✓"]
    assert lines[-2][:2] == ["weights", "46"]
