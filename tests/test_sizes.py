"""Sizes as people write them, and what is none."""

from fractions import Fraction

import pytest

from cnninspect.report.quantities import parse_count, parse_memory, parse_percent

SIZES = [
    # parser, text, value: powers of 1000 for K to T and kB to TB, of 1024 for KiB to TiB
    (parse_count, "5418", 5418),
    (parse_count, "5.4K", 5400),
    (parse_count, "4M", 4 * 1000**2),
    (parse_count, "1.8G", 18 * 100_000_000),
    (parse_count, "2T", 2 * 1000**4),
    (parse_count, "1.000001M", 1_000_001),
    (parse_count, " 3 M ", 3_000_000),
    (parse_count, "5,418", 5418),
    (parse_count, "1_000_000", 1_000_000),
    (parse_memory, "1024", 1024),
    (parse_memory, "200MB", 200 * 1000**2),
    (parse_memory, "1.5GB", 1500 * 1000**2),
    (parse_memory, "200MiB", 200 * 1024**2),
    (parse_memory, "0.5 GiB", 512 * 1024**2),
    (parse_percent, "40%", Fraction(2, 5)),
    (parse_percent, "0.1 %", Fraction(1, 1000)),
]


@pytest.mark.parametrize(("parse", "text", "value"), SIZES, ids=[case[1] for case in SIZES])
def test_sizes(parse, text, value):
    assert parse(text) == value


WRONG = [
    (parse_count, "", "not a size"),
    (parse_count, "M", "not a size"),
    (parse_count, "-3", "not a size"),
    (parse_count, "1e6", "not a size"),
    (parse_count, "1,00", "not a size"),
    (parse_count, "200MB", "not a size"),
    (parse_count, "5.5", "not a whole number"),
    (parse_count, "1.0001K", "not a whole number"),
    (parse_memory, "200M", "not a size"),
    (parse_percent, "40", "not a share"),
    (parse_percent, "%", "not a share"),
    (parse_percent, "4K%", "not a share"),
]


@pytest.mark.parametrize(
    ("parse", "text", "words"), WRONG, ids=[f"{case[0].__name__} {case[1] or 'nothing'}" for case in WRONG]
)
def test_what_is_no_size(parse, text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)
