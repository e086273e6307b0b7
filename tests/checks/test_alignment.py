"""Which layer of one network is which of another; networks are written down in `networks.py`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.checks.alignment import align
from tests.checks.networks import rows


def named(node):
    return None if node is None else node.row.label


def unequal(expected, found, **options):
    """The pairs of rows that are not called the same: [expected, found], None for none."""
    pairs = align(rows(expected), rows(found), **options)
    return [(named(p.expected), named(p.found)) for p in pairs if named(p.expected) != named(p.found)]


def flat(*lines):
    """A network whose root calls these."""
    return "- Net\n" + "\n".join(f"    {line}" for line in lines)


CONV = [f"Conv2d in_channels={a} out_channels={b} kernel_size=3 @{b}" for a, b in ((3, 8), (8, 16), (16, 32))]
FIVE = "Conv2d in_channels=8 out_channels=8 kernel_size=5 @8"

ALIGNMENTS = [
    # id, expected, found, pairs that are not called the same
    ("the same", flat(f"a {CONV[0]}", "b ReLU"), flat(f"a {CONV[0]}", "b ReLU"), []),
    (
        "a layer that changed keeps its counterpart",
        flat(f"a {CONV[0]}", f"b {CONV[1]}"),
        flat(f"a {CONV[0]}", f"b {FIVE}"),
        [],
    ),
    (
        "a layer of another kind under the same name",
        flat(f"a {CONV[0]}", "b BatchNorm2d num_features=8"),
        flat(f"a {CONV[0]}", "b GroupNorm num_groups=2"),
        [],
    ),
    (
        "a layer inserted into a sequence moves all that follow",
        flat(f"0 {CONV[0]}", "1 ReLU", f"2 {CONV[1]}", "3 ReLU", f"4 {CONV[2]}"),
        flat(f"0 {CONV[0]}", "1 ReLU", f"2 {FIVE}", "3 ReLU", f"4 {CONV[1]}", "5 ReLU", f"6 {CONV[2]}"),
        [
            (None, "2"),
            (None, "3"),
            ("2", "4"),
            ("3", "5"),
            ("4", "6"),
        ],
    ),
    (
        "a layer removed from the front",
        flat(f"0 {CONV[0]}", f"1 {CONV[1]}", f"2 {CONV[2]}"),
        flat(f"0 {CONV[1]}", f"1 {CONV[2]}"),
        [("0", None), ("1", "0"), ("2", "1")],
    ),
    (
        "one more of the same is the last one",
        flat("0 ReLU", "1 ReLU"),
        flat("0 ReLU", "1 ReLU", "2 ReLU"),
        [(None, "2")],
    ),
    (
        "names hold where contents are the same",
        flat("a ReLU", "c ReLU"),
        flat("a ReLU", "b ReLU", "c ReLU"),
        [(None, "b")],
    ),
    (
        "a renamed layer",
        flat(f"a {CONV[0]}", f"b {CONV[1]}"),
        flat(f"a {CONV[0]}", f"second {CONV[1]}"),
        [("b", "second")],
    ),
    (
        "a renamed layer beside a new one",
        flat(f"a {CONV[0]}", f"b {CONV[1]}"),
        flat(f"a {CONV[0]}", f"new {FIVE}", f"second {CONV[1]}"),
        [(None, "new"), ("b", "second")],
    ),
    (
        "layers that have nothing in common",
        flat(f"a {CONV[0]}", "b ReLU"),
        flat(f"a {CONV[0]}", "fc Linear in_features=8", "c Softmax dim=1"),
        [("b", None), (None, "fc"), (None, "c")],
    ),
    (
        "functions by what they do and what comes out",
        flat("- F.relu @8", "- F.relu 1 @16"),
        flat("- F.relu @8", "- F.sigmoid @8", "- F.relu 1 @16"),
        [(None, "F.sigmoid")],
    ),
    (
        "an inserted function moves the calls that follow",
        flat("- F.relu @8", "- F.relu 1 @16"),
        flat("- F.relu @8", "- F.relu 1 @8", "- F.relu 2 @16"),
        [(None, "F.relu use 2"), ("F.relu use 2", "F.relu use 3")],
    ),
    (
        "a module and its functional form",
        flat(f"a {CONV[0]}", "act ReLU"),
        flat(f"a {CONV[0]}", "- F.relu"),
        [("act", "F.relu")],
    ),
    (
        "a leaf is no block",
        flat(f"a {CONV[0]}"),
        flat("a Sequential", f"    0 {CONV[0]}"),
        [("a", None), (None, "a")],
    ),
    (
        "modules that change places",
        flat(f"a {CONV[0]}", "b ReLU", "c MaxPool2d kernel_size=2"),
        flat("b ReLU", f"a {CONV[0]}", "c MaxPool2d kernel_size=2"),
        [("a", None), (None, "a")],
    ),
]


@pytest.mark.parametrize(
    ("expected", "found", "pairs"), [case[1:] for case in ALIGNMENTS], ids=[case[0] for case in ALIGNMENTS]
)
def test_alignment(expected, found, pairs):
    assert unequal(expected, found) == pairs


def alone(pairs):
    """How many rows of each network have no counterpart."""
    return sum(other is None for _, other in pairs), sum(one is None for one, _ in pairs)


def test_the_other_way_round_as_many_have_no_counterpart():
    for _, expected, found, pairs in ALIGNMENTS:
        assert alone(unequal(found, expected)) == alone(pairs)[::-1]


BLOCK = ["Block", f"    conv {CONV[1]}", "    bn BatchNorm2d num_features=16", "    relu ReLU"]
OTHER = ["Block", f"    conv {FIVE}", "    bn BatchNorm2d num_features=8", "    relu ReLU"]


def blocks(*kinds):
    """A stage of blocks, each under its position."""
    lines = [
        line for index, block in enumerate(kinds) for line in (f"    {index} {block[0]}", *map(_deeper, block[1:]))
    ]
    return flat("stage Sequential", *lines)


def _deeper(line):
    return f"    {line}"


def test_an_inserted_block_is_one_pair_and_those_below_it_none():
    assert unequal(blocks(BLOCK, BLOCK), blocks(BLOCK, OTHER, BLOCK)) == [
        (None, "stage.1"),
        ("stage.1", "stage.2"),
        ("stage.1.conv", "stage.2.conv"),
        ("stage.1.bn", "stage.2.bn"),
        ("stage.1.relu", "stage.2.relu"),
    ]


def test_positions_that_move_are_no_renaming():
    pairs = align(rows(blocks(BLOCK, BLOCK)), rows(blocks(BLOCK, OTHER, BLOCK)))
    assert not any(pair.is_renamed for pair in pairs)


def test_a_renamed_block_is_renamed_once():
    renamed = blocks(BLOCK, BLOCK).replace("stage Sequential", "layers Sequential")
    pairs = align(rows(blocks(BLOCK, BLOCK)), rows(renamed))
    assert [named(pair.found) for pair in pairs if pair.is_renamed] == ["layers"]


def test_views_are_no_layers():
    network = rows(flat(f"a {CONV[0]}", "- Tensor.view", "b ReLU"))
    network[2] = replace(network[2], layer_like=False)
    assert [named(pair.found) for pair in align(rows(flat(f"a {CONV[0]}", "b ReLU")), network)] == ["(Net)", "a", "b"]


def test_what_a_saved_report_folds_is_not_missing():
    whole = rows(blocks(BLOCK, BLOCK))
    assert all(pair.expected and pair.found for pair in align(whole[:2], whole))


NESTED = flat("body Sequential", f"    conv1 {CONV[0]}", "    relu1 ReLU", f"    conv2 {CONV[1]}")
UNNESTED = flat(f"first {CONV[0]}", "- F.relu", f"second {CONV[1]}")


def test_through_blocks_layers_are_found_wherever_they_are_nested():
    assert unequal(NESTED, UNNESTED)[0] == ("body", None)
    assert unequal(NESTED, UNNESTED, through_blocks=True) == [
        ("body.conv1", "first"),
        ("body.relu1", "F.relu"),
        ("body.conv2", "second"),
    ]


LAYERS = [*CONV, FIVE, "ReLU", "BatchNorm2d num_features=8", "MaxPool2d kernel_size=2"]


@given(
    layers=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=11),
    kept=st.lists(st.booleans(), min_size=11, max_size=11),
)
def test_layers_taken_out_of_a_sequence_are_all_that_is_alone(layers, kept):
    fewer = [layer for layer, keep in zip(layers, kept, strict=False) if keep]
    old, new = (
        rows(flat(*(f"{place} {layer}" for place, layer in enumerate(each)), "end Identity"))
        for each in (layers, fewer)
    )
    alone_old = [pair for pair in align(old, new) if pair.found is None]
    alone_new = [pair for pair in align(old, new) if pair.expected is None]
    assert (len(alone_old), len(alone_new)) == (len(layers) - len(fewer), 0)


def test_two_thousand_siblings():
    """The worst case: a flat network of functions, with differences from its first row to its last."""
    many = flat(*(f"- F.relu {index} @{index % 7 + 1}" for index in range(2000)))
    fewer = flat(*(f"- F.relu {index} @{(index + index // 300) % 7 + 1}" for index in range(1990)))
    pairs = align(rows(many), rows(fewer))
    assert sum(pair.found is None for pair in pairs) - sum(pair.expected is None for pair in pairs) == 10
