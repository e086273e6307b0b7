"""Two networks side by side, built by hand in `samples.py`."""

from dataclasses import replace

import pytest

from cnninspect.checks.models import compare_models
from cnninspect.render import Format, Ops, View, render
from cnninspect.render.comparison import HEADINGS
from tests.render.samples import tiny, wider


@pytest.fixture
def lines():
    return render(compare_models(tiny(), wider())).splitlines()


def line(lines, name):
    (found,) = [each.split() for each in lines if each.split()[:1] == [name]]
    return found


def test_the_title_names_both(lines):
    assert lines[0].startswith("tiny (zoo) against tiny (zoo) · 1x3x8x8")


def test_a_layer_stands_beside_its_counterpart(lines):
    # 27648 / 13824 = 2
    assert line(lines, "stem") == ["stem", "224", "13,824", "stem", "448", "27,648", "2", "✗"]
    assert line(lines, "block.0") == ["block.0", "576", "36,864", "block.0", "576", "36,864", "1", "✓"]


def test_a_layer_that_the_other_lacks_stands_alone(lines):
    assert line(lines, "fc") == ["fc", "1,290", "1,280", "✗"]


def test_layers_that_cost_nothing_are_shown_on_request():
    report = compare_models(tiny(), wider())
    assert "F.relu" not in render(report)
    assert "F.relu" in render(report, view=View(ops=Ops.ALL))


def test_totals_have_their_change_and_ratio(lines):
    # 64512 / 51968 = 1.2413..., 1040 / 2106 = 0.4938...
    assert line(lines, "MACs") == ["MACs", "51,968", "against", "64,512", "+24.1", "%,", "ratio", "1.241"]
    assert line(lines, "params") == ["params", "2,106", "against", "1,040", "-50.6", "%,", "ratio", "0.4938"]


VERDICTS = [
    ("the same", tiny(), "Same numbers. "),
    ("different", wider(), "Different numbers. "),
    ("of the same training mode only", replace(tiny(), run={**tiny().run, "training": True}), "Different numbers. "),
]


@pytest.mark.parametrize(("other", "words"), [case[1:] for case in VERDICTS], ids=[case[0] for case in VERDICTS])
def test_the_last_sentence_is_the_verdict(other, words):
    assert render(compare_models(tiny(), other)).splitlines()[-1].startswith(words)


def test_columns_are_chosen_by_name():
    text = render(compare_models(tiny(), wider()), Format.CSV, view=View(columns=("layer", "other_params", "ratio")))
    assert text.splitlines()[:2] == ["layer,other_params,ratio", "stem,448,2"]


def test_a_file_for_programs_has_every_layer_and_column():
    lines = render(compare_models(tiny(), wider()), Format.CSV).splitlines()
    assert lines[0].split(",") == list(HEADINGS)
    # stem, F.relu, block.0, block.1, F.max_pool2d and fc; a view is no layer.
    assert len(lines) == 1 + 6
