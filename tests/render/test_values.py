"""Values of checks as readers see them."""

import pytest

from cnninspect.render.numbers import change_text, value_text

VALUES = [
    # id, number, value, text
    ("a count", "params", 1234567, "1,234,567"),
    ("bytes", "activation_bytes", 3 * 2**20, "3.00 MiB"),
    ("memory", "peak_memory", 3 * 2**19, "1.50 MiB"),
    ("a share", "layer_share", 43.2137, "43.21 %"),
    ("a hyper-parameter", "eps", 1e-05, "1e-05"),
    ("a truth", "training", True, "True"),
    ("a word", "kind", "BatchNorm2d", "BatchNorm2d"),
    ("a shape", "output_shape", ((1, 64, 8, 8),), "1x64x8x8"),
    ("shapes, from JSON", "output_shape", [[1, 64, 8, 8], [1, 10]], "1x64x8x8, 1x10"),
    ("a field", "receptive_field", (435, 435), "435"),
    ("a field of two sizes", "receptive_field", (31, 91), "31x91"),
    ("a global field", "receptive_field", "global", "global"),
    ("jumps", "jump", ("1/2", "1/2"), "1/2"),
    ("a block", "added", {"layers": 2, "params": 4256, "macs": 0}, "2 layers, 4,256 params"),
    ("one layer", "added", {"layers": 1, "params": 1, "macs": 1}, "1 layer, 1 param, 1 MAC"),
    ("a block of unknown cost", "added", {"layers": 2, "params": 8, "macs": None}, "2 layers, 8 params, MACs unknown"),
    ("nothing known", "macs", None, "unknown"),
]


@pytest.mark.parametrize(("name", "value", "text"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_values(name, value, text):
    assert value_text(name, value) == text


CHANGES = [
    # expected, found, text
    (36864, 55296, "+50.0 %"),
    (100, 50, "-50.0 %"),
    (1000000, 1000001, "+1"),
    (1000000, 999600, "-400"),
    (0, 64, "+64"),
    (64, 64, ""),
    (None, 64, ""),
    ("BatchNorm2d", "GroupNorm", ""),
    (False, True, ""),
]


@pytest.mark.parametrize(("expected", "found", "text"), CHANGES, ids=[f"{c[0]} {c[1]}" for c in CHANGES])
def test_changes(expected, found, text):
    assert change_text(expected, found) == text
