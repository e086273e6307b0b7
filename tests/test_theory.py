"""The pages of docs/theory and the gallery: their screens and pictures are what the tool prints and draws now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(path for path in (ROOT / "docs" / "theory").glob("*.md") if path.name != "README.md")
IDS = [path.stem for path in PAGES]
MADE = [*PAGES, ROOT / "docs" / "gallery.md"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate", ROOT / "docs" / "regenerate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("page", MADE, ids=[*IDS, "gallery"])
def test_screens_are_what_the_tool_prints(page: Path, script: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n$ cnninspect ") >= 2
    assert script.regenerated(text) == text


def labels(picture: bytes) -> list[str]:
    """The texts of an SVG and its number of boxes."""
    text = picture.decode()
    return [*re.findall(r"<text[^>]*>(.*?)</text>", text), str(text.count('<g id="patch_'))]


@pytest.mark.parametrize("page", MADE, ids=[*IDS, "gallery"])
def test_pictures_are_what_the_tool_draws(page: Path, script: ModuleType) -> None:
    """Their outlines change with the version of matplotlib; what they say, and their boxes, do not."""
    text = page.read_text(encoding="utf-8")
    drawn = script.pictures(text)
    assert set(re.findall(r"!\[.*?\]\((.*?)\)", text)) == set(drawn)
    for name, picture in drawn.items():
        assert labels(picture) == labels((page.parent / name).read_bytes())
        assert len(labels(picture)) > 3
    # Where no picture of a field is to the point, the matrix of a convolution is one.
    assert drawn or "--matrix" in text


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_is_short_and_cites_its_sources(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) < 700
    assert re.search(r"^## Sources\n\n- .*\d{4}", text, re.MULTILINE)


def test_a_number_that_is_no_longer_true_is_found(script: ModuleType) -> None:
    page = (ROOT / "docs" / "theory" / "output-sizes.md").read_text(encoding="utf-8")
    assert script.regenerated(page.replace("= 23,296", "= 23,295")) == page


def test_every_page_is_listed() -> None:
    listed = (ROOT / "docs" / "theory" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\(([\w-]+\.md)\)", listed)) == [page.name for page in PAGES]
