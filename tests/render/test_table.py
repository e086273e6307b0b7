"""The table on terminals of any width, and in pipes."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from cnninspect.checks import check_budgets, check_formulas, parse_budget, with_checks
from cnninspect.render import render
from cnninspect.render.page import Screen
from cnninspect.report.document import FieldStudy
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import Check, ReceptiveField
from cnninspect.report.selection import View
from tests.render.samples import doubtful, report, row, tiny

SAMPLES = {
    "tiny": tiny(),
    "doubtful": doubtful(),
    "flops": doubtful(command="flops"),
    "compare": check_formulas(doubtful()),
    "long names": report(
        (
            row("", "Net", (1, 8), parent=None, leaf=False),
            row("encoder_" * 12 + "x.日本語の層" * 4, "A" * 60, (1, 8), params=10**12, macs=10**15),
        ),
        params=10**12,
        macs=10**15,
        neurons=8,
    ),
}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
@pytest.mark.parametrize("unicode", [True, False], ids=["unicode", "ascii"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_no_line_is_wider_than_the_terminal(sample, width, unicode):
    lines = render(SAMPLES[sample], screen=Screen(width, colour=False, unicode=unicode)).splitlines()
    assert [line for line in lines if cell_len(line) > width] == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_pipe_shows_everything_without_colour(sample):
    text = render(SAMPLES[sample])
    assert "…" not in text
    assert "left out" not in text
    assert "\x1b" not in text
    for each in SAMPLES[sample].rows:
        assert each.path in text or sample == "compare"


def test_reasons_that_have_no_column_stand_above_the_table():
    """tiny has 2106 parameters and 51968 MACs, of which block.0 has 36864: 70.9 %."""
    limits = [("max_params", "2K"), ("max_macs", "50K"), ("max_layer_share", "70%")]
    found = with_checks(tiny(), check_budgets(tiny(), [parse_budget(*limit) for limit in limits]))
    assert "no room for" not in render(found, screen=Screen(100, unicode=False))
    narrow = render(found, screen=Screen(70, unicode=False))
    assert "\n\n XX 3 of 3 checks differ.\n   total, block.0: over the budget\n\n layer" in narrow
    assert " no room for why\n XX differs\n" in narrow
    assert "   total, block.0: over the" in render(found, screen=Screen(40, unicode=False))


def test_findings_fit_the_screen_with_the_verdict_and_the_causes_first():
    """Forty claims of 1 parameter are wrong; the first rows are shown, and one line stands for the others."""
    claimed = [Check("params", row.id, 1, 2, "claim", Verdict.DIFFER, hint="a slip") for row in tiny().rows] * 6
    found = with_checks(tiny(), claimed[:40])
    lines = render(found, screen=Screen(70, height=20)).splitlines()
    assert len(lines) + 1 <= 20
    assert lines[2:4] == [" ✗ 40 of 40 checks differ.", "   (Net), stem, F.relu and 6 more: a slip"]
    (rest,) = [line.split() for line in lines if line.startswith(" … ")]
    shown = sum(line.startswith(" ") and line.split()[-1] == "✗" for line in lines[5:])
    assert rest == ["…", str(40 - (shown - 1)), "more", "✗"]
    assert any("--no-fold shows all 40 findings" in line for line in lines)
    assert "… " not in render(found, screen=Screen(70, height=20), view=View(fold=False))
    assert "… " not in render(found)


def test_a_finding_names_what_it_is_held_against_longer_than_other_things():
    lines = render(check_formulas(doubtful()), screen=Screen(60, unicode=False)).splitlines()
    assert all("formula" in line for line in lines if line.startswith((" conv", " mix")))


def test_columns_that_are_left_out_are_named():
    text = render(tiny(), screen=Screen(50, unicode=False))
    assert " no room for share\n" in text
    narrower = render(tiny(), screen=Screen(35, unicode=False))
    assert " no room for kind, output, share\n" in narrower
    assert "13,824" in narrower


@pytest.mark.parametrize("width", [16, 30, 45])
def test_the_fields_of_rf_stay_on_the_narrowest_screen(width):
    field = ReceptiveField((3, 3), (1, 1), (1, 1), Status.EXACT)
    rows = tuple(replace(row, receptive_field=field) for row in tiny().rows)
    lines = render(FieldStudy.of(tiny(), command="rf", rows=rows), screen=Screen(width, unicode=False)).splitlines()
    assert "field" in lines[lines.index("") + 1].split()


def test_a_sentence_does_not_push_the_figures_away():
    lines = {line.split()[0]: line for line in render(doubtful()).splitlines() if line}
    # the longest figure is that of memory, though `verified` is longer; a gap of 2 follows it
    text = re.match(r" memory +", lines["memory"]).end()
    beside = text + len(re.match(r".*?\(Keras style\)", lines["memory"][text:])[0]) + 2
    assert lines["MACs"].index("≥32,072 FLOPs") == beside
    assert lines["verified"].endswith("MACs 1)  1 differ, 1 unknown, 1 not counted")


def test_the_verdict_is_never_left_out():
    lines = render(tiny(), screen=Screen(40)).splitlines()
    assert sum(line.endswith("✓") for line in lines) == 7 + len(["the heading"])


def test_colours_do_not_change_the_text():
    plain = render(doubtful(), screen=Screen(120, colour=False))
    assert ESCAPE.sub("", render(doubtful(), screen=Screen(120, colour=True))) == plain


def test_only_verdicts_are_green_or_red():
    text = render(tiny(), screen=Screen(120, colour=True))
    assert set(re.findall(r"\x1b\[32m([^\x1b]*)", text)) == {"✓"}
    assert "\x1b[1;31m" not in text
    assert "\x1b[1;31m✗" in render(doubtful(), screen=Screen(120, colour=True))


def test_numbers_are_right_aligned_below_their_heading():
    lines = render(tiny()).splitlines()
    end = lines[2].index("params") + len("params")
    assert [line[:end].split()[-1] for line in lines[3:10]] == ["224", "·", "592", "576", "16", "·", "1,290"]


def test_wide_characters_do_not_shift_columns():
    lines = render(doubtful()).splitlines()
    starts = {
        cell_len(line[: line.index(kind)]) for line in lines for kind in ("Conv2d", "LSTM", "Linear") if kind in line
    }
    assert len(starts) == 1


def test_a_plain_ascii_terminal_gets_ascii_only():
    text = render(tiny(), screen=Screen(100, unicode=False))
    assert text.isascii()


def test_asked_columns_come_in_the_order_asked():
    lines = render(tiny(), view=View(columns=("macs", "layer"))).splitlines()
    assert lines[2].split() == ["MACs", "layer"]
    assert lines[3].split() == ["13,824", "stem"]


def test_a_report_prints_as_its_table():
    assert str(tiny()) == render(tiny()).rstrip("\n")
    assert repr(tiny()) == "<Report of tiny (zoo): 2,106 params, 51,968 MACs, match>"
