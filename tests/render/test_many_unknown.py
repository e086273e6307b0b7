"""Unknown checks with one reason are counted, not listed."""

from dataclasses import replace

from cnninspect.render.checks import MANY, without_alike
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check, RowId

UNKNOWN = Check("receptive_field", RowId("a", 1, "Conv2d"), 3, None, "formula", Verdict.UNKNOWN, hint="too costly")


def test_many_with_one_reason_are_left_out_and_failures_never():
    many = [UNKNOWN] * (MANY + 1)
    other = replace(UNKNOWN, hint="the output does not exist")
    failure = replace(UNKNOWN, verdict=Verdict.DIFFER)
    assert without_alike([failure, *many, other]) == [failure, other]
    assert without_alike([UNKNOWN] * MANY) == [UNKNOWN] * MANY
