"""What Python code reads of tensors, what NaN cannot pass, runs that never end, and the field of a whole network."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnninspect.inspection.pipeline import inspect_model
from cnninspect.measure.limits import Allowance, Limit, LimitReachedError
from cnninspect.report.document import Report
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.reasons import Cause


class WarnItem(nn.Module):
    """Reads a bool, only to warn (transformers' warning about missing attention masks)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(100, 16), nn.TransformerEncoderLayer(16, 2, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        if 0 in ids[:, [-1, 0]]:
            print("pass a mask", end="")
        return self.layer(self.embedding(ids))


class CauseView(nn.Module):
    """Reads a sum, then takes views of what a convolution makes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum().item() > 1e9:
            raise ValueError
        y = self.conv(x)
        return y[..., :4] * 2 + y[..., 0, None] * 3


class Scaled(nn.Module):
    """What was read comes back as a factor: then every element may depend on the whole input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * x.mean().item()


class NoAxes(nn.Module):
    """Graph pooling: how many graphs there are is read; the inputs have no spatial axes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(16, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor, batch: Tensor) -> Tensor:
        x = self.first(x).relu()
        return self.last(x.new_zeros(int(batch.max().item()) + 1, 32).index_add_(0, batch, x))


class NeverEnds(nn.Module):
    """A loop that ends when a mean is large enough; NaN never is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        while not x.mean() > 3:
            x = x + 1
        return x


def _run_for_ever() -> None:
    while True:
        pass


def report(model: Any, *inputs: str) -> Report:
    return inspect_model(model, inputs=inputs, probe=True)


def test_a_bool_that_is_read_only_chooses_what_runs() -> None:
    found = [row.receptive_field for row in report(WarnItem, "1x7:int64").rows if row.receptive_field]
    assert found
    assert all(field.status is Status.EXACT for field in found)
    assert found[0].is_global  # attention


@pytest.mark.parametrize("model", [CauseView, Scaled])
def test_what_may_hold_a_number_that_was_read_is_unknown_because_of_the_read(model: type[nn.Module]) -> None:
    fields = {row.label: row.receptive_field for row in report(model, "1x3x8x8").rows if row.receptive_field}
    assert fields["conv"].size == (3, 3)
    assert fields["Tensor.mul"].status is Status.UNKNOWN
    assert {field.cause for field in fields.values() if field.status is Status.UNKNOWN} == {"Tensor.item"}


def test_nothing_has_an_unknown_field_where_there_is_none() -> None:
    assert not [row for row in report(NoAxes, "50x16", "50:int64").rows if row.receptive_field]


def test_a_probe_that_never_ends_is_ended_and_says_so() -> None:
    found = report(NeverEnds, "1x1x8x8")
    fields = {row.label: row.receptive_field for row in found.rows if row.receptive_field}
    assert fields["conv"].size == (3, 3)
    # Up to the last comparison both runs make the same calls, so the probe sees the means; what decides is unknown.
    assert fields["Tensor.mean"].is_global
    assert fields["Tensor.mean"].verdict is Verdict.MATCH
    assert {reason.cause for reason in fields["Tensor.gt"].why} == {Cause.LIMIT}
    assert Verdict.DIFFER not in {field.verdict for field in fields.values()}
    assert [note for note in found.notes if "ended after" in note]


def test_a_loop_without_ops_is_ended_too() -> None:
    """Only the limit of silence can end it: the loop runs no op, and the run as a whole has no limit of seconds."""
    limit = Limit(Allowance(ops=10, seconds=math.inf, silent=0.2))
    with pytest.raises(LimitReachedError, match="took too long"), limit:
        _run_for_ever()


def test_ops_that_only_detach_are_not_counted() -> None:
    """torch 2.6 detaches twice as often as 2.13 where a state is saved: 1,368 of the 1,574 ops of resnet32's probe."""
    x = torch.ones(2)
    with Limit(Allowance(ops=3)):
        for _ in range(50):
            x.detach()
    with pytest.raises(LimitReachedError, match="ended after 3 ops"), Limit(Allowance(ops=3)):
        _ = x + 1 + 1 + 1 + 1


def test_nan_that_a_fourier_transform_leaves_out_is_no_contradiction() -> None:
    def mixed(x: Tensor) -> Tensor:
        return torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real

    field = report(mixed, "1x8x16").rows[-1].receptive_field
    assert field is not None
    assert field.is_global
    assert field.verdict is Verdict.UNKNOWN
    assert "coefficients that are exactly 0" in field.why[0].text


def test_an_input_that_only_some_elements_see_is_no_contradiction() -> None:
    def modulated(x: Tensor, position: Tensor) -> Tensor:
        return dense(x) * torch.cat([torch.zeros(32, device=x.device), position])[None, :, None]

    weight = torch.ones(16, 16)

    def dense(x: Tensor) -> Tensor:
        return nn.functional.linear(x, weight.to(x.device))

    found = report(modulated, "1x96x16", "64")
    assert Verdict.DIFFER not in {row.receptive_field.verdict for row in found.rows if row.receptive_field}


def test_the_field_of_a_network_is_that_of_its_first_output() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.main = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 5, padding=2)
            self.auxiliary = nn.Conv2d(2, 2, 1)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            x = self.body(x)
            return {"out": self.main(x), "aux": self.auxiliary(x)}

    total = report(TwoHeads, "1x1x16x16").totals["receptive_field"]
    assert (total.size, total.layer) == ((7, 7), "main")  # 3 + (5 - 1)


READ_AS_NUMBERS = {
    "a shift": lambda net, x: net(x).roll(int(x.sum() > 0) + 1, -1),
    "a start": lambda net, x: net(x)[..., int(x.sum() > 0) + 2 :],
    "a factor": lambda net, x: net(x) * float(x.sum() > 0),
    "a place": lambda net, x: net(x)[..., x[0, 0, 0].argmax()],
    "a place that was read": lambda net, x: net(x)[..., int(x[0, 0, 0].argmax())],
    "a comparison of all": lambda net, x: net(x) * (torch.allclose(x, 2 * x) + 1),
}


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize("forward", READ_AS_NUMBERS.values(), ids=READ_AS_NUMBERS)
def test_a_number_made_of_what_was_read_is_not_known(forward: Any, probe: bool) -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = forward(self.conv, x)
            return result

    found = inspect_model(Reads(), (1, 2, 8, 8), device="cpu", probe=probe)
    assert found.rows[0].receptive_field.status is Status.UNKNOWN
    assert found.rows[0].receptive_field.why[0].cause is Cause.READ_BY_DATA
    assert Verdict.DIFFER not in {row.receptive_field.verdict for row in found.rows if row.receptive_field}


def test_what_numpy_writes_into_a_tensor_is_not_known() -> None:
    class Shared(nn.Module):
        def __init__(self, writes: bool) -> None:
            super().__init__()
            self.conv, self.writes = nn.Conv2d(2, 2, 3, padding=1), writes

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x).detach()
            numbers = y.numpy()
            if self.writes:
                numbers[..., 2:] += x.detach().numpy()[..., :-2]
            return y

    for writes in (False, True):
        found = inspect_model(Shared(writes), (1, 2, 8, 8), device="cpu", probe=True)
        assert found.rows[0].receptive_field.verdict is (Verdict.UNKNOWN if writes else Verdict.MATCH)
        assert Verdict.DIFFER not in {row.receptive_field.verdict for row in found.rows if row.receptive_field}
        assert ("what NumPy wrote" in str(found.rows[0].receptive_field.why)) is writes
