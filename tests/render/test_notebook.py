"""A notebook, executed and written as HTML: what a reader of it sees."""

import html
import re

import nbclient
import nbconvert
import nbformat
import pytest

CELLS = (
    "from cnninspect import inspect_model",
    "report = inspect_model('vit_b_16')\nreport",
    "[report]",
    "int(report.to_dataframe()['params'].sum())",
    "inspect_model('resnet_18')",
)


@pytest.fixture(scope="module")
def executed():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    return notebook


@pytest.fixture(scope="module")
def page(executed):
    return nbconvert.HTMLExporter(template_name="lab").from_notebook_node(executed)[0]


def test_names_are_left_aligned_whatever_the_notebook_says(page):
    """JupyterLab's and nbconvert's `.jp-RenderedHTMLCommon td` is right-aligned; only what is important wins."""
    assert re.search(r"\.jp-RenderedHTMLCommon t[dhr][^{]*\{[^}]*text-align: (right|left)", page)
    rule = re.search(r"\.cnninspect table th, \.cnninspect table td \{([^}]*)\}", page)[1]
    assert "text-align: left !important" in rule
    assert "white-space: pre !important" in rule


def test_the_tree_is_seen_and_equal_blocks_are_folded(page):
    cells = re.findall(r'padding-left: ([\d.]+)em !important">([^<]*)</td>', page)
    found = {name: float(indent) for indent, name in cells}
    indents = [found[name] for name in ("layers", "encoder_layer_0", "ln_2")]
    assert 0.8 < indents[0] < indents[1] < indents[2]
    assert "encoder_layer_1 … 11" in html.unescape(page)
    assert "encoder_layer_5" not in page


def test_a_list_of_reports_is_short(executed):
    # The sum of torchvision's page on vit_b_16: 86,567,656 params.
    text = executed.cells[2].outputs[0]["data"]["text/plain"]
    assert re.fullmatch(r"\[<Report of vit_b_16 \(torchvision\): 86,567,656 params, [\d,]+ MACs, match>\]", text)


def test_the_sum_of_a_column_of_the_dataframe_is_the_total(executed):
    assert executed.cells[3].outputs[0]["data"]["text/plain"] == "86567656"


def test_an_error_is_one_line(executed):
    error = executed.cells[4].outputs[-1]
    assert error["output_type"] == "error"
    assert len(error["traceback"]) == 1
    assert error["traceback"][0].startswith("UsageError: no model is called 'resnet_18'. Nearest: ")


def test_the_way_to_the_folded_rows_is_one_of_a_notebook(page):
    assert "folded where blocks are equal: print(report) shows all 165 rows" in html.unescape(page)
    assert "--no-fold" not in html.unescape(page)


def test_totals_wrap_and_names_stay_where_a_table_is_scrolled(page):
    assert re.search(r"table\.totals td \{[^}]*white-space: pre-wrap !important", page)
    assert re.search(r"table\.rows tr > :first-child \{[^}]*position: sticky", page)
    assert re.search(r"colspan=.?2.?>25,871,848</td>", page)
