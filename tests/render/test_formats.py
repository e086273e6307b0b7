"""What each format promises to those who read it with a program."""

import csv
import io
import json
from html.parser import HTMLParser

import pytest

from cnninspect.checks import check_formulas
from cnninspect.render import Format, render
from cnninspect.report.document import Report
from cnninspect.report.selection import Ops, View
from tests.render.samples import doubtful, tiny


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("fmt", Format)
def test_every_format_ends_in_one_newline(fmt):
    text = render(tiny(), fmt)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@pytest.mark.parametrize(
    "sample", [tiny(), doubtful(), check_formulas(doubtful())], ids=["tiny", "doubtful", "compare"]
)
def test_json_is_the_report(sample):
    document = json.loads(render(sample, "json", view=View(ops=Ops.ALL)))
    assert document == json.loads(json.dumps(sample.to_dict()))
    assert Report.from_dict(document).to_dict() == document


def test_json_holds_what_the_contract_names():
    document = json.loads(render(tiny(), "json"))
    assert list(document) == [
        "schema_version", "command", "tool", "target", "run", "totals", "rows", "uncounted", "notes", "verdict",
    ]  # fmt: skip
    assert document["schema_version"] == 2
    assert document["totals"]["macs"] == {
        "value": 51968,
        "unit": "macs",
        "status": "exact",
        "analytic": 51968,
        "measured": {"torch": 51968},
        "verdict": "match",
    }
    stem = document["rows"][1]
    assert (stem["path"], stem["call"], stem["kind"], stem["depth"]) == ("stem", 0, "Conv2d", 1)
    assert stem["hyperparameters"] == {"kernel_size": [3, 3]}
    assert stem["output_shape"]["value"] == [[1, 8, 8, 8]]
    assert stem["receptive_field"] == {
        "size": None, "jump": None, "padding": None, "status": "unknown", "global": None, "verdict": "not_run",
    }  # fmt: skip


def test_json_shows_the_rows_of_the_view_and_the_same_totals():
    document = json.loads(render(tiny(), "json", view=View(depth=1, ops=Ops.NONE)))
    assert [row["path"] for row in document["rows"]] == ["", "stem", "block", "fc"]
    assert document["totals"]["params"]["value"] == 2106


def test_checks_in_json():
    document = json.loads(render(check_formulas(doubtful()), "json"))
    found = [check for check in document["checks"] if check["verdict"] == "differ"]
    assert found[1] == {
        "name": "macs", "path": "conv", "call": 0, "kind": "Conv2d", "functional": False,
        "expected": 13824, "found": 3456, "source": "formula", "verdict": "differ", "hint": None, "counter": "torch",
    }  # fmt: skip


def test_csv_has_plain_integers():
    stem = table_of(render(tiny(), "csv"))[0]
    assert (stem["path"], stem["params"], stem["macs"], stem["flops"]) == ("stem", "224", "13824", "27648")
    # 13824 of 51968 MACs, not rounded: the shares of a column add up to 100.
    assert (stem["output_shape"], float(stem["share_percent"])) == ("1x8x8x8", 100 * 13824 / 51968)


def test_csv_leaves_the_unknown_empty_and_says_so():
    mix = table_of(render(doubtful(), "csv"))[1]
    assert (mix["macs"], mix["output_shape"], mix["status"], mix["verdict"]) == ("", "", "unknown", "unknown")


def test_csv_of_a_comparison_has_every_check():
    report = check_formulas(doubtful())
    table = table_of(render(report, "csv"))
    assert len(table) == len(report.checks)
    assert {"layer": "conv", "what": "macs", "expected": "13824", "found": "3456", "verdict": "differ"}.items() <= next(
        line.items() for line in table if line["verdict"] == "differ" and line["what"] == "macs"
    )


def test_csv_of_asked_columns():
    assert render(tiny(), "csv", view=View(columns=("layer", "macs"))).splitlines()[:2] == ["layer,macs", "stem,13824"]


class Page(HTMLParser):
    """Collects the text and checks that tags close in order."""

    VOID = ("meta", "input")

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(
    "sample", [tiny(), doubtful(), check_formulas(doubtful())], ids=["tiny", "doubtful", "compare"]
)
def test_html_is_well_formed_and_escaped(sample):
    page = Page()
    page.feed(render(sample, "html"))
    assert page.open == []
    assert page.tags[0] == "html"
    assert "i" not in page.tags


def test_html_shows_names_as_they_are():
    page = Page()
    page.feed(render(doubtful(), "html"))
    assert '特徴.a|b_c <i>"&"</i> use 2' in page.text


def test_a_notebook_gets_a_fragment_with_its_own_style():
    text = tiny()._repr_html_()
    assert text.startswith('<div class="cnninspect">')
    assert "<html" not in text
    assert ".cnninspect table {" in text
