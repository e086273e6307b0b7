"""What GitHub's job page gets besides annotations."""

import pytest

from cnninspect.cli.reports import ROOM, append_step_summary
from tests.cli.conftest import INPUT


@pytest.fixture
def summary(tmp_path, monkeypatch):
    file = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    return file


def test_findings_are_appended_as_markdown(cli, summary):
    summary.write_text("from the step before\n")
    result = cli("compare", "net:Planted", *INPUT, "--format", "github")
    assert result.code == 1
    assert result.out.startswith("::error title=")
    text = summary.read_text()
    assert text.startswith("from the step before\n### ")
    # The declared stride 1 gives 4 * 8*8 * 27 = 6912 MACs, the stride 2 that runs 4 * 4*4 * 27 = 1728.
    assert "| 6,912 | formula | 1,728 | torch | ✗ |" in text


def test_another_format_leaves_it_alone(cli, summary):
    assert cli("compare", "net:Net", *INPUT).code == 0
    assert not summary.exists()


def test_without_the_variable_there_is_nothing_to_do(cli, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert cli("compare", "net:Net", *INPUT, "--format", "github").out.startswith("Net: ")


def test_a_summary_that_cannot_be_written_is_said(cli, summary):
    summary.mkdir()
    result = cli("compare", "net:Net", *INPUT, "--format", "github")
    assert result.code == 2
    assert "GITHUB_STEP_SUMMARY names: is a directory." in result.err


@pytest.mark.parametrize("before", [0, ROOM - 1000, ROOM - 10, ROOM], ids=["empty", "little room", "no room", "full"])
def test_it_stays_within_what_github_shows(summary, before):
    summary.write_text("x" * before)
    append_step_summary("| a row |\n" * 200_000)
    text = summary.read_text()
    assert len(text) <= ROOM
    rest = text[before:]
    assert not rest or (rest.endswith("has everything.\n") and rest.startswith("| a row |\n"))


def test_what_fits_is_whole(summary):
    append_step_summary("one\n")
    append_step_summary("two\n")
    assert summary.read_text() == "one\n\ntwo\n\n"
