"""What one position sees: as a table, as sentences, in characters, and as a picture, from fields written by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread, imsave

from cnninspect import inspect_model
from cnninspect.errors import UsageError
from cnninspect.inspection.accounts.nested_fields import NestedFields
from cnninspect.render import render
from cnninspect.render.fields import drawing
from cnninspect.render.page import ASCII, UNICODE, Screen
from cnninspect.render.picture import picture
from cnninspect.report.document import FieldStudy
from cnninspect.report.parts import Asked, InputField, PositionField
from cnninspect.report.rows import RowId
from cnninspect.report.selection import View
from tests.render.samples import tiny

Pair = tuple[int, int]


def seen(image: list[int], local: list[Pair | None], **others: list[Pair | None]) -> InputField:
    strict, endless = (tuple(others.get(form, local)) for form in ("strict", "endless"))
    return InputField("0", tuple(image), tuple(local), strict, endless)


def position(layer: str, at: list[int], positions: list[int], x: InputField) -> PositionField:
    return PositionField(layer, RowId(layer, "Conv2d"), tuple(positions), tuple(at), (x,))


# An 8x8 input: a 3x3 region inside, and one of 7x7 that leaves the input by a row at the top.
INNER = position("first", [2, 3], [8, 8], x=seen([8, 8], [(1, 3), (2, 4)]))
OUTER = position(
    "second", [2, 3], [4, 4],
    x=seen([8, 8], [(0, 5), (0, 6)], endless=[(-1, 5), (0, 6)], strict=[(0, 7), (0, 7)]),
)  # fmt: skip
LINE = [
    position("a", [5], [12], x=seen([12], [(4, 6)])),
    position("b", [5], [12], x=seen([12], [(3, 11)], endless=[(3, 13)])),
]


def report(*fields: PositionField) -> FieldStudy:
    return FieldStudy.of(tiny(), command="rf", sights=fields, asked=Asked("second", None))


def test_what_sees_everything_has_no_size() -> None:
    everything = replace(seen([8, 8], [(0, 7), (0, 7)]), is_global=True)
    lines = [
        line.rstrip() for line in render(report(INNER, position("head", [], [], x=everything)), "table").split("\n")
    ]
    assert lines[2:5] == [
        "    layer  at    field  rows  columns",
        " 1  first  2,3       3  1..3     2..4",
        " 2  head        global  0..7     0..7",
    ]
    assert b"head: global" in picture(report(INNER, position("head", [], [], x=everything)), "svg")


def test_the_table_names_every_region_and_its_pixels() -> None:
    lines = [line.rstrip() for line in render(report(INNER, OUTER), "table").split("\n")]
    assert lines[2:8] == [
        "    layer   at   field  rows  columns  rows without ends  columns without ends",
        " 1  first   2,3      3  1..3     2..4",
        " 2  second  2,3      7  0..5     0..6              -1..5",
        "",
        " position    second (Conv2d) at 2,3 of 4x4",
        " sees        rows 0..5, columns 0..6  of input 0, 8x8",
    ]
    assert lines[8] == "   strictly  rows 0..7, columns 0..7  counting gates and statistics"


def test_columns_that_say_nothing_are_left_out() -> None:
    assert "without ends" not in render(report(INNER), "table")
    assert render(report(INNER), "csv") == 'number,layer,at,receptive_field,rows,columns\n1,first,"2,3",3,1..3,2..4\n'


def test_a_position_that_sees_nothing() -> None:
    blind = position("hole", [1, 1], [8, 8], x=seen([8, 8], [None, None]))
    text = render(report(blind), "table")
    assert " 1  hole   1,1      0  none     none" in text
    assert "sees      nothing  of input 0, 8x8" in text
    assert set(drawing([blind], UNICODE)) == {"········"}


# Two characters wide for one high: eight columns of one pixel, four lines of two rows each.
DRAWN = [
    ("nested", [INNER, OUTER], ["2211122·", "2211122·", "2222222·", "········"]),
    ("inner", [INNER], ["··111···", "··111···", "········", "········"]),
    ("one axis", LINE, ["···211122222"]),
]


@pytest.mark.parametrize(("fields", "lines"), [case[1:] for case in DRAWN], ids=[case[0] for case in DRAWN])
def test_the_drawing_by_hand(fields: list[PositionField], lines: list[str]) -> None:
    assert drawing(fields, UNICODE) == lines
    assert drawing(fields, ASCII) == [line.replace("·", "-") for line in lines]


def test_a_large_input_is_drawn_small() -> None:
    # 48 characters for 960 pixels: 20 each, so that 100..119 is the sixth. 480 rows on 12 lines of 40 rows each.
    wide = position("wide", [0, 0], [9, 9], x=seen([480, 960], [(40, 79), (100, 119)]))
    lines = drawing([wide], UNICODE)
    assert [len(line) for line in lines] == [48] * 12
    assert [(row, line.index("1"), line.count("1")) for row, line in enumerate(lines) if "1" in line] == [(1, 5, 1)]


# A character is as wide as 1 and as high as 2. 48 x 24 of them at most.
SIZES = [
    # id, height and width of the input, lines and characters
    ("square", [224, 224], (24, 48)),
    ("wide", [50, 200], (6, 48)),
    ("tall", [200, 50], (24, 12)),
    ("a strip", [8, 1000], (3, 48)),
    ("a pole", [1000, 8], (24, 3)),
    ("small", [2, 2], (2, 2)),
]


@pytest.mark.parametrize(("image", "size"), [case[1:] for case in SIZES], ids=[case[0] for case in SIZES])
def test_a_drawing_keeps_proportions_and_fits_on_a_screen(image: list[int], size: tuple[int, int]) -> None:
    lines = drawing([position("a", [0, 0], image, x=seen(image, [(0, 0), (0, 0)]))], UNICODE)
    assert (len(lines), {len(line) for line in lines}) == (size[0], {size[1]})


def test_formats_hold_the_drawing_as_it_is() -> None:
    drawn = "2211122·\n2211122·\n2222222·\n········"
    assert f"```\n{drawn}\n```" in render(report(INNER, OUTER), "markdown")
    assert f"<pre>{drawn}</pre>" in render(report(INNER, OUTER), "html")
    assert "\n 2211122·\n" in render(report(INNER, OUTER), "table", screen=Screen(width=80), view=View())


@pytest.mark.parametrize("fields", [[INNER, OUTER], LINE], ids=["map", "line"])
def test_a_picture_is_a_file_of_its_kind_and_the_same_each_time(fields: list[PositionField]) -> None:
    first = picture(report(*fields), "svg")
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert picture(report(*fields), "svg") == first
    assert picture(report(*fields), "png").startswith(b"\x89PNG")


def pixels(content: bytes, tmp_path: Path) -> Any:
    (tmp_path / "drawn.png").write_bytes(content)
    return imread(tmp_path / "drawn.png")[..., :3]


def test_regions_are_drawn_over_the_middle_of_an_image(tmp_path: Path) -> None:
    # Red, with blue bars left and right that a square crop of the middle leaves out.
    image = np.zeros((40, 80, 3))
    image[:, 20:60, 0] = 1
    image[:, :20, 2] = image[:, 60:, 2] = 1
    imsave(tmp_path / "image.png", image)
    drawn = pixels(picture(report(INNER), "png", str(tmp_path / "image.png")), tmp_path)
    red = (drawn[..., 0] > 0.9) & (drawn[..., 1] < 0.1) & (drawn[..., 2] < 0.1)
    blue = (drawn[..., 2] > 0.9) & (drawn[..., 0] < 0.1)
    # 9 of 64 pixels lie under the region, whose colour is mixed in.
    assert red.sum() > 100_000
    assert not blue.any()


def test_an_image_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_text("no picture")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        picture(report(INNER), "png", str(tmp_path / "image.png"))


def test_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match="no layer has spatial positions"):
        picture(report(), "svg")


def test_a_drawing_wider_than_the_screen_is_halved() -> None:
    """48 columns and 24 lines for a square image; 40 columns hold half of them."""
    study = inspect_model("resnet18", command="rf", accounts=[NestedFields("layer3")])
    wide, narrow = (render(study, screen=Screen(width)).rstrip().rsplit("\n\n", 1)[1] for width in (80, 40))
    assert {len(line) for line in wide.splitlines()} == {1 + 48}
    assert {len(line) for line in narrow.splitlines()} == {1 + 24}
    assert len(wide.splitlines()) == 2 * len(narrow.splitlines()) == 24
