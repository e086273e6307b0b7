"""Zeros and masks: elements that are not 0, and effective MACs, by hand arithmetic and by a run that skips zeros."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from cnninspect import inspect_model
from cnninspect.inspection.accounts.sparsity import NonZeros
from cnninspect.measure.sparsity import nonzero
from cnninspect.report.quantities import Status, Verdict


def inspected(net, *shape, **options):
    return inspect_model(net, shape, command="flops", accounts=[NonZeros()], **options)


def numbers(report, name):
    return {row.path: row.extra[name].value for row in report.rows if row.leaf and row.extra.get(name) is not None}


def pruned():
    """Half of 8*27 weights masked, half of the filters of the second convolution 0, and the bias of the head."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 144, 10))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1)
        net[2].weight[:4] = 0
        net[4].bias.zero_()
    prune.random_unstructured(net[0], "weight", 0.5)
    return net


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("target", [pruned, pruned()], ids=["factory", "instance"])
def test_masks_and_zeros(target, device):
    """Outputs of 14x14 and 12x12: 8*27*196 = 42,336 and 8*72*144 = 82,944 MACs, of which half take part."""
    report = inspected(target, 1, 3, 16, 16, device=device)
    whole = report.total("nonzero")
    assert whole.value == 108 + 8 + 4 * 72 + 8 + 8 * 144 * 10
    assert (whole.parts, whole.verdict) == ({"zero": 108 + 4 * 72 + 10}, Verdict.MATCH)
    assert whole.measured == {"bits": whole.value}
    effective = report.total("effective_macs")
    assert effective.value == 42_336 // 2 + 82_944 // 2 + 8 * 144 * 10
    assert (effective.status, effective.verdict) == (Status.EXACT, Verdict.MATCH)
    assert report.total("macs").value == 42_336 + 82_944 + 11_520
    assert numbers(report, "effective_macs")["2"] == 82_944 // 2
    assert numbers(report, "nonzero")["4"] == 11_520


LAYERS = {
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9, 9)),
    "conv1d, dilated": (lambda: nn.Conv1d(3, 5, 3, dilation=2), (2, 3, 20)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5)),
    "linear": (lambda: nn.Linear(7, 5), (3, 7)),
    "linear of a sequence": (lambda: nn.Linear(7, 5), (2, 3, 7)),
}


@pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS)
def test_effective_macs_are_those_of_the_weights_that_are_not_0(make, shape):
    """The oracle keeps one weight at a time: the MACs of a layer are as many for each of its weights."""
    torch.manual_seed(0)
    net = make()
    with torch.no_grad():
        net.weight[torch.rand_like(net.weight) < 0.4] = 0
    report = inspected(net, *shape)
    zeros = sum(1 for value in net.weight.flatten().tolist() if value == 0)
    assert 0 < zeros < net.weight.numel()
    per_weight = report.total("macs").value / net.weight.numel()
    effective = report.total("effective_macs")
    assert effective.value == per_weight * (net.weight.numel() - zeros)
    assert effective.verdict is Verdict.MATCH


def test_each_weight_takes_part_as_often_as_ones_are_added_up():
    """A convolution of ones without padding adds a 1 for each MAC: the sum of the output is the number of them."""
    net = nn.Conv2d(3, 4, 3, stride=2, bias=False)
    with torch.no_grad():
        net.weight.fill_(1)
        net.weight[1:, :, 0] = 0
    ones = torch.ones(2, 3, 9, 9)
    assert inspected(net, *ones.shape).total("effective_macs").value == int(net(ones).sum())


@pytest.mark.parametrize("make", [lambda: nn.LSTM(4, 5, 2), lambda: nn.GRU(4, 5), lambda: nn.RNNCell(4, 5)])
def test_recurrent_layers(make):
    """Every weight is used once for each step and sample; with the weights that read the input 0 a part is left."""
    net = make()
    steps = 1 if isinstance(net, nn.RNNCell) else 3
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith("weight_ih"):
                parameter.zero_()
    shape = (2, 4) if steps == 1 else (steps, 2, 4)
    left = sum(parameter.numel() for name, parameter in net.named_parameters() if name.startswith("weight_hh"))
    report = inspected(net, *shape)
    assert report.total("effective_macs").value == steps * 2 * left
    assert report.total("macs").value > steps * 2 * left


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.att = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.att(x, x, x)[0]


def test_products_of_activations_keep_all_their_macs():
    """Projections of 4*8*8 weights for 5 tokens, those of keys and values 0; scores and values take 2*5*5*8 MACs."""
    net = SelfAttention()
    with torch.no_grad():
        net.att.in_proj_weight[8:] = 0
    assert inspected(net, 1, 5, 8).total("effective_macs").value == 5 * 2 * 8 * 8 + 2 * 5 * 5 * 8


class Half(nn.Module):
    def forward(self, weight):
        mask = torch.ones_like(weight)
        mask[: len(weight) // 2] = 0
        return weight * mask


def test_a_parametrization_counts_what_the_layer_uses():
    net = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2))
    parametrize.register_parametrization(net[0], "weight", Half())
    report = inspected(net, 1, 8)
    assert report.total("nonzero").value == 16 + 4 + 10
    assert report.total("effective_macs").value == 16 + 8


class Own(nn.Module):
    """Weights that are used in other ways: doubled, in part, by a bilinear layer."""

    def __init__(self, zero):
        super().__init__()
        self.w, self.both = nn.Parameter(torch.ones(4, 8)), nn.Bilinear(4, 4, 3)
        if zero:
            self.w.data[0, 0] = 0

    def forward(self, x):
        y = nn.functional.linear(x, self.w * 2)
        return self.both(y, y).sum() + nn.functional.linear(x, self.w[:2]).sum()


def test_other_uses_are_unknown_with_the_reason():
    report = inspected(Own(zero=True), 2, 8)
    effective = [
        row.extra["effective_macs"] for row in report.rows if row.macs is not None and row.leaf and row.macs.value
    ]
    assert [number.status for number in effective] == [Status.UNKNOWN] * 3
    notes = " ".join(report.notes)
    for words in (
        "is computed by the model's own code",
        "a part of w is used",
        "unequally many MACs of aten._trilinear",
    ):
        assert words in notes
    # A part of a weight without a 0 has none.
    dense = inspected(Own(zero=False), 2, 8)
    assert [row.extra["effective_macs"].value for row in dense.rows if row.kind == "F.linear"] == [None, 2 * 2 * 8]
    assert (dense.total("effective_macs").value, dense.total("effective_macs").status) == (32, Status.LOWER_BOUND)


class MasksItself(nn.Module):
    """Zeroes its weight in the forward, as pruning by hand does."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)
        self.register_buffer("mask", torch.zeros(2, 4))

    def forward(self, x):
        self.fc.weight.data.mul_(self.mask)
        return self.fc(x)


def test_a_weight_that_is_written_during_the_run_is_unknown():
    report = inspected(MasksItself(), 1, 4)
    assert report.total("effective_macs").value is None
    assert "fc.weight is written during the run" in " ".join(report.notes)


def test_weights_on_meta_are_unknown_and_the_next_step_is_named():
    report = inspected(nn.Sequential(nn.Linear(4, 2, device="meta")), 1, 4)
    for name in ("nonzero", "effective_macs"):
        assert (report.total(name).value, report.total(name).status) == (None, Status.UNKNOWN)
    assert "cannot be copied to cpu" in " ".join(report.notes)
    assert "name a function that returns the network with its weights, as file.py:attr" in " ".join(report.notes)


@pytest.mark.filterwarnings("ignore")
def test_zeros_of_quantised_weights_are_unknown_and_no_0():
    from tests.measure.test_quantised import Linear4bit, dynamic, wrapped

    for net in (dynamic(nn.Linear(8, 4)), nn.Sequential(Linear4bit(8, 4)), wrapped()):
        report = inspected(net, 1, 8)
        assert report.total("nonzero").status is not Status.EXACT
        assert report.total("effective_macs").status is not Status.EXACT
        assert report.total("nonzero").why


def test_weights_without_room_are_unknown(monkeypatch):
    monkeypatch.setattr("cnninspect.inspection.pipeline.free_bytes", lambda: 16)
    report = inspected(lambda: nn.Linear(4, 2), 1, 4)
    assert report.total("nonzero").value is None
    assert "run it where there is room" in " ".join(report.notes)


TENSORS = {
    "minus 0": (torch.tensor([0.0, -0.0, 1.0, float("nan")]), 2),
    "the smallest": (torch.tensor([5e-324, 0.0], dtype=torch.float64), 1),
    "bfloat16": (torch.tensor([0, -0.0, 3, 1e-30], dtype=torch.bfloat16), 2),
    "half": (torch.tensor([0, 2, 0], dtype=torch.float16), 1),
    "integers": (torch.tensor([0, -1, 128, 256]), 3),
    "bytes": (torch.tensor([0, 128], dtype=torch.uint8), 1),
    "truth": (torch.tensor([True, False]), 1),
    "complex": (torch.tensor([0j, 1j, 1 + 0j, complex(-0.0, 0)]), 2),
    "none": (torch.zeros(0), 0),
    "transposed": (torch.tensor([[0.0, 1.0], [2.0, 0.0]]).t(), 2),
    "expanded": (torch.tensor([[0.0, 1.0]]).expand(3, 2), 3),
}


@pytest.mark.parametrize(("tensor", "expected"), TENSORS.values(), ids=TENSORS)
def test_both_counters_of_zeros(tensor, expected):
    net = nn.Module()
    net.register_buffer("x", tensor)
    found = nonzero(net)["x"]
    assert (found.by_torch, found.by_bits) == (expected, expected)


def test_one_counter_that_is_wrong_differs(monkeypatch):
    monkeypatch.setattr("cnninspect.measure.sparsity._by_bits", lambda tensor: tensor.numel() - 1)
    report = inspected(nn.Linear(4, 2), 1, 4)
    assert report.total("nonzero").verdict is report.total("effective_macs").verdict is Verdict.DIFFER


def test_the_command_line(capsys, tmp_path):
    from cnninspect.cli.app import run

    (tmp_path / "net.py").write_text(
        "from torch import nn\nfrom torch.nn.utils import prune\n\ndef make():\n"
        "    net = nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 2))\n"
        "    prune.l1_unstructured(net[0], 'weight', 24)\n    return net\n"
    )
    assert run(["flops", f"{tmp_path / 'net.py'}:make", "--input", "1x8", "--nonzero", "--sort", "effective_macs"]) == 0
    out, err = capsys.readouterr()
    assert ["effective", "MACs", "16"] in [line.split() for line in out.splitlines()]
    assert ["nonzero", "22", "zero", "24"] in [line.split() for line in out.splitlines()]
    assert "24 of 46 parameters are 0 by masks" in err
    assert "zeros are those of the weights as the model is built here" in err
    assert run(["flops", "lenet5", "--sort", "nonzero"]) == 2
    assert "Give --nonzero" in capsys.readouterr().err
