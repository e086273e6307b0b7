"""Ratios of a row's numbers, by hand, and what is left of them where a number is only a bound."""

from __future__ import annotations

import pytest

from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit
from cnninspect.report.sums import bound_by, intensity, share, speed, with_ratios
from tests.render.samples import row

EXACT, LEAST, MOST, UNKNOWN = Status.EXACT, Status.LOWER_BOUND, Status.UPPER_BOUND, Status.UNKNOWN


def macs(value, status=EXACT):
    return Quantity(value, Unit.MACS, status)


def moved(value, status=EXACT):
    return Quantity(value, Unit.BYTES, status)


INTENSITIES = [
    # id, MACs, bytes, MACs per byte
    ("exact", macs(300), moved(20), (15, EXACT)),
    ("nothing multiplied", macs(0), moved(20), (0, EXACT)),
    ("at least so many MACs", macs(300, LEAST), moved(20), (15, LEAST)),
    ("at least so many bytes", macs(300), moved(20, LEAST), (15, MOST)),
    ("two bounds", macs(300, LEAST), moved(20, LEAST), (15, UNKNOWN)),
    ("unknown", macs(None, UNKNOWN), moved(20), (None, UNKNOWN)),
    ("nothing moved", macs(300), moved(0), (None, UNKNOWN)),
]


@pytest.mark.parametrize(("above", "below", "expected"), [i[1:] for i in INTENSITIES], ids=[i[0] for i in INTENSITIES])
def test_intensity(above, below, expected):
    found = intensity(above, below)
    assert (found.value, found.status, found.unit) == (*expected, Unit.MACS_PER_BYTE)


# A machine with 100 FLOPs and 10 bytes a second: 50 MACs take as long as 10 bytes.
MACHINE = Machine(peak_flops=100, bandwidth=10)
BOUNDS = [
    ("in balance", macs(50), moved(10), "compute"),
    ("more arithmetic", macs(51), moved(10), "compute"),
    ("more bytes", macs(49), moved(10), "memory"),
    ("at least so much arithmetic", macs(51, LEAST), moved(10), "compute"),
    ("there may be more arithmetic", macs(49, LEAST), moved(10), None),
    ("at least so many bytes", macs(49), moved(10, LEAST), "memory"),
    ("there may be more bytes", macs(51), moved(10, LEAST), None),
    ("unknown", macs(None, UNKNOWN), moved(10), None),
]


@pytest.mark.parametrize(("work", "bytes_", "expected"), [b[1:] for b in BOUNDS], ids=[b[0] for b in BOUNDS])
def test_what_a_row_waits_for(work, bytes_, expected):
    found = bound_by(work, bytes_, MACHINE)
    assert (found.value, found.status) == (expected, EXACT if expected else UNKNOWN)


def test_speed_counts_two_flops_for_a_multiply_accumulate():
    latency = Quantity(0.5, Unit.SECONDS)
    assert speed(macs(100), latency) == Quantity(400.0, Unit.FLOPS_PER_SECOND)
    assert speed(macs(100, LEAST), latency).status is LEAST
    assert speed(macs(100), Quantity(0.0, Unit.SECONDS)).value is None


def test_a_row_has_the_ratios_that_its_numbers_allow():
    def ratios(numbers, machine=None, work=100):
        found = with_ratios(row("fc", "Linear", (1, 8), macs=work, extra=numbers), machine)
        return {name: number.value for name, number in found.extra.items() if name not in numbers}

    latency = Quantity(0.5, Unit.SECONDS)
    assert ratios({}) == {}
    assert ratios({"bytes_moved": moved(20)}) == {"intensity": 5}
    assert ratios({"bytes_moved": moved(20)}, MACHINE) == {"intensity": 5, "bound_by": "compute"}
    assert ratios({"bytes_moved": moved(0)}, MACHINE) == {}
    assert ratios({"latency": latency}) == {"flops_per_second": 400}
    assert ratios({"latency": latency}, work=0) == {}


SHARES = [
    # id, part, total, percent by hand: 100 * 30 / 120 = 25
    ("exact", macs(30), macs(120), (25, EXACT)),
    ("nothing", macs(0), macs(120), (0, EXACT)),
    ("at least so much of a known whole", macs(30, LEAST), macs(120), (25, LEAST)),
    ("of at least so much", macs(30), macs(120, LEAST), (25, MOST)),
    ("two bounds", macs(30, LEAST), macs(120, LEAST), (None, UNKNOWN)),
    ("at most nothing", macs(0, MOST), macs(120), (None, UNKNOWN)),
    ("unknown", macs(None, UNKNOWN), macs(120), (None, UNKNOWN)),
    ("of nothing", macs(0), macs(0), (None, UNKNOWN)),
]


@pytest.mark.parametrize(("part", "total", "percent"), [case[1:] for case in SHARES], ids=[case[0] for case in SHARES])
def test_share_of_a_total_in_percent(part, total, percent):
    found = share(part, total)
    assert (found.percent, found.status) == percent
