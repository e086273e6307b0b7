"""Fields behind masks and of tokens: what a token sees, worked out by hand, on meta and on the CPU, and its verdict.

With a causal mask token i sees tokens 0 to i (Vaswani et al. 2017, section 3.2.3). With a window of w tokens it sees
the last w, and after n layers the last n (w - 1) + 1 (Jiang et al. 2023, Mistral 7B, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.inspection import on_cpu
from cnninspect.ops import elementwise, masks
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.ops.rules import mixed_along
from cnninspect.receptive.fields import intervals
from cnninspect.report.quantities import Verdict
from cnninspect.trace.recorder import record

TOKENS, FEATURES, HEADS, WINDOW = 12, 8, 2, 3
LATER = torch.ones(TOKENS, TOKENS, dtype=torch.bool).triu(1)


def causal(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def causal_by_a_mask_of_booleans(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, torch.ones(TOKENS, TOKENS, dtype=torch.bool, device=q.device).tril())


def causal_by_a_mask_that_is_added(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    mask = nn.Transformer.generate_square_subsequent_mask(TOKENS, device=q.device)
    return F.scaled_dot_product_attention(q, k, v, mask)


def causal_by_a_buffer(q: Tensor, k: Tensor, v: Tensor, owner: nn.Module) -> Tensor:
    scores = (q @ k.mT / 2).masked_fill(owner.lower[:, :, :TOKENS, :TOKENS] == 0, -torch.inf)
    return F.dropout(scores.softmax(-1), training=owner.training) @ v


def causal_by_where(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    kept = torch.ones(TOKENS, TOKENS, dtype=torch.bool, device=q.device).tril()
    return torch.einsum("nhij,nhjd->nhid", torch.where(kept, q @ k.mT, -1e9).softmax(-1), v)


def causal_by_positions(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    places = torch.arange(TOKENS, device=q.device)
    bias = torch.zeros(TOKENS, TOKENS, device=q.device).masked_fill_(places[:, None] < places, -1e4)
    return torch.softmax(q @ k.mT + bias, -1) @ v


def causal_beside_a_table(q: Tensor, k: Tensor, v: Tensor, owner: nn.Module) -> Tensor:
    """Raffel et al. 2020, T5, section 2.1: a learned bias for each distance, and the mask, in one sum."""
    mask = torch.full((TOKENS, TOKENS), torch.finfo(q.dtype).min, device=q.device).triu(1)
    return (q @ k.mT + (owner.table[None] + mask).unsqueeze(0)).softmax(-1) @ v


def causal_and_linear_in_the_distance(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """Press et al. 2022, ALiBi, section 3: each head subtracts its slope times the distance."""
    places = torch.arange(TOKENS, device=q.device)
    slopes = torch.tensor([0.5, 0.25], device=q.device).view(HEADS, 1, 1)
    bias = -slopes * (places[:, None] - places).abs()
    return (q @ k.mT + bias.masked_fill(places[:, None] < places, -torch.inf)).softmax(-1) @ v


def causal_by_a_number_in_a_tensor(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """As GPT-J does: torch.where with a tensor that is made of a number, for which torch runs no op on meta."""
    kept = torch.ones(TOKENS, TOKENS, dtype=torch.bool, device=q.device).tril()
    return torch.where(kept, q @ k.mT, torch.tensor(-1e4, dtype=q.dtype, device=q.device)).softmax(-1) @ v


def causal_by_a_difference(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """As GPT-2's first code did: w * b - 1e10 * (1 - b)."""
    kept = torch.ones(TOKENS, TOKENS, device=q.device).tril()
    return (q @ k.mT * kept - 1e10 * (1 - kept)).softmax(-1) @ v


def causal_beside_a_sink(q: Tensor, k: Tensor, v: Tensor, owner: nn.Module) -> Tensor:
    """A score that no token has takes part in the softmax: Xiao et al. 2023, StreamingLLM; gpt-oss."""
    scores = (q @ k.mT).masked_fill(LATER.to(q.device), -torch.inf)
    sink = owner.norm.bias[:1].expand(*scores.shape[:3], 1)
    return torch.cat([scores, sink], -1).softmax(-1)[..., :-1] @ v


def causal_by_a_sigmoid(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """Ramapuram et al. 2024, "Theory, Analysis, and Best Practices for Sigmoid Self-Attention"."""
    return torch.sigmoid((q @ k.mT).masked_fill(LATER.to(q.device), -torch.inf)) @ v


def causal_by_a_square(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """So et al. 2021, Primer, squares the relu; here as weights."""
    weights = F.relu((q @ k.mT).masked_fill(LATER.to(q.device), -1e9)) ** 2
    return weights / (weights.sum(-1, keepdim=True) + 1e-5) @ v


def retention(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    """Sun et al. 2023, Retentive Network, equation 5: (Q K^T * D) V with D_ij = gamma^(i - j) for j <= i, else 0."""
    places = torch.arange(TOKENS, device=q.device)
    return (q @ k.mT * (0.9 ** (places[:, None] - places)).tril()) @ v


def linear_attention(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    return (q @ k.mT).tril() @ v


def window(q: Tensor, k: Tensor, v: Tensor, owner: nn.Module) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, owner.window)


def window_by_hand(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
    ones = torch.ones(TOKENS, TOKENS, dtype=torch.bool, device=q.device)
    return (q @ k.mT).masked_fill(ones.tril() & ones.triu(1 - WINDOW) == 0, -torch.inf).softmax(-1) @ v


Attend = Callable[[Tensor, Tensor, Tensor, nn.Module], Tensor]
CAUSAL: list[Attend] = [
    causal, causal_by_a_mask_of_booleans, causal_by_a_mask_that_is_added, causal_by_a_buffer, causal_by_where,
    causal_by_positions, causal_beside_a_table, causal_and_linear_in_the_distance, retention, linear_attention,
    causal_by_a_number_in_a_tensor, causal_by_a_difference, causal_beside_a_sink, causal_by_a_sigmoid,
]  # fmt: skip
WINDOWED: list[Attend] = [window, window_by_hand]


class Block(nn.Module):
    def __init__(self, attend: Attend):
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(FEATURES), attend
        self.qkv, self.out = nn.Linear(FEATURES, 3 * FEATURES), nn.Linear(FEATURES, FEATURES)
        self.table = nn.Parameter(torch.randn(TOKENS, TOKENS))
        self.register_buffer("lower", torch.tril(torch.ones(TOKENS + 4, TOKENS + 4)).view(1, 1, TOKENS + 4, TOKENS + 4))
        places = torch.arange(TOKENS)
        distance = places[:, None] - places
        self.register_buffer("window", (distance >= 0) & (distance < WINDOW))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.reshape(*part.shape[:2], HEADS, -1).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1)
        )
        return x + self.out(self.attend(q, k, v, self).transpose(1, 2).flatten(2))


class Decoder(nn.Module):
    """Embedding, positions and two blocks."""

    def __init__(self, attend: Attend):
        super().__init__()
        self.embed, self.places = nn.Embedding(30, FEATURES), nn.Parameter(torch.randn(1, TOKENS, FEATURES))
        self.blocks, self.head = nn.Sequential(Block(attend), Block(attend)), nn.Linear(FEATURES, 30)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.blocks(self.embed(tokens) + self.places))


def seen(model: nn.Module, x: Tensor, device: str) -> tuple[list[int], list[int]]:
    """First and last token that each position of the output sees."""
    trace = record(model.to(device), (x.to(device),), {}, layer_of, device=device)
    field = intervals(trace, KNOWLEDGE)[trace.outputs[0].value]
    assert field.is_known, field.unknown
    ((_, interval),) = field.strict.items()
    lo, hi = (np.broadcast_to(end, field.shape)[0, :, 0].tolist() for end in (interval.lo, interval.hi))
    return lo, hi


def rows_of(make: Callable[[], nn.Module], size: str, device: str = "auto", **options: Any) -> list[Any]:
    report = inspect_model(make, inputs=[size], device=device, probe=True, **options)
    return [row for row in report.rows if row.receptive_field is not None]


# A buffer that torch makes on meta holds no numbers; inspect_model follows its constructor: see the test below.
# A relu is 0 for half of its inputs, whatever changes there, so that its rows stay unknown.
ON_DEVICES = [(attend, device) for attend in (*CAUSAL, causal_by_a_square) for device in ("cpu", "meta")]
ON_DEVICES.remove((causal_by_a_buffer, "meta"))


@pytest.mark.parametrize(("attend", "device"), ON_DEVICES)
def test_behind_a_causal_mask_a_token_sees_itself_and_those_before(attend: Attend, device: str) -> None:
    with torch.device(device):
        model = Decoder(attend).eval()
    assert seen(model, torch.zeros(1, TOKENS, dtype=torch.int64), device) == ([0] * TOKENS, [*range(TOKENS)])


@pytest.mark.parametrize("attend", WINDOWED)
def test_windows_of_two_blocks_add_up(attend: Attend) -> None:
    lo, hi = seen(Decoder(attend).eval(), torch.zeros(1, TOKENS, dtype=torch.int64), "cpu")
    assert hi == [*range(TOKENS)]
    assert lo == [max(i - 2 * (WINDOW - 1), 0) for i in range(TOKENS)]


@pytest.mark.parametrize("attend", [*CAUSAL, *WINDOWED])
def test_every_row_is_confirmed_by_changes_of_the_tokens(attend: Attend) -> None:
    rows = rows_of(lambda: Decoder(attend), f"1x{TOKENS}:int64")
    assert {row.receptive_field.verdict for row in rows} == {Verdict.MATCH}
    sizes = [row.receptive_field.size for row in rows if row.path == "head"]
    assert sizes == [(2 * (WINDOW - 1) + 1,) if attend in WINDOWED else ([1, TOKENS],)]


def test_changes_are_seen_in_a_type_that_numpy_lacks() -> None:
    rows = rows_of(lambda: Block(causal), f"1x{TOKENS}x{FEATURES}", dtype="bfloat16")
    assert Verdict.DIFFER not in {row.receptive_field.verdict for row in rows}
    assert rows[-1].receptive_field.size == ([1, TOKENS],)


@pytest.mark.parametrize("attend", [causal, causal_by_a_buffer, window])
def test_a_mask_in_a_buffer_is_known_on_meta(attend: Attend) -> None:
    fields = {
        device: [row.receptive_field.size for row in inspect_model(
            lambda: Block(attend), inputs=[f"1x{TOKENS}x{FEATURES}"], device=device).rows if row.receptive_field]
        for device in ("meta", "cpu")
    }  # fmt: skip
    assert fields["meta"][-1] == fields["cpu"][-1] == ((WINDOW,) if attend is window else ([1, TOKENS],))


def test_a_mask_that_depends_on_the_input_hides_nothing() -> None:
    def gated(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        return (q @ k.mT).masked_fill(q @ k.mT < 0, -1e9).softmax(-1) @ v

    lo, hi = seen(Block(gated).eval(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


def test_a_mask_that_is_overwritten_with_data_hides_nothing() -> None:
    def written(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        mask = torch.full((TOKENS, TOKENS), -torch.inf, device=q.device).triu(1)
        view = mask[:]
        view.copy_((q @ k.mT)[0, 0])
        return (q @ k.mT + mask).softmax(-1) @ v

    lo, hi = seen(Block(written).eval(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


def test_a_bias_that_is_not_low_hides_nothing() -> None:
    """-100, as Swin Transformers add: exp(-100) is a weight of its own."""

    def biased(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        return (q @ k.mT + torch.full((TOKENS, TOKENS), -100.0).triu(1)).softmax(-1) @ v

    lo, hi = seen(Block(biased).eval(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


def test_a_buffer_that_starts_at_zero_is_no_mask() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(1, 1, 3, padding=1)
            self.register_buffer("scale", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) * self.scale

    rows = rows_of(Scaled, "1x1x9")
    assert [row.receptive_field.size for row in rows] == [(3,)] * 3
    assert {row.receptive_field.verdict for row in rows} == {Verdict.MATCH}


def test_what_is_taken_from_scores_does_not_make_them_low() -> None:
    """Less -1e9 is the largest of a row."""

    def raised(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        return (q @ k.mT - torch.full((TOKENS, TOKENS), -1e9).triu(1)).softmax(-1) @ v

    lo, hi = seen(Block(raised).eval(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


def test_what_is_added_back_is_no_longer_low() -> None:
    class Back(nn.Module):
        """Scores + mask - mask, in float: the scores, rounded; and scores + low + high."""

        def __init__(self, subtracts: bool) -> None:
            super().__init__()
            self.subtracts = subtracts

        def forward(self, x: Tensor) -> Tensor:
            scores, low = x @ x.mT, -1e4 * LATER.to(x)
            return ((scores + low - low) if self.subtracts else (scores + low + 1e4)).softmax(-1) @ x

    for subtracts in (True, False):
        _, hi = seen(Back(subtracts), torch.rand(1, TOKENS, FEATURES), "cpu")
        assert hi == [TOKENS - 1] * TOKENS


def test_a_kernel_behind_a_mask_is_as_long_as_what_is_left_of_it() -> None:
    class Masked(nn.Conv1d):
        def forward(self, x: Tensor) -> Tensor:
            kept = torch.tensor([1.0, 1.0, 0.0], device=x.device)
            return F.conv1d(x, self.weight * kept, self.bias, padding=1)

    field = rows_of(lambda: Masked(2, 2, 3), "1x2x12")[0].receptive_field
    assert (field.size, field.padding, field.verdict) == ((2,), (1,), Verdict.MATCH)


def test_parameters_that_are_not_registered_are_no_masks() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = [nn.Parameter(torch.eye(TOKENS))]

        def forward(self, x: Tensor) -> Tensor:
            return (x @ x.mT * self.weights[0]) @ x

    lo, hi = seen(Hidden(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


def test_a_masked_weight_of_a_layer_hides_what_it_multiplies() -> None:
    """Germain et al. 2015, MADE, equation 6: output i reads inputs 0 to i."""

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.weight = nn.Conv1d(1, 1, 1), nn.Parameter(torch.randn(TOKENS, TOKENS))
            self.register_buffer("mask", torch.ones(TOKENS, TOKENS).tril())

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(self.first(x), self.weight * self.mask)

    rows = rows_of(Masked, f"1x1x{TOKENS}")
    assert rows[-1].receptive_field.size == ([1, TOKENS],)
    assert {row.receptive_field.verdict for row in rows} == {Verdict.MATCH}


def test_a_row_that_is_low_as_a_whole_sees_all_values() -> None:
    """A softmax of equal numbers is 1/n for each."""

    def nothing_left(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        return (q @ k.mT).masked_fill(torch.ones(TOKENS, 1, dtype=torch.bool), -1e9).softmax(-1) @ v

    lo, hi = seen(Block(nothing_left).eval(), torch.randn(1, TOKENS, FEATURES), "cpu")
    assert (lo, hi) == ([0] * TOKENS, [TOKENS - 1] * TOKENS)


@pytest.mark.parametrize("seed", range(12))
def test_any_mask_leaves_the_query_and_the_keys_that_it_keeps(seed: int) -> None:
    """A query sees itself and the keys kept; of a single key only the value, as its weight is 1; of none all values."""
    drawn = np.random.default_rng(seed)
    kept = drawn.random((7, 7)) < drawn.choice([0.15, 0.5, 0.9])
    mask = torch.tensor(kept)

    def attend(x: Tensor) -> Tensor:
        return (x @ x.mT).masked_fill(~mask, -1e9).softmax(-1) @ x

    trace = record(attend, (torch.randn(1, 7, 4),), {}, layer_of, device="cpu")
    field = intervals(trace, KNOWLEDGE)[trace.outputs[0].value]
    ((_, interval),) = field.strict.items()
    lo, hi = (np.broadcast_to(end, field.shape)[0, :, 0].tolist() for end in (interval.lo, interval.hi))
    seen = [{*np.flatnonzero(row)} | ({i} if row.sum() > 1 else {0, 6} if not row.any() else set())
            for i, row in enumerate(kept)]  # fmt: skip
    assert (lo, hi) == ([min(row) for row in seen], [max(row) for row in seen])


def test_each_head_has_its_own_mask() -> None:
    """Head 0 looks back and head 1 ahead; joined, a token sees all."""

    def both_ways(q: Tensor, k: Tensor, v: Tensor, _: nn.Module) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, ~torch.stack([LATER, LATER.T])[None].to(q.device))

    heads = [torch.randn(1, HEADS, TOKENS, 4) for _ in range(3)]
    trace = record(both_ways, (*heads, nn.Module()), {}, layer_of, device="cpu")
    field = intervals(trace, KNOWLEDGE)[trace.outputs[0].value]
    values = next(interval for axis, interval in field.strict.items() if axis.input == "2" and axis.index == 0)
    hi = np.broadcast_to(values.hi, field.shape)[0, :, :, 0].tolist()
    assert hi == [[*range(TOKENS)], [TOKENS - 1] * TOKENS]


def test_a_field_that_does_not_know_a_mask_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "numbers_of", lambda _: None)
    rows = rows_of(lambda: Block(causal_by_where), f"1x{TOKENS}x{FEATURES}")
    assert rows[-1].receptive_field.is_global
    assert rows[-1].receptive_field.verdict is Verdict.UNKNOWN


def test_a_mask_that_hides_too_much_is_contradicted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_with(monkeypatch, lambda low: low | ~np.eye(TOKENS, dtype=bool))
    assert Verdict.DIFFER in {row.receptive_field.verdict for row in rows}


def test_what_infinity_swallows_is_no_change_that_got_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "_endless", lambda _: None)  # So nothing is hidden by what -inf is added to.
    rows = rows_of(lambda: Block(causal_and_linear_in_the_distance), f"1x{TOKENS}x{FEATURES}")
    assert Verdict.UNKNOWN in {row.receptive_field.verdict for row in rows}


def test_a_mask_that_hides_too_little_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elementwise, "weights_over", mixed_along)
    rows = rows_of(lambda: Block(causal), f"1x{TOKENS}x{FEATURES}")
    assert {row.receptive_field.verdict for row in rows} == {Verdict.MATCH, Verdict.UNKNOWN}
    assert "change nothing" in str([row.receptive_field.why for row in rows])


def rows_with(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> list[Any]:
    """The rows when other scores than those that are low count as low."""
    rule = masks.low_in
    monkeypatch.setattr(masks, "low_in", lambda part: None if rule(part) is None else change(rule(part)))
    return rows_of(lambda: Block(causal), f"1x{TOKENS}x{FEATURES}")


def test_without_masks_and_tokens_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cpu, "probe_changes", lambda *_: pytest.fail("it was"))
    rows = rows_of(lambda: nn.Conv2d(3, 4, 3), "1x3x9x9")
    assert {row.receptive_field.verdict for row in rows} == {Verdict.MATCH}


def test_a_class_token_before_any_attention_sees_nothing() -> None:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, FEATURES, 4, 4), nn.Linear(FEATURES, 2)
            self.token = nn.Parameter(torch.zeros(1, 1, FEATURES))

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x).flatten(2).mT
            return self.head(torch.cat([self.token.expand(len(x), -1, -1), x], 1)[:, :1])

    head = next(row for row in rows_of(Patches, "1x3x16x16") if row.path == "head")
    field = head.receptive_field
    assert (field.size, field.cause, field.verdict) == ((0, 0), None, Verdict.MATCH)


@pytest.mark.parametrize("size", [f"3x{TOKENS}x{FEATURES}", f"3x{TOKENS}:int64"])
def test_samples_that_are_folded_into_rows_stay_apart(size: str) -> None:
    class Rows(nn.Module):
        """Each token by itself, as experts take them: [N, T, D] to [N T, D] and back."""

        def __init__(self) -> None:
            super().__init__()
            self.embed, self.expert = nn.Embedding(30, FEATURES), nn.Linear(FEATURES, FEATURES)

        def forward(self, x: Tensor) -> Tensor:
            x = x if x.is_floating_point() else self.embed(x)
            return self.expert(x.flatten(0, 1)).view(x.shape)

    rows = rows_of(Rows, size)
    assert {(row.receptive_field.size, row.receptive_field.verdict) for row in rows} == {((1,), Verdict.MATCH)}


def test_categories_that_are_mixed_are_no_tokens() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.first = nn.Embedding(9, 4), nn.Linear(5 * 4, 3)

        def forward(self, categories: Tensor) -> Tensor:
            return self.first(self.embed(categories).flatten(1))

    trace = record(Table(), (torch.zeros(2, 5, dtype=torch.int64),), {}, layer_of, device="cpu")
    assert intervals(trace, KNOWLEDGE).axes == {"0": ()}


def _one_more_column(mask: Tensor) -> None:
    mask[:, 0] = True


def _the_first_rows(mask: Tensor) -> None:
    mask.view(-1)[: 3 * TOKENS] = False


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    ("write", "size"),
    [
        pytest.param(lambda mask: None, [1, TOKENS], id="the same"),
        # Token 1 sees itself, which saw tokens 0 and 1; of token 0 everything is masked, so that all weigh the same.
        pytest.param(_one_more_column, [2, TOKENS], id="a column"),
        # Tokens 0 to 2 see all, token 3 sees tokens 0 to 3.
        pytest.param(_the_first_rows, [4, TOKENS], id="rows"),
    ],
)
def test_a_mask_that_is_written_through_a_view_between_two_uses(write: Any, size: Any, device: str) -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.ones(TOKENS, TOKENS, dtype=torch.bool, device=x.device).triu(1)
            y = (x @ x.mT / 8).masked_fill(mask, -1e9).softmax(-1) @ x
            write(mask)
            return (y @ y.mT / 8).masked_fill(mask, -1e9).softmax(-1) @ y

    rows = rows_of(Twice, f"1x{TOKENS}x{FEATURES}", device)
    assert Verdict.DIFFER not in {row.receptive_field.verdict for row in rows}
    assert (rows[0].receptive_field.size, rows[0].receptive_field.verdict) == ((size,), Verdict.MATCH)
