"""Bounds of pairs that nobody asks for are not made, and are what they would have been where somebody does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive import joins
from cnninspect.receptive.fields import Fields, intervals
from cnninspect.report.quantities import Status
from cnninspect.report.reasons import Cause
from cnninspect.trace.recorder import record

PIXELS = 600
"""With the class token that belongs to no pixel, 601 x 601 pairs: too many to be made at once."""

Scores = Callable[[Tensor], Tensor]


def fields_of(use: Scores) -> tuple[Fields, int]:
    """The fields of `use` applied to the scores of every token with every other, and the value it returns."""

    def network(x: Tensor) -> Tensor:
        tokens = torch.cat([torch.zeros(1, 1, 1), x], 2)
        return use(tokens.transpose(1, 2) @ tokens)

    trace = record(network, (torch.rand(1, 1, PIXELS),), {}, layer_of, device="cpu")
    return intervals(trace, KNOWLEDGE), trace.outputs[0].value


def seen(use: Scores) -> tuple[np.ndarray, np.ndarray]:
    """First and last pixel that each element of the result sees."""
    fields, value = fields_of(use)
    field = fields[value]
    (interval,) = field.strict.values()
    return np.broadcast_to(interval.lo, field.shape), np.broadcast_to(interval.hi, field.shape)


TOKENS = np.arange(PIXELS + 1)
FIRST = np.where(TOKENS == 0, PIXELS, TOKENS - 1)
"""The first pixel that a token sees: token i is pixel i - 1, and the class token sees none, behind all others."""

LAST = TOKENS - 1


@pytest.mark.parametrize(
    ("use", "lo", "hi"),
    [
        (
            lambda scores: scores,
            np.minimum(FIRST[:, None], FIRST)[1:, 1:],
            np.maximum(LAST[:, None], LAST)[1:, 1:],
        ),
        (
            lambda scores: scores.permute(0, 2, 1) * 2,
            np.minimum(FIRST[:, None], FIRST)[1:, 1:],
            np.maximum(LAST[:, None], LAST)[1:, 1:],
        ),
        # Column 5 is pixel 4, joined with the row's own.
        (lambda scores: scores[:, :, 5:6], np.minimum(FIRST, 4)[1:, None], np.maximum(LAST, 4)[1:, None]),
        # A row's hull over all columns is the whole image.
        (lambda scores: scores.softmax(-1), 0 * TOKENS[1:, None], 0 * TOKENS[1:, None] + PIXELS - 1),
    ],
    ids=["all pairs", "moved", "one column", "hull over columns"],
)
def test_pairs_see_both_tokens(use: Scores, lo: np.ndarray, hi: np.ndarray) -> None:
    found_lo, found_hi = (end[0, 1:, -lo.shape[1] :] for end in seen(use))
    assert np.array_equal(found_lo, np.broadcast_to(lo, found_lo.shape))
    assert np.array_equal(found_hi, np.broadcast_to(hi, found_hi.shape))


def test_no_table_of_all_pairs_is_made_for_a_hull(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    merged = joins.merged

    def counting(*maps: joins.Bounds) -> joins.Bounds:
        found = merged(*maps)
        made.append(found.table.size)
        return found

    monkeypatch.setattr(joins, "merged", counting)
    fields_of(lambda scores: scores.softmax(-1))
    assert made
    assert max(made) <= 2 * len(TOKENS)


def test_more_pairs_than_can_be_listed_are_unknown_and_what_mixes_them_is_not() -> None:
    """8,192 tokens have 67,108,864 pairs. Each output sees all tokens, whatever becomes of their scores."""

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x @ x.mT).softmax(-1) @ x

    for tokens in (8_192, 131_072):
        scores, weights, sums = (
            row.receptive_field for row in inspect_model(Attention(), (1, tokens, 8)).rows[1:][-3:]
        )
        assert (scores.status, scores.why[0].cause) == (Status.UNKNOWN, Cause.LIMIT)
        assert weights.is_global
        assert sums.is_global


def test_an_axis_that_is_too_long_leaves_the_counts() -> None:
    """A dot product of 3 for each of 10^9 - 2 places."""
    report = inspect_model(nn.Conv1d(1, 1, 3), (1, 1, 1_000_000_000))
    assert report.totals["macs"].value == 3 * (1_000_000_000 - 2)
    field = report.totals["receptive_field"]
    assert (field.status, field.why[0].cause) == (Status.UNKNOWN, Cause.LIMIT)
