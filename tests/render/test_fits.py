"""Ten networks on terminals of four widths: nothing that matters is lost, and no short form fits two names."""

import functools

import pytest
from rich.cells import cell_len

from cnninspect import inspect_model
from cnninspect.render import render
from cnninspect.render.page import UNICODE, Heading, Screen, Sheet, Worth
from cnninspect.render.page import Cell as PageCell
from cnninspect.render.width import fitted
from cnninspect.report.selection import View

NETWORKS = (
    "lenet5", "custom-alexnet", "resnet18", "vgg11", "mobilenet_v2", "squeezenet1_1", "mnasnet0_5", "vit_b_16",
    "unet-small", "pool-upsample",
)  # fmt: skip
WIDTHS = (60, 80, 100, 140)


@functools.cache
def inspected(name):
    return inspect_model(name)


def shown(name, width, height=None, **view):
    return render(inspected(name), view=View(**view), screen=Screen(width, height=height)).splitlines()


def table_of(lines):
    """The heading and the rows: from the first line after the title to the first remark or empty line."""
    start = lines.index("") + 1
    return lines[start : lines.index("", start)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NETWORKS)
def test_params_macs_and_field_are_there_and_every_line_fits(name, width):
    lines = shown(name, width)
    assert [line for line in lines if cell_len(line) > width] == []
    heading = table_of(lines)[0].split()
    assert {"layer", "params", "MACs", "field", "✓"} <= set(heading)
    whole = inspected(name)
    text = "\n".join(lines)
    assert f"{whole.total('params').value:,}" in text
    assert f"{whole.total('macs').value:,}" in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_shortened_name_fits_one_name_only(name, width):
    """All names and kinds of the network, shortened in one column as narrow as half the screen."""
    rows = inspected(name).rows
    for texts in ({row.path for row in rows}, {row.kind for row in rows}):
        names = sorted(texts - {""})
        found = fitted(column(names), width // 3, UNICODE)
        for full, line in zip(names, found.sheet.lines, strict=True):
            head, cut, tail = line[0].text.partition("…")
            fits = [other for other in names if other.startswith(head) and other.endswith(tail)] if cut else [head]
            assert fits == [full]


def column(names):
    return Sheet((Heading("layer", "layer", worth=Worth.KEPT, shortens=True),), tuple((PageCell(n),) for n in names))


# 24 lines hold the blocks directly below the root at least; what is hidden is said, with the command that shows it.
@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 50)])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_screen_holds_it(name, width, height):
    lines = shown(name, width, height)
    blocks = sum(row.parent in (None, 0) and row.layer_like for row in inspected(name).rows)
    assert len(lines) < height or len(table_of(lines)) <= blocks + 4
    rows = sum(row.layer_like for row in inspected(name).rows) - 1
    hidden = any("--no-fold shows all" in line for line in lines)
    assert hidden or len(table_of(lines)) >= rows


def test_equal_blocks_become_one_row_with_their_sum():
    """vit_b_16: an encoder layer has 7,087,872 params (Dosovitskiy 2021: 12 layers, 768 wide, MLP 3072).

    4*(768*768 + 768) of attention, 768*3072 + 3072 + 3072*768 + 768 of the MLP, 2*2*768 of the norms; times 11.
    """
    each = 4 * (768 * 768 + 768) + 768 * 3072 + 3072 + 3072 * 768 + 768 + 2 * 2 * 768
    rows = {" ".join(line.split()[:3]): line for line in shown("vit_b_16", 140)}
    assert f"{11 * each:,}" in rows["encoder_layer_1 … 11"]
    assert "11 × EncoderBlock" in rows["encoder_layer_1 … 11"]
    assert not any("encoder_layer_5" in line for line in shown("vit_b_16", 140))
    assert any("encoder_layer_5" in line for line in shown("vit_b_16", 140, fold=False))


def test_exact_counts_are_rounded_only_where_they_do_not_fit():
    assert any("17.45G" in line for line in shown("vit_b_16", 60))
    assert not any("17.45G" in line for line in shown("vit_b_16", 140))
    exact = shown("vit_b_16", 60, exact=True)
    assert any("17,447,454,720" in line for line in table_of(exact))
    assert [line for line in exact if cell_len(line) > 60] == []
