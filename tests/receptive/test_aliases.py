"""In-place ops and views: what is written through one tensor shows in every tensor that shares its storage.

Each function returns tensors whose first and last rows seen are worked out by hand; the input is [1, 2, 6, 6] and a
3x3 convolution stands for "sees its neighbours".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.engine import Engine
from cnninspect.receptive.fields import Field, intervals
from cnninspect.trace.recorder import record


def near(x: Tensor) -> Tensor:
    return F.conv2d(x, torch.ones(x.shape[1], x.shape[1], 3, 3), padding=1)


OWN = ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5])
NEAR = ([0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 5])


def slice_added(x: Tensor) -> Tensor:
    y = x * 1
    y[:, :, 0] += y[:, :, 4]
    return y


def slice_set(x: Tensor) -> Tensor:
    y = x * 1
    y[:, :, 2:4] = near(x)[:, :, 2:4]
    return y


def two_slices_deep(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y[:, 1:, ::2] = near(x)[:, 1:, ::2]
    return y[:, 1]


def through_a_reshaped_view(x: Tensor) -> Tensor:
    y = x * 1
    y.view(2, 36).add_(near(x).view(2, 36))
    return y


def through_a_transposed_view(x: Tensor) -> Tensor:
    y = x * 1
    y.transpose(2, 3).permute(3, 2, 0, 1).unsqueeze(0)[0, 5] = 0
    return y


def older_view_sees_it(x: Tensor) -> Tensor:
    y = x * 1
    view = y[:, :, 1:5].reshape(2, 4, 6)
    y.copy_(near(x))
    return view.view(1, 2, 4, 6)


def unbound_part(x: Tensor) -> Tensor:
    y = x * 1
    first, *_ = y.unbind(2)
    first.zero_()
    return y


def split_part(x: Tensor) -> Tensor:
    y = x * 1
    y.split([4, 2], 2)[1].mul_(near(x)[:, :, 4:])
    return y


def on_the_diagonal(x: Tensor) -> Tensor:
    """Only row 0 has an element of the diagonal in the first column."""
    y = x * 1
    y.diagonal(0, 2, 3).add_(x.sum())
    return y


def overwritten(x: Tensor) -> Tensor:
    y = near(x)
    y.fill_(1)
    return y


def emptied_then_refilled(x: Tensor) -> Tensor:
    y = near(x).zero_()
    return y.add_(x)


def sibling_parts(x: Tensor) -> Tensor:
    """Row 0 of the first part sees rows 0 and 1; row 3 sees itself and what row 0 of the first part sees."""
    y = x * 1
    first, second = y.split(3, 2)
    first.mul_(near(x)[:, :, :3])
    second.add_(first)
    return y


def view_of_a_view_whose_source_is_written(x: Tensor) -> Tensor:
    y = x * 1
    rows = y[:, :, 1:5]
    middle = rows[:, :, 1:3]
    y.mul_(1)
    y.copy_(near(x))
    return middle * 1


def written_through_both_in_turn(x: Tensor) -> Tensor:
    y = x * 1
    view = y[:, :, :3]
    view.add_(1)
    y.copy_(near(x))
    view.mul_(2)
    y.mul_(2)
    return torch.cat([view, y[:, :, 3:]], 2)


def strided_rows_set(x: Tensor) -> Tensor:
    y = x * 1
    y.as_strided((1, 2, 2, 6), (72, 36, 6, 1), 12).copy_(near(x)[:, :, 2:4])
    return y


def every_other_row_of_a_transposed_tensor_set(x: Tensor) -> Tensor:
    y = (x * 1).mT.contiguous().mT
    y.as_strided((1, 2, 3, 6), (72, 36, 2, 6), 1).copy_(x[:, :, :3])
    return y


def run_of_memory_zeroed(x: Tensor) -> Tensor:
    y = x * 1
    y.as_strided((7,), (1,), 6).zero_()
    return y


def windows_side_by_side_set(x: Tensor) -> Tensor:
    y = x * 1
    y.unfold(2, 2, 2).copy_(near(x).unfold(2, 2, 2))
    return y


def windows_with_gaps_set(x: Tensor) -> Tensor:
    """Rows 0, 1 and 3, 4 are written; rows 2 and 5 stand between and behind the windows."""
    y = x * 1
    y.unfold(-2, 2, 3).copy_(near(x).unfold(2, 2, 3))
    return y


def overlapping_windows_rectified(x: Tensor) -> Tensor:
    """Each place is written by up to three windows, each time from itself."""
    y = near(x)
    y.unfold(2, 3, 1).movedim(-1, 2).flatten(1, 2).relu_()
    y.unfold(2, 3, 1).relu_()
    return y


def overlapping_windows_rectified_and_read(x: Tensor) -> Tensor:
    """Offset 0 of the windows: window i holds row i."""
    windows = near(x).unfold(2, 3, 1)
    return windows.relu_()[..., 0]


def parts_of_complex_numbers_set(x: Tensor) -> Tensor:
    y = torch.complex(x, x * 1)
    torch.view_as_real(y).mul_(near(x).unsqueeze(-1))
    return y


def complex_numbers_over_pairs_set(x: Tensor) -> Tensor:
    pairs = torch.stack([x, x], -1)
    torch.view_as_complex(pairs)[:, :, :2].mul_(near(x)[:, :, :2])
    return pairs[..., 1]


def conjugate_set(x: Tensor) -> Tensor:
    y = torch.complex(x, x * 1)
    y.conj()[:, :, 5:].zero_()
    return y


CASES = [
    (windows_side_by_side_set, NEAR),
    (windows_with_gaps_set, ([0, 0, 2, 2, 3, 5], [1, 2, 2, 4, 5, 5])),
    (overlapping_windows_rectified, NEAR),
    (overlapping_windows_rectified_and_read, ([0, 0, 1, 2], [1, 2, 3, 4])),
    (parts_of_complex_numbers_set, NEAR),
    (complex_numbers_over_pairs_set, ([0, 0, 2, 3, 4, 5], [1, 2, 2, 3, 4, 5])),
    (conjugate_set, ([0, 1, 2, 3, 4, None], [0, 1, 2, 3, 4, None])),
    (strided_rows_set, ([0, 1, 1, 2, 4, 5], [0, 1, 3, 4, 4, 5])),
    (every_other_row_of_a_transposed_tensor_set, ([0, 0, 2, 1, 4, 2], [0, 0, 2, 1, 4, 2])),
    # Places 6 to 12: row 1, and the first column of row 2.
    (run_of_memory_zeroed, ([0, None, None, 3, 4, 5], [0, None, None, 3, 4, 5])),
    (slice_added, ([0, 1, 2, 3, 4, 5], [4, 1, 2, 3, 4, 5])),
    (slice_set, ([0, 1, 1, 2, 4, 5], [0, 1, 3, 4, 4, 5])),
    (two_slices_deep, ([0, None, 1, None, 3, None], [1, None, 3, None, 5, None])),
    (through_a_reshaped_view, NEAR),
    (through_a_transposed_view, ([0, 1, 2, 3, 4, None], [0, 1, 2, 3, 4, None])),
    (older_view_sees_it, ([0, 1, 2, 3], [2, 3, 4, 5])),
    (unbound_part, ([None, 1, 2, 3, 4, 5], [None, 1, 2, 3, 4, 5])),
    (split_part, ([0, 1, 2, 3, 3, 4], [0, 1, 2, 3, 5, 5])),
    (on_the_diagonal, ([0, 1, 2, 3, 4, 5], [5, 1, 2, 3, 4, 5])),
    (overwritten, ([None] * 6, [None] * 6)),
    (emptied_then_refilled, OWN),
    (sibling_parts, ([0, 0, 1, 0, 0, 1], [1, 2, 3, 3, 4, 5])),
    (view_of_a_view_whose_source_is_written, ([1, 2], [3, 4])),
    (written_through_both_in_turn, NEAR),
]


def field_of(function: Callable[[Tensor], Any]) -> Field:
    trace = record(function, (torch.rand(1, 2, 6, 6),), {}, layer_of, device="cpu")
    return intervals(trace, KNOWLEDGE)[trace.outputs[0].value]


def rows_seen(field: Field) -> tuple[list[int | None], list[int | None]]:
    """First and last row that each row of the output sees, in its first column and channel; None where it sees none."""
    interval = next((interval for axis, interval in field.strict.items() if axis.index == 0), None)
    if interval is None:
        return ([None] * field.shape[-2], [None] * field.shape[-2])
    lo, hi = (
        np.broadcast_to(end, field.shape).reshape(-1, *field.shape[-2:])[0, :, 0] for end in (interval.lo, interval.hi)
    )
    seen = lo <= hi
    return tuple([int(end) if sees else None for end, sees in zip(ends, seen, strict=True)] for ends in (lo, hi))


@pytest.mark.parametrize(("function", "expected"), CASES, ids=[case[0].__name__ for case in CASES])
def test_rows_seen(function: Callable[[Tensor], Tensor], expected: tuple[list[int], list[int]]) -> None:
    assert rows_seen(field_of(function)) == expected


def test_writing_where_it_is_not_known_taints_the_tensor() -> None:
    def windows(x: Tensor) -> Tensor:
        """Row 1 is offset 1 of the first window and offset 0 of the second: the order of writing decides."""
        y = x * 1
        y.unfold(2, 2, 1).add_(near(x)[:, :, :5].unsqueeze(-1))
        return y

    def one_place(x: Tensor) -> Tensor:
        y = x * 1
        y.as_strided((2, 3), (1, 1), 5).add_(x.sum())
        return y

    assert field_of(windows).unknown == "aten.unfold"
    assert field_of(one_place).unknown == "aten.as_strided"


def test_constants_written_into_constants_cost_nothing_and_see_nothing() -> None:
    def mask(x: Tensor) -> Tensor:
        shape = torch.zeros(6, 6)
        shape.diagonal().fill_(1)
        return shape

    assert rows_seen(field_of(mask)) == ([None] * 6, [None] * 6)


def test_a_loop_that_fills_a_buffer_takes_as_much_work_at_the_last_step_as_at_the_first(monkeypatch) -> None:
    def running_sum(x: Tensor) -> Tensor:
        x = F.conv1d(x, torch.ones(1, 1, 1, device="meta"))
        out, total = torch.zeros_like(x), torch.zeros_like(x[:, :, 0])
        for step in range(x.shape[2]):
            total = total + x[:, :, step]
            out[:, :, step] = total
        return out

    def rules_applied(steps: int) -> int:
        applied = []
        apply = Engine._apply
        monkeypatch.setattr(Engine, "_apply", lambda self, *args: (applied.append(args), apply(self, *args))[1])
        trace = record(running_sum, (torch.empty(1, 1, steps, device="meta"),), {}, layer_of, device="meta")
        field = intervals(trace, KNOWLEDGE)[trace.outputs[0].value]
        monkeypatch.undo()
        ((_, interval),) = field.strict.items()
        assert np.broadcast_to(interval.lo, field.shape).tolist() == [[[0] * steps]]
        assert np.broadcast_to(interval.hi, field.shape).tolist() == [[[*range(steps)]]]
        return len(applied)

    at_10, at_20, at_30 = map(rules_applied, (10, 20, 30))
    assert at_30 - at_20 == at_20 - at_10
