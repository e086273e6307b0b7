"""Tensors that a forward gives another shape in place, and reads by place in memory or by constant indices.

Parameters, MACs and fields are hand arithmetic, written beside each network; the verdicts are those of `compare`, whose
NaN probe is the independent oracle of every field.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect import inspect_model
from cnninspect.errors import UsageError
from cnninspect.measure.storages import Held, held
from cnninspect.report.quantities import Verdict


class Conv(nn.Module):
    """A convolution, 3 wide with padding 1, before `then`."""

    def __init__(self, then, axes=1, index=None):
        super().__init__()
        self.conv = (nn.Conv1d, nn.Conv2d)[axes - 1](1, 1, 3, padding=1)
        self.register_buffer("index", index)
        self.then = then

    def forward(self, x):
        return self.then(self.conv(x), self.index)


class Before(nn.Module):
    """A change of the network's own input, in place, before a convolution of 3 to 4 channels."""

    def __init__(self, change, kernel=3):
        super().__init__()
        self.change, self.conv = change, nn.Conv2d(3, 4, kernel)

    def forward(self, x):
        self.change(x)
        return self.conv(x)


def _set_data(x):
    x.data = x.data.transpose(2, 3)


@pytest.mark.parametrize(
    ("change", "shape", "kernel", "out", "field"),
    [
        pytest.param(lambda x: x.unsqueeze_(0), (3, 8, 8), 3, (1, 4, 6, 6), (3, 3), id="unsqueeze_"),
        pytest.param(lambda x: x.squeeze_(0), (1, 3, 8, 8), 3, (4, 6, 6), (3, 3), id="squeeze_"),
        # Rows become columns: a kernel of 3x1 slides over what were columns.
        pytest.param(lambda x: x.transpose_(2, 3), (1, 3, 8, 8), (3, 1), (1, 4, 6, 8), (1, 3), id="transpose_"),
        pytest.param(_set_data, (1, 3, 8, 8), (3, 1), (1, 4, 6, 8), (1, 3), id="data"),
        pytest.param(
            lambda x: x.as_strided_((1, 3, 8, 8), (192, 64, 1, 8)),
            (1, 3, 8, 8),
            (3, 1),
            (1, 4, 6, 8),
            (1, 3),
            id="strided",
        ),
        # 8x8 in row-major order as 4x16: 3 rows of 16 are 6 rows of 8, so 3x3 sees up to 6 rows.
        pytest.param(lambda x: x.resize_(1, 3, 4, 16), (1, 3, 8, 8), 3, (1, 4, 2, 14), None, id="resize_"),
    ],
)
def test_the_networks_input_is_as_it_was_for_every_run(change, shape, kernel, out, field):
    report = inspect_model(Before(change, kernel), shape, probe=True)
    row = next(row for row in report.rows if row.path == "conv")
    assert row.output_shape.value == (out,)
    assert report.totals["input_bytes"].verdict is Verdict.MATCH
    assert row.receptive_field.verdict is Verdict.MATCH
    assert field is None or row.receptive_field.size == field


def test_an_input_that_grows_during_the_forward_is_counted_as_it_was():
    def forward(x):
        y = x + 1
        x.resize_(8, 8)
        return y

    report = inspect_model(forward, (4, 4), probe=True)
    assert report.totals["input_bytes"].value == 4 * 4 * 4
    assert report.totals["input_bytes"].verdict is Verdict.MATCH


def test_a_buffer_that_a_forward_writes_in_eval_mode_is_as_it_was_for_the_next_run():
    class Cache(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kept", torch.zeros(1, 4, 8))
            self.conv = nn.Conv1d(4, 4, 3, padding=1)

        def forward(self, x):
            y = self.conv(x) + self.kept
            self.kept[:] = y
            return y

    model = Cache()
    report = inspect_model(model, (1, 4, 8), device="cpu", probe=True)
    assert model.kept.eq(0).all()
    assert all(row.receptive_field.verdict is Verdict.MATCH for row in report.rows if row.path == "conv")


def test_bytes_that_two_dtypes_share_count_once():
    # 9 complex numbers of 8 bytes; their real view names the same 72 bytes.
    whole = torch.zeros(3, 3, dtype=torch.complex64)
    assert held([whole, torch.view_as_real(whole)]) == Held(9, 72)
    assert held([torch.view_as_real(whole), whole]) == Held(18, 72)
    # Another tensor of another dtype beside them: 5 of 2 bytes.
    assert held([whole, torch.zeros(5, dtype=torch.half), torch.view_as_real(whole)]) == Held(14, 82)
    # float64 in bytes 16 to 47, float32 in bytes 24 to 95: 4 + (96 - 48) / 4 elements.
    memory = torch.zeros(16, dtype=torch.float64)
    assert held([memory[2:6], memory.view(torch.float32)[6:24]]) == Held(4 + 12, 80)


def test_a_complex_parameter_beside_its_real_view():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 3, dtype=torch.complex64))
            self.parts = nn.Parameter(torch.view_as_real(self.weight.detach()))

        def forward(self, x):
            return x @ self.parts.sum(-1)

    totals = inspect_model(Net(), (3, 3)).totals
    assert (totals["params"].value, totals["params_bytes"].value) == (9, 72)
    assert totals["params"].verdict is totals["params_bytes"].verdict is Verdict.MATCH


def _window(y, _):
    return y.contiguous().as_strided((1, 7, 16), (64, 8, 1)).sum(-1)


def _stft(y, _):
    return torch.stft(y[:, 0], 16, 8, window=torch.ones(16), center=False, return_complex=True).abs()


@pytest.mark.parametrize(
    ("then", "axes", "index", "shape", "size", "jump"),
    [
        # 16 neighbours of a map whose every element sees 3: 16 + 2, every 8 pixels.
        pytest.param(_window, 1, None, (1, 1, 64), (18,), (8,), id="as_strided"),
        pytest.param(_stft, 1, None, (1, 1, 64), (18,), (8,), id="stft"),
        # A permutation moves the field; the elements from the border see 2 of 3 pixels.
        pytest.param(
            lambda y, i: torch.zeros_like(y).scatter(2, i.expand(1, 1, 16), y),
            1, torch.arange(16).roll(4), (1, 1, 16), ([2, 3],), None, id="scatter",
        ),
        # Pairs of neighbours are added up: 2 + 2.
        pytest.param(
            lambda y, i: y.new_zeros(1, 1, 8).scatter_add(2, i.expand(1, 1, 16), y),
            1, torch.arange(16) // 2, (1, 1, 16), (4,), (2,), id="scatter_add",
        ),
        pytest.param(
            lambda y, i: y.new_zeros(1, 1, 8).scatter_reduce(2, i.expand(1, 1, 16), y, "amax", include_self=False),
            1, torch.arange(16) // 2, (1, 1, 16), (4,), (2,), id="scatter_reduce",
        ),
        pytest.param(
            lambda y, i: y.new_zeros(1, 1, 8).index_reduce(2, i, y, "amax"),
            1, torch.arange(16) // 2, (1, 1, 16), (4,), (2,), id="index_reduce",
        ),
        pytest.param(
            lambda y, i: torch.zeros_like(y).index_put((torch.tensor([0]), torch.tensor([0]), i), y[0, 0]),
            1, torch.arange(16), (1, 1, 16), (3,), (1,), id="index_put",
        ),
        pytest.param(
            lambda y, i: y.new_zeros(1, 1, 8).index_put((torch.tensor([0]), torch.tensor([0]), i), y[0, 0], True),
            1, torch.arange(16) // 2, (1, 1, 16), (4,), (2,), id="index_put accumulates",
        ),
        # Both of a pair in one row and one column: the hull is 4 rows, as above.
        pytest.param(
            lambda y, i: y[:, :, i, i], 2, torch.arange(8), (1, 1, 8, 8), (3, 3), (1, 1), id="index of two dimensions"
        ),
        pytest.param(lambda y, i: y[:, :, i], 1, torch.arange(16) > 3, (1, 1, 16), (3,), (1,), id="index of a mask"),
    ],
)  # fmt: skip
def test_constant_places_are_followed(then, axes, index, shape, size, jump):
    field = inspect_model(Conv(then, axes, index), shape, device="cpu", probe=True).rows[0].receptive_field
    assert field.size == size
    assert jump is None or field.jump == jump
    # NaN that is overwritten is swallowed by scatter and index_put, so that a probe may not decide.
    assert field.verdict in (Verdict.MATCH, Verdict.UNKNOWN)


def test_a_masked_write_leaves_what_the_mask_keeps():
    def write(y, keep):
        y = y.clone()
        y[:, :, keep] = 0.0
        return y

    field = (
        inspect_model(Conv(write, 1, torch.arange(16) < 8), (1, 1, 16), device="cpu", probe=True)
        .rows[0]
        .receptive_field
    )
    # Nothing in the first half, 3 pixels from then on.
    assert field.size == ([0, 3],)
    assert field.verdict is Verdict.MATCH


def test_max_unpool_with_constant_indices():
    places = (torch.arange(4) * 2 + 16 * torch.arange(4)[:, None]).reshape(1, 1, 4, 4)
    unpool = Conv(lambda y, i: F.max_unpool2d(y, i, 2), 2, places)
    field = inspect_model(unpool, (1, 1, 4, 4), device="cpu", probe=True).rows[0].receptive_field
    # Three of four elements are zeros, which depend on nothing.
    assert field.size == ([0, 3], [0, 3])
    assert field.verdict is Verdict.MATCH


def test_indices_from_data_stay_unknown():
    pool = Conv(lambda y, _: F.max_unpool2d(*F.max_pool2d(y, 2, return_indices=True), 2), 2)
    row = inspect_model(pool, (1, 1, 4, 4), device="cpu", probe=True).rows[0]
    assert row.receptive_field.status.value == "unknown"


def test_two_sources_for_one_place_are_unknown():
    # torch.Tensor.scatter_: with more than one source for a place, "the result is nondeterministic".
    row = inspect_model(
        Conv(lambda y, i: y.new_zeros(1, 1, 8).scatter(2, i.expand(1, 1, 16), y), 1, torch.arange(16) // 2),
        (1, 1, 16),
        device="cpu",
    ).rows[0]
    assert row.receptive_field.status.value == "unknown"


def test_every_result_of_log_sigmoid_forward():
    report = inspect_model(lambda x: torch.ops.aten.log_sigmoid_forward(x)[0], (1, 3, 8, 8), probe=True)
    assert {row.output_shape.verdict for row in report.rows} == {Verdict.MATCH}
    assert {row.receptive_field.verdict for row in report.rows} == {Verdict.MATCH}


def test_fields_of_a_network_that_fails_on_the_cpu_are_unknown():
    def write(y, _):
        y = y.clone()
        y[:, :, torch.tensor([0, 40])] = torch.ones(1, 1, 2)
        return y

    report = inspect_model(Conv(write), (1, 1, 16), probe=True)
    row = next(row for row in report.rows if row.path == "conv")
    assert row.receptive_field.verdict is Verdict.UNKNOWN
    assert "fails on the CPU" in str(row.receptive_field.why[0])


def test_nested_inputs_are_refused_in_words():
    rows = [torch.zeros(2, 4), torch.zeros(3, 4)]

    def jagged():
        return (torch.nested.nested_tensor(rows, layout=torch.jagged),)

    with pytest.raises(UsageError, match=r"input 0 is a nested tensor.*padded"):
        inspect_model(nn.Linear(4, 5), inputs_from=jagged)


def test_a_jagged_tensor_is_shown_as_its_rows():
    """By hand: 3 rows of the first sample and 2 of the second, one after the other."""
    report = inspect_model(lambda x: torch.nested.nested_tensor([x[0], x[1, :2]], layout=torch.jagged), (2, 3, 4))
    assert report.rows[0].output_shape.value == ((3 + 2, 4),)
    assert report.rows[0].output_shape.verdict is Verdict.MATCH
    assert any("jagged nested tensors are shown as their values" in note for note in report.notes)


class Divided(nn.Module):
    """Two convolutions; which of them runs, and how often, depends on the numbers in the input."""

    def __init__(self, then):
        super().__init__()
        self.a, self.b, self.then = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2), then

    def forward(self, x):
        return self.then(self, x)


def _another_branch(net, x):
    return net.b(x) if x.isnan().any() else net.b(net.a(x))


def _fewer_rounds(net, x):
    y = net.a(x)
    while y.abs().max() < 100:
        y = net.a(y) * 4
    return y


@pytest.mark.parametrize("then", [_another_branch, _fewer_rounds])
def test_nan_that_changes_which_calls_run_proves_nothing(then):
    torch.manual_seed(0)
    report = inspect_model(Divided(then), (1, 1, 12, 12), device="cpu", probe=True)
    root = report.rows[0].receptive_field
    assert root.verdict is Verdict.UNKNOWN
    assert "other calls" in str(root.why[0])
    assert Verdict.DIFFER not in {row.receptive_field.verdict for row in report.rows if row.receptive_field}


def test_nan_that_changes_shapes_proves_nothing():
    report = inspect_model(lambda x: (x[x == x], x + 1), (1, 1, 12, 12), device="cpu", probe=True)
    sums = [row.receptive_field.verdict for row in report.rows if row.kind == "Tensor.add"]
    assert sums == [Verdict.MATCH]


def test_a_buffer_whose_shape_a_forward_changes_is_as_it_was():
    class Squeezing(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kept", torch.zeros(1, 3, 8, 8))
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, x):
            self.kept.squeeze_(0)
            return self.conv(x + self.kept)

    model = Squeezing()
    report = inspect_model(model, (1, 3, 8, 8), device="cpu", probe=True)
    assert model.kept.shape == (1, 3, 8, 8)
    assert {row.receptive_field.verdict for row in report.rows} == {Verdict.MATCH}


def test_tensors_inside_a_gradient_transform_are_probed():
    linear = nn.Linear(8, 8)
    report = inspect_model(lambda x: torch.func.grad(lambda v: linear(v).tanh().sum())(x), (3, 2, 8), probe=True)
    assert {row.receptive_field.verdict for row in report.rows if row.receptive_field} == {Verdict.MATCH}


def test_work_behind_data_is_no_work_that_fvcore_should_have_seen():
    conv = nn.Conv2d(3, 3, 3, padding=1)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv

        def forward(self, x):
            y = torch.zeros_like(x)
            y.data = self.conv(x)
            return y + 1

    row = next(row for row in inspect_model(Net(), (1, 3, 8, 8), probe=True).rows if row.path == "conv")
    # 8*8 positions of 3 channels, each 3 channels of 3x3.
    assert row.macs.value == 8 * 8 * 3 * 3 * 9
    assert row.macs.verdict is not Verdict.DIFFER
    assert row.receptive_field.verdict is Verdict.MATCH


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize(
    "index",
    [[3, 4, 7], (3, 4, 7), range(3, 9, 2), np.array([3, 4, 7]), [[3, 4], [7, 7]]],
    ids=["list", "tuple", "range", "array", "nested"],
)
def test_an_index_of_numbers_in_python_is_followed_on_every_device(index, device):
    # The first place is 3 and the last 7: 5 pixels.
    field = inspect_model(Conv(lambda y, _: y[..., index].flatten().amax(), 1), (1, 1, 12), device=device)
    assert field.rows[0].receptive_field.size == (7,)  # The convolution before it adds a pixel at each end.


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_what_is_written_at_numbers_in_python_is_followed_on_every_device(device):
    def write(y, _):
        y = y.clone()
        y[..., [0, 1]] = y[..., [8, 9]]
        return y[..., [0, 1]]

    def blacken(y, _):
        y = y.clone()
        y[..., [True] * 3 + [False] * 13] = 0
        return y

    # A list of bools: nothing where it is true, 2 or 3 pixels elsewhere.
    field = inspect_model(Conv(blacken, 1), (1, 1, 16), device=device).rows[0].receptive_field
    assert field.size == ([0, 3],)
    # The convolution of 3 sees pixels 7..9 and 8..10 there.
    field = inspect_model(Conv(write, 1), (1, 1, 16), device=device).rows[0].receptive_field
    assert (field.size, field.why) == ((3,), ())
