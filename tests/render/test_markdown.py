"""Markdown as GitHub and GitLab read it: parsed by an implementation of CommonMark with tables."""

import pytest

from cnninspect.checks import check_formulas
from cnninspect.render import render
from tests.render.reading import markdown
from tests.render.samples import doubtful, tiny

SAMPLES = {"tiny": tiny(), "doubtful": doubtful(), "compare": check_formulas(doubtful())}


def parsed(report):
    return markdown(render(report, "markdown"))


def rows(report):
    """The cells of the table's lines as texts, the heading first."""
    blocks = parsed(report)
    heading = [text for kind, text in blocks if kind == "th"]
    cells = [text for kind, text in blocks if kind == "td"]
    return [heading, *(cells[start : start + len(heading)] for start in range(0, len(cells), len(heading)))]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_table_renders_as_a_table(sample):
    table = rows(SAMPLES[sample])
    assert len(table) > 2
    assert {len(line) for line in table} == {len(table[0])}
    assert not any(text.startswith("|") for kind, text in parsed(SAMPLES[sample]) if kind == "p")


def test_layers_show_their_numbers_with_separators():
    # stem: 8*8*8 * 3*3*3 = 13824 MACs of the 51968
    assert rows(tiny())[1] == ["stem", "Conv2d", "8x8x8", "224", "13,824", "██▋ 26.6 %", "✓"]


def test_what_a_comparison_came_to_is_read_first():
    kinds = parsed(check_formulas(doubtful()))
    assert kinds[0] == ("h3", "tiny (zoo) · 1x3x8x8 float32 · eval · meta · torch 2.13.0")
    assert kinds[1] == ("p", "✗ 27 checks: 22 match, 2 differ, 1 not comparable, 2 unknown.")
    assert kinds[2][0] == "th"


def test_a_finding_names_layer_expected_found_source_and_line():
    heading, _, macs, *_ = rows(check_formulas(doubtful()))
    assert list(zip(heading, macs, strict=True)) == [
        ("layer", "conv"), ("kind", "Conv2d"), ("what", "MACs"), ("expected", "13,824"), ("by", "formula"),
        ("found", "3,456"), ("by", "torch"), ("verdict", "✗"), ("in", "nets.py:41"),
    ]  # fmt: skip


def test_a_comparison_without_findings_is_a_heading_and_a_sentence():
    # The 9 rows of tiny() have a shape, params, MACs and neurons each; its totals are 9 numbers.
    said, compared = parsed(check_formulas(tiny()))[1:]
    assert said == ("p", "✓ 45 checks: 45 match.")
    assert compared[1].startswith("formula output shape 9, params 9, MACs 9, neurons 9, totals 9")


def test_names_are_text_and_no_markup():
    texts = [text for _, text in parsed(doubtful())]
    assert '特徴.a|b_c <i>"&"</i> use 2' in texts
    assert any("aten._fft_r2c" in text for text in texts)
