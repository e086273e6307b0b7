"""How far a number may be from what is expected."""

import pytest

from cnninspect.checks.numbers import Tolerance, parse_tolerance
from cnninspect.errors import UsageError

MARGINS = [
    # id, tolerance, number, expected, found, near enough
    ("none given, the same", "", "macs", 100, 100, True),
    ("none given, one more", "", "macs", 100, 101, False),
    ("a percentage holds on its edge", "1%", "macs", 200, 202, True),
    ("and not beyond", "1%", "macs", 200, 203, False),
    ("less counts as much as more", "1%", "macs", 200, 197, False),
    ("exact where floats are not", "0.1%", "params", 3 * 10**17, 3 * 10**17 + 3 * 10**14 + 1, False),
    ("of nothing", "50%", "params", 0, 1, False),
    ("a number of things", "params=500", "params", 1000, 1500, True),
    ("with a suffix", "params=1K", "params", 5000, 6001, False),
    ("named, for another number", "macs=1%", "params", 100, 101, False),
    ("named beside the rest", "10%,macs=1%", "params", 100, 110, True),
    ("named, stricter than the rest", "10%,macs=1%", "macs", 100, 110, False),
    ("named 0", "10%,params=0", "params", 100, 101, False),
    ("params cover those that are trained", "params=10%", "trainable_params", 100, 110, True),
    ("params cover their bytes", "params=10%", "params_bytes", 400, 440, True),
    ("unless these are named", "params=10%,params_bytes=0", "params_bytes", 400, 440, False),
    ("0 needs no name", "0,macs=1%", "params", 100, 101, False),
    ("spaces", " macs = 1% , params = 0 ", "macs", 100, 101, True),
]


@pytest.mark.parametrize(
    ("text", "name", "expected", "found", "near"), [case[1:] for case in MARGINS], ids=[case[0] for case in MARGINS]
)
def test_margins(text, name, expected, found, near):
    assert parse_tolerance(text).of(name).admits(expected, found) is near


def test_nothing_has_a_tolerance_unless_it_is_given():
    assert parse_tolerance("") == Tolerance()


WRONG = [
    ("no number", "much", "'much' is not a size"),
    ("no percentage", "macs=x%", "'x%' is not a share"),
    ("misspelt", "mac=1%", "Nearest: macs"),
    ("a shape", "output_shape=1%", "'output_shape' has no tolerance"),
    ("FLOPs", "flops=1%", "Give one to macs"),
    ("a number of what?", "500", "the number 500 needs a name"),
    ("beside a share", "1%,5K", "twice"),
    ("a suffix alone", "5K", "5K needs a name"),
    ("a comma for thousands", "macs=1,000", "000 needs a name"),
    ("a name twice", "macs=1%,macs=2%", "macs is given twice"),
    ("two margins for all others", "5%,10%", "all others is given twice"),
    ("a name that is empty", "=1%", "'' has no tolerance"),
]


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_no_tolerance(text, words):
    with pytest.raises(UsageError, match=words):
        parse_tolerance(text)
