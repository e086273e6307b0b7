"""The HTML report in a real browser: the tree, its tools and keys, derivations, charts, widths, and hostile names.

The network has a stem, two blocks of a convolution and a ReLU, and a head. Hand arithmetic at 3x32x32, padding 1:
the stem has 3*3*3*8 + 8 = 224 params and 32*32*8*27 = 221,184 MACs, each block 8*8*9 + 8 = 584 and 32*32*8*72 =
589,824, the head 8*10 + 10 = 90 and 80.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOSTILE = "</script><img src=x onerror=hit()>"
NET = f"""
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    def forward(self, x):
        return self.relu(self.conv(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Sequential(Block(), Block())
        self.add_module({HOSTILE!r}, nn.Identity())
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(8, 10)
    def forward(self, x):
        x = getattr(self, {HOSTILE!r})(self.body(self.stem(x)))
        return self.head(self.pool(x).flatten(1))

class Wide(Net):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 20)

class More(Net):
    def forward(self, x):
        return super().forward(x).relu()
"""
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROWS = 12
"""Stem, body, its two blocks of two layers each, the hostile one, pool, Tensor.flatten, head."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        yield running.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> str:
    from cnninspect.cli.app import run

    folder = tmp_path_factory.mktemp("page")
    (folder / "net.py").write_text(NET, encoding="utf-8")
    out = folder / "report.html"
    assert run(["summary", f"{folder / 'net.py'}:Net", "--input", "1x3x32x32", "-q", "-o", str(out)]) == 0
    return out.as_uri()


@pytest.fixture
def opened(browser: Any, file: str) -> Iterator[Any]:
    """Opens the report at a width; in the end nothing was requested but the file, and nothing stands on the console."""
    said: list[str] = []
    contexts = []

    def open_(width: int = 1280, address: str = file, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url != address else None)
        page.add_init_script("window.hit = () => console.error('hostile')")
        page.goto(address)
        return page

    yield open_
    assert said == []
    for context in contexts:
        context.close()


def names(page: Any) -> list[str]:
    """The names in the rows that are shown."""
    return [text.strip() for text in page.locator("[role=treegrid] tbody tr:visible td:first-child").all_inner_texts()]


def active(page: Any) -> str:
    return str(page.evaluate("document.activeElement.closest('tr')?.cells[0].textContent.trim() ?? ''"))


def test_the_tree_has_levels_and_folds(opened: Any) -> None:
    page = opened()
    assert page.get_by_role("treegrid").get_attribute("aria-label") == "Layers"
    assert len(names(page)) == ROWS
    body = page.locator("tbody tr", has_text="Sequential")
    assert (body.get_attribute("aria-level"), body.get_attribute("aria-expanded")) == ("1", "true")
    body.locator("button.twist").click()
    assert body.get_attribute("aria-expanded") == "false"
    assert [name for name in names(page) if name.startswith("body.")] == []
    page.get_by_role("button", name="Expand all").click()
    assert len(names(page)) == ROWS
    page.get_by_role("button", name="Collapse all").click()
    assert names(page)[:2] == ["stem", "body"]


def test_search_keeps_what_is_above(opened: Any) -> None:
    page = opened()
    page.get_by_role("searchbox").fill("relu")
    assert names(page) == ["body", "body.0", "body.0.relu", "body.1", "body.1.relu"]
    assert page.get_by_role("status").first.inner_text() == f"5 of {ROWS} rows"
    page.get_by_role("combobox", name="Rows by verdict").select_option("differ")
    assert names(page) == []


def test_sorting_orders_the_tree_and_the_list(opened: Any) -> None:
    page = opened()
    header = page.get_by_role("columnheader", name="MACs")
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert names(page)[0] == "body"  # 1,179,648 MACs
    page.get_by_label("as a list").check()
    assert names(page)[:4] == ["body.0.conv", "body.1.conv", "stem", "head"]
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert names(page)[-3:] == ["stem", "body.0.conv", "body.1.conv"]
    header.get_by_role("button").click()
    page.get_by_label("as a list").uncheck()
    assert names(page)[:3] == ["stem", "body", "body.0"]


def test_columns_can_be_left_out(opened: Any) -> None:
    page = opened()
    page.locator("details.columns summary").click()
    page.get_by_role("checkbox", name="params").uncheck()
    assert page.get_by_role("columnheader", name="params").count() == 0
    assert page.get_by_text("589,824", exact=True).first.is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("checkbox", name="params").is_visible()


def test_a_number_opens_its_derivation(opened: Any) -> None:
    page = opened()
    button = page.locator("tbody tr", has_text="stem").locator('button[data-opens="params"]')
    assert button.inner_text() == "224"
    button.click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading").first.inner_text() == "stem · Conv2d"
    symbolic = dialog.locator(".symbolic").first.get_attribute("data-expression")
    put = dialog.locator(".substituted").first.get_attribute("data-expression")
    assert "Cout" in symbolic
    assert eval(put) == 224
    assert "✓ match" in dialog.inner_text()
    assert dialog.locator("math msub").count() > 0
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.opens") == "params"


def test_every_number_of_the_table_opens_something_that_is_its_value(opened: Any) -> None:
    page = opened()
    seen = 0
    for button in page.locator('tbody button[data-opens="params"], tbody button[data-opens="macs"]').all():
        text = button.inner_text().strip()
        if not text.replace(",", "").isdigit():
            continue
        button.click()
        values = page.get_by_role("dialog").locator(".value").all_inner_texts()
        assert text in [value.removeprefix("= ") for value in values]
        page.keyboard.press("Escape")
        seen += 1
    assert seen == 2 * 4 + 2 * 3  # both numbers of three convolutions and the head; of body and its two blocks


def test_the_keyboard_reaches_everything(opened: Any) -> None:
    page = opened()
    page.locator("[role=treegrid] tbody tr").first.focus()
    page.keyboard.press("ArrowDown")
    assert active(page) == "body"
    page.keyboard.press("ArrowLeft")
    assert page.locator("tbody tr", has_text="Sequential").get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert active(page) == "body.0"
    page.keyboard.press("ArrowLeft")  # folds the block, then goes to what is above
    page.keyboard.press("ArrowLeft")
    assert active(page) == "body"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.opens") == "params"
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("End")
    assert active(page) == "head"


def test_charts_and_the_field_follow_the_row(opened: Any) -> None:
    page = opened()
    charts = page.locator("#charts")
    assert "largest is body.0.conv with 589,824" in charts.get_by_role("img").first.get_attribute("aria-label")
    charts.locator("svg .bar").nth(2).click()
    assert page.locator('tr[aria-selected="true"] td').first.inner_text().strip() == "body.1.conv"
    viewer = page.locator("#viewer")
    # Three 3x3 convolutions: 7 pixels, 3 on each side of position 16.
    assert "sees rows 13 to 19 and columns 13 to 19" in viewer.inner_text()
    viewer.get_by_label("row").fill("0")
    assert "sees rows -3 to 3" in viewer.inner_text()
    assert viewer.locator("rect.seen").get_attribute("height") == "4"
    viewer.get_by_label("layer").select_option("stem")
    assert page.locator('tr[aria-selected="true"] td').first.inner_text().strip() == "stem"
    output = viewer.get_by_role("img", name="Output of stem, 32x32 positions")
    box = output.bounding_box()
    output.click(position={"x": box["width"] - 2, "y": 2})
    assert "Position 0, 31 of 32x32 sees rows -1 to 1 and columns 30 to 32" in viewer.inner_text()
    viewer.get_by_label("layer").select_option("pool")
    assert "pool sees all of the input" in viewer.inner_text()
    assert not output.is_visible()


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> str:
    from cnninspect.cli.app import run

    out = tmp_path_factory.mktemp("unet") / "unet.html"
    assert run(["summary", "unet-small", "-q", "-o", str(out)]) == 0
    return out.as_uri()


def test_the_growth_of_the_field_has_gaps(opened: Any) -> None:
    """3, 5 and 7 pixels up to the hostile layer; after the pool the field is global, and the line ends."""
    page = opened()
    chart = page.locator("#charts").get_by_role("img", name="The receptive field grows from 3 to 7 pixels")
    steps = [float(part.partition(",")[0]) for part in chart.locator(".step").get_attribute("d")[1:].split("L")]
    assert steps == [0, 1, 2, 3, 4, 5]  # stem, two layers of each block, the hostile one


def test_charts_of_sums_do_not_claim_the_order_of_the_run(opened: Any, tmp_path: Path) -> None:
    from cnninspect.cli.app import run

    for name, words in {
        "kinds": ["flops", "lenet5", "--by", "kind"],
        "idle": ["summary", "lenet5", "--no-run"],
    }.items():
        out = tmp_path / f"{name}.html"
        assert run([*words, "-q", "-o", str(out)]) == 0
        charts = opened(address=out.as_uri()).locator("#charts")
        assert "by row, in the order of the table" in charts.inner_text()
        assert "order of the run" not in charts.inner_text()


def test_a_region_that_is_not_the_same_for_all_positions_is_not_drawn(opened: Any, unet: str) -> None:
    """The ends of the zoo's U-Net see 92 to 100 pixels, by position; its first convolution 3, from 1 before."""
    page = opened(address=unet)
    viewer, rows = page.locator("#viewer"), page.locator("tbody tr[data-row]")
    rows.filter(has_text="92..100").last.locator("td").nth(1).click()
    assert "is not drawn" in viewer.inner_text()
    assert viewer.locator("rect.seen").count() == 0
    rows.filter(has_text="Conv2d").first.locator("td").nth(1).click()
    viewer.get_by_label("row").fill("0")
    assert "sees rows -1 to 1" in viewer.inner_text()


def boxes(page: Any) -> list[str]:
    """The names of the boxes that the graph shows, in the order of the run."""
    return [text.strip() for text in page.locator("#graph .box > text.name").all_text_contents()]


def test_the_graph_opens_and_closes(opened: Any) -> None:
    page = opened()
    graph = page.get_by_role("tree", name="Graph of the network")
    short = f"{HOSTILE[:15]}…{HOSTILE[-15:]}"
    assert boxes(page) == ["input", "stem", "body", short, "pool", "Tensor.flatten", "head", "output"]
    assert graph.locator(".link").count() == 7  # a chain of eight
    body = graph.get_by_role("treeitem", name="body, Sequential")
    assert body.get_attribute("aria-expanded") == "false"
    assert body.get_attribute("aria-label").endswith(f"; reads stem; read by {HOSTILE}")
    body.locator(".twist").click()
    assert body.get_attribute("aria-expanded") == "true"
    assert boxes(page)[2:5] == ["body", "0", "1"]
    page.get_by_role("button", name="Open one level").click()
    assert boxes(page)[2:9] == ["body", "0", "conv", "relu", "1", "conv", "relu"]
    label = graph.get_by_role("treeitem", name="body.1.conv, Conv2d").get_attribute("aria-label")
    assert label == "body.1.conv, Conv2d, 8x32x32; reads body.0.relu; read by body.1.relu"
    page.get_by_role("button", name="Close all").click()
    assert len(boxes(page)) == 8


def test_the_skip_connections_of_a_u_net_are_drawn(opened: Any, unet: str) -> None:
    page = opened(address=unet)
    cat = page.get_by_role("treeitem", name="torch.cat, 64x16x16")
    assert cat.get_attribute("aria-label").endswith("; reads down.2.3, up.0; read by join.0.0")
    edges = page.evaluate("report.dataflow.edges.length + report.dataflow.outputs.length")
    while page.locator('#graph .box[aria-expanded="false"]').count():
        page.get_by_role("button", name="Open one level").click()
    assert page.locator("#graph .link[marker-end]").count() == edges
    # No line leaves the picture, and no arrow points up.
    shown = page.locator("#graph svg").evaluate(
        "svg => [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height, ...[...svg.querySelectorAll('.link')].flatMap("
        "path => { const b = path.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; })]"
    )
    width, height, *ends = shown
    assert min(ends) >= 0
    assert max(ends[2::4]) <= width
    assert max(ends[3::4]) <= height


def test_graph_table_and_chart_are_one_choice(opened: Any) -> None:
    page = opened()
    chosen = page.locator('[role="treegrid"] tr[aria-selected="true"] td').first
    box = page.locator('#graph .box[aria-selected="true"]')
    page.locator("#charts svg .bar").nth(2).click()
    assert chosen.inner_text().strip() == "body.1.conv"
    assert box.get_attribute("aria-label").startswith("body.1.conv,")
    page.get_by_role("treeitem", name="stem, Conv2d").click()
    assert chosen.inner_text().strip() == "stem"
    assert page.locator("#charts svg .bar.chosen").count() == 2  # its MACs and its params
    assert boxes(page)[1:3] == ["stem", "body"]  # what the chart had opened has closed
    card = page.locator("#graph .card")
    assert "224" in card.inner_text()
    card.get_by_role("button", name="221,184").click()
    assert "221,184" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.locator('[role="treegrid"] tr', has_text="body.0.relu").locator("td").nth(1).click()
    assert box.get_attribute("aria-label").startswith("body.0.relu,")
    card.get_by_role("button", name="body.1.conv").click()  # what reads it
    assert chosen.inner_text().strip() == "body.1.conv"


def test_the_graph_has_keys(opened: Any) -> None:
    page = opened()
    page.locator('#graph .box[tabindex="0"]').focus()

    def focused() -> str:
        return str(page.evaluate("document.activeElement.getAttribute('aria-label')")).partition(",")[0]

    assert focused() == "input; read by stem"
    for key, name in (("ArrowDown", "stem"), ("ArrowDown", "body"), ("ArrowRight", "body"), ("ArrowRight", "body.0"),
                      ("Enter", "body.0"), ("ArrowRight", "body.0.conv"), ("ArrowLeft", "body.0"),
                      ("ArrowLeft", "body.0"), ("End", "output; reads head")):  # fmt: skip
        page.keyboard.press(key)
        assert focused() == name
    svg = page.locator("#graph svg")
    before = float(svg.get_attribute("width"))
    page.keyboard.press("+")
    assert float(svg.get_attribute("width")) > before
    page.keyboard.press("0")
    assert float(svg.get_attribute("height")) <= page.locator("#graph .frame").bounding_box()["height"]


def test_memory_over_the_run_has_the_reported_peak(opened: Any) -> None:
    """Always there: 4 bytes each of 3*32*32 inputs and 1,482 params; at the second ReLU, four maps of 8*32*32.

    The stem's output is still an argument of the body, and the first block's of the second; then come the outputs of
    the convolution and of the ReLU.
    """
    page = opened()
    peak = 4 * (3 * 32 * 32 + 1482) + 4 * 4 * 8 * 32 * 32
    assert json.loads(page.locator("#report").text_content())["totals"]["peak_memory"]["value"] == peak
    chart = page.locator("#charts").get_by_role("img", name="Memory over the run")
    assert f"({peak:,} bytes) in body.1.relu" in chart.get_attribute("aria-label")
    box = chart.bounding_box()
    chart.click(position={"x": 1, "y": box["height"] / 2})
    assert page.locator('[role="treegrid"] tr[aria-selected="true"] td').first.inner_text().strip() == "stem"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> str:
    """The page of 520 layers."""
    from cnninspect.cli.app import run

    folder = tmp_path_factory.mktemp("long")
    (folder / "long.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(*map(nn.Softplus, range(1, 521)))"
    )
    assert run(["summary", f"{folder / 'long.py'}:net", "--input", "1x4", "-q", "-o", str(folder / "long.html")]) == 0
    return (folder / "long.html").as_uri()


def test_of_a_long_table_the_rows_around_the_seen_place_are_there(opened: Any, long: str) -> None:
    page = opened(address=long)
    rows = page.locator("[role=treegrid] tbody tr[data-row]")
    assert page.get_by_role("status").first.inner_text() == "520 of 520 rows"
    assert rows.count() < 250
    assert rows.first.locator("td").first.inner_text().strip() == "0"
    rows.first.focus()
    page.keyboard.press("End")
    assert active(page) == "519"
    page.keyboard.press("Home")
    assert active(page) == "0"
    page.locator("#layers .scroll").evaluate("room => { room.scrollTop = room.scrollHeight / 2; }")
    page.locator("[role=treegrid] tbody tr", has_text="265").first.click()
    page.evaluate("choose(lines[470])")
    assert page.locator('tr[aria-selected="true"] td').first.is_visible()
    page.get_by_role("searchbox").fill("55")
    assert len(names(page)) == 5  # 55, 155 ... 455
    page.get_by_role("searchbox").fill("")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 520
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    # The graph has the 520 in groups of ten; that of the chosen layer is open. Input and output are boxes too.
    assert page.locator("#graph .box").count() == 2 + 52 + 10
    assert boxes(page)[1] == "0 … 9"


def test_a_long_table_is_whole_without_a_script(opened: Any, long: str) -> None:
    page = opened(address=long, java_script_enabled=False)
    assert page.locator("[role=treegrid] tbody tr:visible").count() == 520


@pytest.mark.sweep
def test_the_page_of_resnet152_opens_at_once(opened: Any, tmp_path: Path) -> None:
    """Under two seconds until everything is drawn, and under 5 MB."""
    from cnninspect.cli.app import run

    out = tmp_path / "resnet152.html"
    assert run(["summary", "torchvision:resnet152", "-q", "-o", str(out)]) == 0
    assert out.stat().st_size < 5_000_000
    times = [opened(address=out.as_uri()).evaluate("performance.timing.loadEventEnd - performance.timing.fetchStart")
             for _ in range(3)]  # fmt: skip
    assert min(times) < 2_000


def test_rf_writes_the_same_page(tmp_path: Path) -> None:
    """Derivations of every row, and the graph: three layers of the zoo's network, each read by the next."""
    from cnninspect.cli.app import run

    out = tmp_path / "field.html"
    assert run(["rf", "lenet5", "-q", "-o", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    report, derived = (
        json.loads(text.partition(f'<script type="application/json" id="{name}">')[2].partition("</script>")[0])
        for name in ("report", "derivations")
    )
    named = {
        row["path"]: [derived["all"][place]["quantity"] for place in of]
        for row, of in zip(report["rows"], derived["rows"], strict=True)
    }
    assert named["c3"].count("receptive_field") == 2
    assert {"params", "macs", "output_shape"} <= set(named["c3"])
    assert report["dataflow"]["outputs"] == [len(report["rows"]) - 1]


def test_the_influence_of_a_pixel_is_told(opened: Any, tmp_path: Path) -> None:
    """The theoretical field of the middle of c3 is 14x14: rows and columns 10 to 23."""
    from cnninspect.cli.app import run

    out = tmp_path / "effective.html"
    assert run(["rf", "lenet5", "c3", "--effective", "--samples", "1", "-q", "-o", str(out)]) == 0
    page = opened(390, address=out.as_uri())
    report = json.loads(page.locator("#report").text_content())
    picture, told = page.locator("#field .input"), page.locator("#field").get_by_role("status")
    influence = report["effective"]["inputs"][0]["influence"]
    number = re.compile(r"Row (\d+), column (\d+): (\S+) % of the largest influence")
    picture.focus()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
        row, column, percent = number.search(told.inner_text()).groups()
        assert float(percent) == pytest.approx(100 * influence[int(row)][int(column)], rel=5e-3)
    assert (row, column) == ("7", "17")
    assert percent == "0.00"
    assert page.get_by_label("theoretical field: rows 10 to 23, columns 10 to 23").is_checked()
    assert page.locator("rect.region").count() == 5
    page.get_by_label("theoretical field").uncheck()
    assert page.locator("rect.region:visible").count() == 4
    assert not page.locator("pre").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert axe.run(page).response["violations"] == []


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> dict[str, str]:
    """Net against Wide, whose head has 8*20 + 20 = 180 params and 160 MACs; against its saved report; its baseline."""
    from cnninspect.cli.app import run

    folder = tmp_path_factory.mktemp("compared")
    (folder / "net.py").write_text(NET, encoding="utf-8")
    one, other, saved = f"{folder / 'net.py'}:Net", f"{folder / 'net.py'}:Wide", str(folder / "wide.json")
    options = ["--input", "1x3x32x32", "-q"]
    assert run(["summary", other, *options, "-o", saved]) == 0
    found = {}
    for name, words in {
        "two": [other],
        "more": [f"{folder / 'net.py'}:More"],
        "saved": [saved],
        "baseline": ["--baseline", saved],
    }.items():
        out = folder / f"{name}.html"
        assert run(["compare", one, *words, *options, "-o", str(out)]) == 1
        found[name] = out.as_uri()
    return found


def test_a_comparison_shows_what_differs_and_both_derivations(opened: Any, compared: dict[str, str]) -> None:
    page = opened(address=compared["two"])
    assert names(page) == ["head"]
    assert page.get_by_role("status").first.inner_text() == "1 of 9 rows"
    page.get_by_role("combobox", name="Rows by verdict").select_option("")
    assert names(page)[:3] == ["stem", "body.0.conv", "body.0.relu"]
    assert HOSTILE in names(page)
    page.get_by_role("searchbox").fill("head")
    cells = page.locator("[role=treegrid] tbody tr").first.locator('button[data-opens="params"]')
    assert cells.all_inner_texts() == ["90", "180"]
    cells.first.click()
    dialog = page.get_by_role("dialog")
    assert [text.rpartition(":")[2] for text in dialog.locator(".network > h3").all_inner_texts()] == [
        " head · Linear", " head · Linear"
    ]  # fmt: skip
    put = [each.locator(".substituted").first for each in dialog.locator(".network").all()]
    assert [eval(each.get_attribute("data-expression")) for each in put] == [90, 180]
    assert page.locator("img").count() == 0


def test_a_comparison_draws_both_networks(opened: Any, compared: dict[str, str]) -> None:
    """The head has 90 and 180 params; the most of both is 584, so that its bars are 15.4 and 30.8 of 100 high."""
    page = opened(address=compared["two"])
    charts = page.locator("#charts")
    heights = [
        float(
            charts.get_by_role("img", name=f"{name}: Params of 9 layers").locator(".bar").last.get_attribute("height")
        )
        for name in ("Net", "Wide")
    ]
    assert heights == pytest.approx([100 * 90 / 584, 100 * 180 / 584])
    assert charts.get_by_role("img", name="grows from 3 to 7 pixels").count() == 2
    assert charts.get_by_role("img", name="Memory over the run").count() == 2
    assert charts.locator(".kinds .right").all_inner_texts()[2:4] == ["80 (<0.1 %)", "160 (<0.1 %)"]
    page.locator("[role=treegrid] tbody tr[data-pair]").first.click()
    assert charts.locator(".bar.chosen").count() == 4  # MACs and params of both heads
    card = page.locator("#graph .card:visible")
    for name, params, shape in (("Net", "90", "1x10"), ("Wide", "180", "1x20")):
        page.locator("#sides").get_by_role("button", name=name, exact=True).click()
        page.get_by_role("treeitem", name="head, Linear").locator("visible=true").click()
        assert page.get_by_role("treeitem", name=f"head, Linear, {shape}").count() == 1
        card.get_by_role("button", name=params, exact=True).click()
        dialog = page.get_by_role("dialog")
        assert eval(dialog.locator(".substituted").first.get_attribute("data-expression")) == int(params)
        page.keyboard.press("Escape")


def test_a_row_of_the_other_network_alone_has_the_focus(opened: Any, compared: dict[str, str]) -> None:
    page = opened(address=compared["more"])
    assert names(page) == ["(none)"]
    assert page.locator('[role=treegrid] tbody tr[tabindex="0"]').count() == 1
    page.locator("[role=treegrid] tbody tr").focus()
    page.keyboard.press(" ")
    assert page.locator("#sides [aria-pressed=true]").inner_text() == "More"


def test_a_saved_report_has_values_and_no_derivations(opened: Any, compared: dict[str, str]) -> None:
    page = opened(390, address=compared["saved"])
    page.locator('[role=treegrid] tbody tr button[data-opens="macs"]').last.click()
    one, other = page.get_by_role("dialog").locator(".network").all()
    assert "= 80" in one.inner_text()
    assert "160" in other.inner_text()
    assert "no derivations" in other.inner_text()
    page.keyboard.press("Escape")
    page.locator("#sides").get_by_role("button").last.click()
    assert page.get_by_text("There is no graph of Wide").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    assert axe.run(page).response["violations"] == []


def test_the_checks_of_a_baseline(opened: Any, compared: dict[str, str]) -> None:
    page = opened(address=compared["baseline"])
    row = page.locator("[role=treegrid] tbody tr", has_text="head").filter(has_text="params")
    row.locator("button.number").last.click()
    dialog = page.get_by_role("dialog")
    assert dialog.locator(".value").all_inner_texts()[:2] == ["180", "90"]
    assert eval(dialog.locator(".substituted").first.get_attribute("data-expression")) == 90
    page.keyboard.press("Escape")
    differing = len(names(page))
    page.get_by_role("combobox", name="Rows by verdict").select_option("")
    checks = json.loads(page.locator("#report").text_content())["checks"]
    assert len(names(page)) == len(checks) > differing == sum(check["verdict"] == "differ" for check in checks)


def test_names_are_text(opened: Any) -> None:
    page = opened()
    assert HOSTILE in names(page)
    row = page.locator("tbody tr", has_text="Identity")
    row.locator('button[data-opens="output_shape"]').click()
    assert HOSTILE in page.get_by_role("dialog").inner_text()
    assert page.locator("img").count() == 0
    held = json.loads(page.locator("#report").text_content())
    assert HOSTILE in [row["path"] for row in held["rows"]]
    assert (held["schema_version"], held["totals"]["params"]["value"]) == (2, 224 + 2 * 584 + 90)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        *(pytest.param(*each, marks=pytest.mark.sweep) for each in ((1280, "dark"), (390, "light"))),
    ],
)
def test_it_fits_and_axe_finds_nothing(opened: Any, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(width, color_scheme=scheme)
    page.get_by_role("button", name="Open one level").click()
    page.locator("#graph .box").nth(1).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe.run(page).response["violations"] == []
    page.locator('tbody button[data-opens="macs"]').first.click()
    assert page.get_by_role("dialog").bounding_box()["width"] <= width
    assert axe.run(page).response["violations"] == []


def test_print_leaves_the_tools_out(opened: Any, compared: dict[str, str]) -> None:
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert len(names(page)) == ROWS
    for name, width in {"two": 1047, "baseline": 718}.items():  # A4 without 1 cm on each side, landscape for two
        page = opened(width, address=compared[name])
        page.get_by_role("combobox", name="Rows by verdict").select_option("")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page = opened()
    page.emulate_media(media="print")
    assert page.get_by_text("589,824", exact=True).first.is_visible()


def test_the_page_of_a_checkpoint_is_the_same_tree(opened, tmp_path):
    from cnninspect.cli.app import run
    from tests.safetensors_files import header, write

    names = [f"layers.{number}.{part}" for number in range(3) for part in ("weight", HOSTILE)]
    write(tmp_path / "w.safetensors", header(*((name, "F32", (4,), 16) for name in names)))
    assert run(["summary", str(tmp_path / "w.safetensors"), "-q", "-o", str(tmp_path / "w.html")]) == 0
    page = opened(address=(tmp_path / "w.html").as_uri())
    # The hostile name ends in a dot and no more parts, so that layers, three prefixes and six tensors are ten rows.
    assert page.locator("[role=treegrid] [role=row][data-row]").count() == 10
    page.get_by_role("searchbox").fill("layers.2")
    assert page.locator("[role=treegrid] [role=row][data-row]:visible").count() == 4
