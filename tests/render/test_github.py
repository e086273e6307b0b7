"""GitHub's workflow commands, read back as its runner reads them."""

from dataclasses import replace

import pytest

from cnninspect.checks import check_formulas, with_checks
from cnninspect.checks.baseline import check_baseline
from cnninspect.render import render
from cnninspect.report.quantities import Unit, Verdict
from cnninspect.report.rows import Check, RowId
from tests.render.reading import annotations
from tests.render.samples import agreed, doubtful, tiny


def annotated(report):
    """The report's annotations; the last line is none."""
    *lines, closing = render(report, "github").splitlines()
    assert not closing.startswith("::")
    return annotations(lines)


def test_one_annotation_per_layer_with_all_its_findings():
    assert annotated(check_formulas(doubtful())) == [
        (
            "error",
            {"title": "tiny: output shape, MACs of conv", "file": "nets.py", "line": "41"},
            "conv (Conv2d), output shape: formula 1x8x8x8, hooks 1x8x4x4.\n"
            "conv (Conv2d), MACs: formula 13,824, torch 3,456.",
        ),
        (
            "warning",
            {"title": "tiny: output shape, MACs of mix"},
            "mix (torch.fft.rfft2), output shape: formula unknown, hooks 1x8x4x3.\n"
            "mix (torch.fft.rfft2), MACs: formula unknown, torch 0.",
        ),
    ]


def test_the_last_line_is_the_sum():
    assert render(check_formulas(doubtful()), "github").splitlines()[-1].startswith("tiny: 27 checks: 22 match")


def test_a_summary_is_checked_for_it():
    assert render(doubtful(), "github") == render(check_formulas(doubtful()), "github")


def test_totals_come_first_because_github_shows_only_ten():
    heavier = replace(tiny(), totals={**tiny().totals, "params": agreed(2107, Unit.PARAMS, "storage")})
    wider = agreed(225, Unit.PARAMS, "storage")
    rows = tuple(replace(row, params=wider) if row.path == "stem" else row for row in heavier.rows)
    changed = replace(heavier, rows=rows)
    found = annotated(with_checks(changed, check_baseline(changed, tiny())))
    assert [message.split(",")[0] for _, _, message in found] == ["total", "stem (Conv2d)"]


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("claims.csv, line 3", {"file": "claims.csv", "line": "3"}),
        ("a, line 2.csv, line 3", {"file": "a, line 2.csv", "line": "3"}),
        ("claims.json, entry 2", {"file": "claims.json"}),
    ],
)
def test_a_claim_stands_in_its_own_file(where, place):
    claim = Check("params", RowId("stem", "Conv2d"), 225, 224, "claim", Verdict.DIFFER, where=where)
    ((_, properties, _),) = annotated(with_checks(tiny(), [claim]))
    assert {name: text for name, text in properties.items() if name != "title"} == place


def test_what_would_end_a_property_or_a_command_is_escaped():
    sample = doubtful()
    rows = tuple(replace(row, path="a%b,c\n::error::d") if row.path == "conv" else row for row in sample.rows)
    (level, properties, message), *_ = annotated(replace(sample, rows=rows))
    assert (level, properties["title"]) == ("error", "tiny: output shape, MACs of a%b,c\n::error::d")
    assert message.startswith("a%b,c\n::error::d (Conv2d), output shape: ")


WORKSPACES = [
    # what GITHUB_WORKSPACE is, from the working directory; the file of a finding in nets.py here
    (None, "nets.py"),
    (".", "nets.py"),
    ("..", "models/nets.py"),
    ("../elsewhere", "nets.py"),
]


@pytest.mark.parametrize(("workspace", "file"), WORKSPACES, ids=["unset", "here", "above", "elsewhere"])
def test_files_are_named_as_the_repository_does(tmp_path, monkeypatch, workspace, file):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if workspace is not None:
        monkeypatch.setenv("GITHUB_WORKSPACE", str((folder / workspace).resolve()))
    assert annotated(doubtful())[0][1]["file"] == file
