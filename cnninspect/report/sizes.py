"""Sizes as people write them: `5.4K`, `4M`, `200MB`, `1.5GiB`, `40%`. All of them are read exactly, without floats."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
"""Suffixes of a number of things, in upper case: powers of 1000."""

_BYTES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_WRITTEN = re.compile(r"(\d+(?:_\d{3})*|\d{1,3}(?:,\d{3})+)?(\.\d+)?\s*([A-Za-z]*)")


def parse_count(text: str) -> int:
    """`5418`, `5.4K`, `4M`, `1.8G`, `2T`: a number of things, in powers of 1000.

    Raises ValueError, with words for the user, for anything else and for a part of a thing.
    """
    return _whole(text, COUNTS, "5418, 5.4K, 4M, 1.8G or 2T")


def parse_memory(text: str) -> int:
    """Bytes of `1024`, `200MB`, `1.5GB` (powers of 1000) or `200MiB`, `1GiB` (powers of 1024); raises ValueError."""
    return _whole(text, _BYTES, "1024, 200MB, 1.5GB or 200MiB")


def parse_percent(text: str) -> Fraction:
    """`40%` or `0.5 %` as a fraction of 1; raises ValueError."""
    number, percent, rest = text.strip().partition("%")
    matched = _WRITTEN.fullmatch(number.strip())
    if not percent or rest or not number.strip() or matched is None or matched[3]:
        raise ValueError(f"{text!r} is no share such as 40% or 0.5%")
    return _number(matched) / 100


def _whole(text: str, units: dict[str, int], examples: str) -> int:
    matched = _WRITTEN.fullmatch(text.strip())
    if matched is None or not (matched[1] or matched[2]) or matched[3].upper() not in units:
        raise ValueError(f"{text!r} is no size such as {examples}")
    size = _number(matched) * units[matched[3].upper()]
    if size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number")
    return int(size)


def _number(matched: re.Match[str]) -> Fraction:
    digits = (matched[1] or "0").replace(",", "").replace("_", "")
    return Fraction(Decimal(digits + (matched[2] or "")))
