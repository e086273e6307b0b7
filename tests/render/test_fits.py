"""Ten networks on terminals of four widths: nothing that matters is lost, and no short form fits two names.

One test per network: its report is made once and rendered for every terminal.
"""

import functools
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from cnninspect import inspect_model
from cnninspect.checks import with_checks
from cnninspect.claims.judge import check_claims
from cnninspect.claims.read import read_claims
from cnninspect.render import render
from cnninspect.render.checks import readers_sheet
from cnninspect.render.page import UNICODE, Heading, Screen, Sheet, Worth
from cnninspect.render.page import Cell as PageCell
from cnninspect.render.width import fitted
from cnninspect.report.document import formula_checks
from cnninspect.report.quantities import Verdict
from cnninspect.report.selection import View

NETWORKS = (
    "lenet5", "custom-alexnet", "resnet18", "vgg11", "mobilenet_v2", "squeezenet1_1", "swin_t", "vit_b_16",
    "unet-small", "pool-upsample",
)  # fmt: skip
WIDTHS = (60, 80, 100, 140)
SCREENS = ((80, 24), (140, 50))


@functools.cache
def inspected(name):
    return inspect_model(name)


def shown(name, width, height=None, **view):
    return render(inspected(name), view=View(**view), screen=Screen(width, height=height)).splitlines()


def table_of(lines):
    """The heading and the rows: from the first line after the title to the first remark, total or empty line."""
    start = lines.index("") + 1
    remarks = (" folded", " short", " no room", " ✓ ", " params ")
    ends = (place for place in range(start + 1, len(lines)) if not lines[place] or lines[place].startswith(remarks))
    return lines[start : next(ends)]


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_that_matters_is_lost(name):
    names_are_shortened_unambiguously(name)
    for width in WIDTHS:
        params_macs_and_field_are_there_and_every_line_fits(name, width)
    for width, height in SCREENS:
        a_screen_holds_it_and_its_layers(name, width, height)


def test_a_claim_keeps_its_line(tmp_path):
    """LeNet-5's c1 has 6 * (25 + 1) = 156 parameters and s2 has none: lines 2 and 4 are right, 3 and 5 are not."""
    file = tmp_path / "a-file-with-a-long-name.csv"
    file.write_text("layer,params\nc1,156\nc3,1\ns2,0\nf6,2\n")
    report = inspected("lenet5")
    compared = with_checks(report, check_claims(report, read_claims(str(file))))
    for width in (60, 70, 80, 100, 140):
        lines = render(compared, view=View(), screen=Screen(width)).splitlines()
        found = [line.split()[0] + " " + line[line.index("line ") :] for line in lines if re.match(r" (c3|f6) ", line)]
        assert found == ["c3 line 3", "f6 line 5"], width


def test_numbers_side_by_side_have_one_form():
    """vit_b_16's first convolution does 768 * 14 * 14 * 16 * 16 * 3 = 115,605,504 MACs: 115.6M or all digits, twice."""
    forms = set()
    for width in range(60, 141, 10):
        lines = table_of(render(inspect_model("vit_b_16", command="flops"), screen=Screen(width)).splitlines())
        row = next(line for line in lines if line.startswith(" conv_proj"))
        found = re.findall(r"115,605,504|115\.6M", row)
        forms.add(tuple(found))
    assert ("115.6M", "115.6M") in forms
    assert ("115,605,504", "115,605,504") in forms
    assert all(len(set(found)) == 1 for found in forms)


def test_a_function_at_the_root_is_named_once():
    """Its label in brackets is its kind: a second column of it would only shorten both."""
    report = inspected("vit_b_16")
    checks = [check for check in formula_checks(report) if check.row is not None and not check.row.path]
    sheet = readers_sheet(with_checks(report, checks), checks, UNICODE)
    assert {line[0].text for line in sheet.lines} >= {"(Tensor.reshape)", "(Tensor.permute)", "(VisionTransformer)"}
    assert "kind" not in [heading.name for heading in sheet.headings]


def params_macs_and_field_are_there_and_every_line_fits(name, width):
    lines = shown(name, width)
    assert [line for line in lines if cell_len(line) > width] == []
    heading = table_of(lines)[0].split()
    assert {"layer", "params", "MACs", "field", "✓"} <= set(heading), width
    the_totals_are_there(name, lines)


def the_totals_are_there(name, lines):
    text = "\n".join(lines)
    for total in ("params", "macs", "flops", "neurons"):
        assert f"{inspected(name).total(total).value:,}" in text
    words = {label for label in ("memory", "peak", "field", "verified") if re.search(rf"(^| · | ){label} ", text, re.M)}
    assert words == {"memory", "peak", "field", "verified"}


def names_are_shortened_unambiguously(name):
    """All names and kinds of the network, shortened in one column as narrow as a third of the screen."""
    rows = inspected(name).rows
    for texts in ({row.path for row in rows}, {row.kind for row in rows}):
        names = sorted(texts - {""})
        for width in WIDTHS:
            found = fitted(column(names), width // 3, UNICODE)
            for full, line in zip(names, found.sheet.lines, strict=True):
                head, cut, tail = line[0].text.partition("…")
                fits = [other for other in names if other.startswith(head) and other.endswith(tail)] if cut else [head]
                assert fits == [full]


def column(names):
    return Sheet((Heading("layer", "layer", worth=Worth.KEPT, shortens=True),), tuple((PageCell(n),) for n in names))


def a_screen_holds_it_and_its_layers(name, width, height):
    """The page, its notes and the prompt fit; no container hides most MACs; how to see the rest is said."""
    lines = shown(name, width, height)
    notes = sum(-(-len(f"cnninspect: note: {note}") // (width - 10)) for note in inspected(name).notes)
    assert len(lines) + notes + 1 <= height
    assert [line for line in lines if cell_len(line) > width] == []
    the_totals_are_there(name, lines)
    rows = sum(row.layer_like for row in inspected(name).rows) - 1
    assert len(table_of(lines)) - 1 >= min(rows, height // 3)
    if len(table_of(lines)) - 1 < rows:
        assert any("--no-fold shows all" in line for line in lines)


def test_equal_blocks_become_one_row_with_their_sum():
    """vit_b_16: an encoder layer has 7,087,872 params (Dosovitskiy 2021: 12 layers, 768 wide, MLP 3072).

    4*(768*768 + 768) of attention, 768*3072 + 3072 + 3072*768 + 768 of the MLP, 2*2*768 of the norms; times 11.
    """
    each = 4 * (768 * 768 + 768) + 768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 2 * 768
    rows = {" ".join(line.split()[:3]): line for line in shown("vit_b_16", 140)}
    assert f"{11 * each:,}" in rows["encoder_layer_1 … 11"]
    assert f"×11, each {each:,}" in rows["encoder_layer_1 … 11"]
    text = "\n".join(shown("vit_b_16", 140))
    assert "a … b the sum from a to b" in text
    assert "×N equal to the block above" in text
    narrow = shown("vit_b_16", 80, 24)
    assert any("×11, each 7.09M" in line and f"{11 * each:,}" in line for line in narrow)
    assert not any("encoder_layer_5" in line for line in shown("vit_b_16", 140))
    assert any("encoder_layer_5" in line for line in shown("vit_b_16", 140, fold=False))


def test_one_row_stands_for_the_rest_of_a_container_that_has_most_macs_and_no_room():
    """mobilenet_v2, table 2 of Sandler 2018: a convolution, 17 bottlenecks and a convolution, 2,223,872 params in all.

    928 in features.0 (3*3*3*32 + 2*32), 896 in the first bottleneck (32*9 + 2*32 + 32*16 + 2*16).
    """
    lines = [line.split() for line in table_of(shown("mobilenet_v2", 80, 24))]
    inside = [line for line in lines if line[0].isdigit() and line[1] in ("Conv2dNormActivation", "InvertedResidual")]
    (rest,) = [line for line in lines if line[0] == "…"]
    assert [line[0] for line in inside] == [str(index) for index in range(len(inside))]
    assert [line[3] for line in inside[:2]] == [str(3 * 3 * 3 * 32 + 2 * 32), str(32 * 9 + 2 * 32 + 32 * 16 + 2 * 16)]
    assert rest[1:4] == [str(19 - len(inside)), "more", "1280x7x7"]
    assert int(rest[4].replace(",", "")) == 2_223_872 - sum(int(line[3].replace(",", "")) for line in inside)


@pytest.mark.parametrize("name", ["vit_b_16", "unet-small", "resnet18"])
def test_the_lowest_and_narrowest_screens_hold_a_summary(name):
    """Not all totals, but params, MACs, field and verdict, and rows whose sums are those of the network."""
    for width, height in ((60, 24), (40, 24), (80, 16)):
        lines = shown(name, width, height)
        assert len(lines) + 1 <= height, (width, height)
        assert [line for line in lines if cell_len(line) > width] == []
        text = "\n".join(lines)
        assert {"params", "MACs", "field", "verified"} <= set(text.split())
        assert "--no-fold" in text


def test_a_row_that_hides_others_has_their_worst_verdict():
    """A wrong field inside a container that is closed, or among rows that one row stands for, is no match."""
    report = inspected("mobilenet_v2")
    wrong = replace(report.rows[-1].receptive_field, verdict=Verdict.DIFFER)
    index = next(index for index, row in enumerate(report.rows) if row.path == "features.17.conv.0.1")
    rows = [*report.rows]
    rows[index] = replace(rows[index], receptive_field=wrong)
    changed = replace(report, rows=tuple(rows))
    lines = table_of(render(changed, screen=Screen(80, height=24)).splitlines())
    signs = {line.split()[0]: [sign for sign in line.split() if sign in "✓✗"] for line in lines[1:]}
    assert signs["…"] == ["✗"]
    assert signs["classifier"] == ["✓"]
    assert signs["features"] == ["✓"], "its rows are shown"
    closed = table_of(render(changed, view=View(depth=1), screen=Screen(80)).splitlines())
    assert next(line for line in closed if line.startswith(" features")).split()[-2] == "✗"


def test_a_low_screen_says_how_the_rest_is_seen():
    low, whole = ("\n".join(shown("lenet5", 80, 24, **view)) for view in ({}, {"fold": False}))
    assert "short to fit the screen: --no-fold shows all totals" in low
    assert "memory 0.29 MiB in all" in low
    assert "0.05 MiB activations (Keras style)  0.29 MiB in all" in whole


def test_exact_counts_are_rounded_only_where_they_do_not_fit():
    assert any("17.45G" in line for line in shown("vit_b_16", 60))
    assert not any("17.45G" in line for line in shown("vit_b_16", 140))
    exact = shown("vit_b_16", 60, exact=True)
    assert any("17,447,454,720" in line for line in table_of(exact))
    assert [line for line in exact if cell_len(line) > 60] == []
