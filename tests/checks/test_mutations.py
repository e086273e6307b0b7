"""A real network, changed in one way at a time, leads to exactly the findings of that change."""

import pytest

from cnninspect import inspect_model
from cnninspect.checks.baseline import baseline_text, check_baseline, read_baseline
from cnninspect.report.quantities import Verdict
from tests.checks.mutations import MACS, MUTATIONS, NEURONS, TOTALS, resnet18

INPUT = (1, 3, 224, 224)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    file = tmp_path_factory.mktemp("baseline") / "resnet18.json"
    file.write_text(baseline_text(inspect_model(resnet18(), INPUT)))
    return read_baseline(file)


def findings(report, baseline):
    return [check for check in check_baseline(report, baseline) if check.verdict is not Verdict.MATCH]


def simply(check):
    """(path, what, expected, found) of a check; a row by its path, function and call."""
    function = check.kind if "." in check.kind else ""
    call = f"use {check.call + 1}" if check.call else ""
    path = " ".join(filter(None, (check.path, function, call)))
    return path, check.name, _plain(check.expected), _plain(check.found)


def _plain(value):
    return tuple(value.items()) if isinstance(value, dict) else value


def test_the_baseline_holds_the_published_numbers(baseline):
    assert {name: baseline.totals[name].value for name in TOTALS} == TOTALS


def test_without_a_change_nothing_is_found(baseline):
    assert findings(inspect_model(resnet18(), INPUT), baseline) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_change_leads_to_its_findings_and_to_no_others(mutation, baseline):
    model = resnet18()
    mutation.mutate(model)
    found = findings(inspect_model(model, INPUT), baseline)
    assert sorted(map(str, map(simply, found))) == sorted(map(str, mutation.findings))
    assert {check.verdict for check in found} == {Verdict.DIFFER}
    assert {check.hint for check in found if check.hint} == mutation.reasons
    assert {check.source for check in found} == {"baseline"}


def test_another_input_size_changes_every_map_and_nothing_else(baseline):
    """192 = 224 * 6/7: maps shrink by 6/7 and the MACs of convolutions by 36/49; after the pool all is as before."""
    found = {simply(check) for check in findings(inspect_model(resnet18(), (1, 3, 192, 192)), baseline)}
    expected = {("total", "input", "1x3x224x224", "1x3x192x192")}
    for row in baseline.rows:
        if row.leaf and row.output_shape.value[0][-1] in (112, 56, 28, 14, 7):
            path = " ".join(filter(None, (row.path, row.kind * row.functional, f"use {row.call + 1}" * (row.call > 0))))
            ((batch, channels, height, width),) = row.output_shape.value
            smaller = ((batch, channels, height * 6 // 7, width * 6 // 7),)
            expected.add((path, "output_shape", row.output_shape.value, smaller))
            if row.macs.value:
                expected.add((path, "macs", row.macs.value, row.macs.value * 36 // 49))
    linear = 512 * 1000
    expected.add(("total", "macs", MACS, (MACS - linear) * 36 // 49 + linear))
    expected.add(("total", "neurons", NEURONS, (NEURONS - 1512) * 36 // 49 + 1512))
    activations = TOTALS["activation_bytes"]
    expected.add(("total", "activation_bytes", activations, (activations - 8000) * 36 // 49 + 8000))
    assert sorted(map(str, found)) == sorted(map(str, expected))
