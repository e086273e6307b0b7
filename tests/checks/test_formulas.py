"""What `compare` finds, and the exit code it leads to."""

from dataclasses import replace

import pytest

from cnninspect.checks import check_formulas, exit_code, is_incomplete
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from tests.render.samples import doubtful, report, row, tiny


def found(sample, verdict):
    return [
        (check.path, check.name, check.expected, check.found)
        for check in check_formulas(sample).checks
        if check.verdict is verdict
    ]


def macs(analytic, verdict, status=Status.EXACT, **measured):
    return Quantity(analytic, Unit.MACS, status, analytic, measured, verdict)


def nested(*parts):
    """A root, a block and one layer per quantity of MACs, with the same verdict above as the worst below."""
    worst = parts[-1]
    rows = (
        row("", "Net", (1, 8), macs=worst, parent=None, leaf=False),
        row("block", "Sequential", (1, 8), macs=worst, leaf=False),
        *(row(f"block.{index}", "Linear", (1, 8), macs=part, parent=1) for index, part in enumerate(parts)),
    )
    whole = report(rows, params=0, macs=0, neurons=8)
    return replace(whole, totals={**whole.totals, "macs": worst}, verdict=worst.verdict)


def test_everything_agrees():
    checked = check_formulas(tiny())
    assert {check.verdict for check in checked.checks} == {Verdict.MATCH}
    assert checked.verdict is Verdict.MATCH
    assert exit_code(checked) == exit_code(checked, strict=True) == 0


def test_a_finding_names_layer_number_expected_and_found():
    assert found(doubtful(), Verdict.DIFFER) == [
        ("conv", "output_shape", ((1, 8, 8, 8),), ((1, 8, 4, 4),)),
        ("conv", "macs", 13824, 3456),
    ]


def test_a_layer_that_differs_is_found_once_and_not_again_in_every_sum():
    sample = nested(macs(10, Verdict.MATCH, torch=10), macs(20, Verdict.DIFFER, torch=40))
    assert found(sample, Verdict.DIFFER) == [("block.1", "macs", 20, 40)]


def test_a_sum_that_differs_while_its_parts_agree_is_a_finding():
    sample = nested(macs(10, Verdict.MATCH, torch=10))
    block = replace(sample.rows[1], macs=macs(10, Verdict.DIFFER, torch=30))
    sample = replace(sample, rows=(sample.rows[0], block, *sample.rows[2:]))
    assert found(sample, Verdict.DIFFER) == [("block", "macs", 10, 30)]


def test_a_total_that_differs_while_all_rows_agree_is_a_finding():
    sample = tiny()
    wrong = Quantity(2106, Unit.PARAMS, Status.EXACT, 2106, {"storage": 3000}, Verdict.DIFFER)
    sample = replace(sample, totals={**sample.totals, "params": wrong})
    assert found(sample, Verdict.DIFFER) == [("total", "params", 2106, 3000)]


def test_each_counter_is_a_check_of_its_own():
    sample = nested(macs(20, Verdict.DIFFER, torch=20, fvcore=40))
    checks = [check for check in check_formulas(sample).checks if check.path == "block.0" and check.name == "macs"]
    assert [(check.counter, check.verdict) for check in checks] == [
        ("torch", Verdict.MATCH),
        ("fvcore", Verdict.DIFFER),
    ]


def test_a_counter_with_a_known_reason_is_not_compared():
    quantity = Quantity(
        0, Unit.MACS, Status.EXACT, 0, {"torch": 0, "fvcore": 64}, Verdict.MATCH, {"fvcore": "counts norms"}
    )
    checks = [check for check in check_formulas(nested(quantity)).checks if check.counter == "fvcore"]
    assert {(check.verdict, check.hint) for check in checks} == {(Verdict.NOT_COUNTED, "counts norms")}


@pytest.mark.parametrize(
    ("measured", "overall"),
    [({"torch": 0, "fvcore": 512}, Verdict.MATCH), ({"fvcore": 512}, Verdict.NOT_COUNTED)],
    ids=["another counter agrees", "no other counter"],
)
def test_a_counter_that_does_not_cover_a_number_decides_nothing_where_another_does(measured, overall):
    verdict = Verdict.MATCH if "torch" in measured else Verdict.NOT_COUNTED
    norm = replace(macs(0, verdict, **measured), reasons={"fvcore": "fvcore counts normalisation"})
    checks = check_formulas(nested(norm))
    assert Verdict.NOT_COUNTED in {check.verdict for check in checks.checks}
    assert (checks.verdict, exit_code(checks, strict=True)) == (overall, 0)


def test_an_unmeasured_number_is_listed_as_unknown():
    assert ("block.0", "macs", 20, None) in found(nested(macs(20, Verdict.UNKNOWN)), Verdict.UNKNOWN)


def test_flops_are_not_compared_a_second_time():
    assert not [check for check in check_formulas(doubtful()).checks if check.name == "flops"]


EXITS = [
    # id, report, strict, exit code
    ("agreement", check_formulas(tiny()), False, 0),
    ("a difference", check_formulas(doubtful()), False, 1),
    ("a difference, strict", check_formulas(doubtful()), True, 1),
    ("unknown", check_formulas(nested(macs(20, Verdict.UNKNOWN))), False, 0),
    ("unknown, strict", check_formulas(nested(macs(20, Verdict.UNKNOWN))), True, 4),
    ("not counted, strict", check_formulas(nested(macs(20, Verdict.NOT_COUNTED, torch=0))), True, 0),
    ("a summary decides nothing", doubtful(), False, 0),
    ("a summary of a difference, strict", doubtful(), True, 1),
    ("a summary of a bound, strict", nested(macs(20, Verdict.UNKNOWN, Status.LOWER_BOUND)), True, 4),
]


@pytest.mark.parametrize(("sample", "strict", "code"), [case[1:] for case in EXITS], ids=[case[0] for case in EXITS])
def test_exit_codes(sample, strict, code):
    assert exit_code(sample, strict=strict) == code


def test_a_receptive_field_that_nobody_asked_for_is_not_incomplete():
    assert not is_incomplete(tiny())
    sample = tiny()
    unknown = ReceptiveField(status=Status.UNKNOWN, verdict=Verdict.UNKNOWN)
    assert is_incomplete(replace(sample, totals={**sample.totals, "receptive_field": unknown}))
