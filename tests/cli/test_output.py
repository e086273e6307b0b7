"""Where the report goes, and what goes with it."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cnninspect.cli import reports
from cnninspect.cli.options import OutputOptions
from cnninspect.errors import OutputError
from cnninspect.render import Format
from cnninspect.report.selection import View
from tests.cli.conftest import INPUT, NETS
from tests.render.samples import tiny


def options(path, fmt=Format.JSON):
    return OutputOptions(output=str(path), format=fmt)


def test_only_the_report_is_on_stdout(cli):
    result = cli("summary", "net:Chatty", *INPUT, "--format", "json")
    document = json.loads(result.out)
    # 8*8*8 * 27 + 80 = 13904; 224 + 90 = 314
    assert document["totals"]["macs"]["value"] == 13904
    assert document["totals"]["params"]["value"] == 314
    assert "a word from the model" in result.err
    assert "cnninspect: note: UserWarning: take care\n" in result.err


@pytest.mark.parametrize("arguments", [("-q", "summary"), ("summary", "-q")], ids=["before", "after"])
def test_quiet_silences_everything_but_errors(cli, arguments):
    result = cli(*arguments, "net:Chatty", *INPUT)
    assert (result.code, result.err) == (0, "")
    assert "13,904" in result.out


def test_a_file_gets_the_report_and_stdout_nothing(cli, tmp_path):
    path = tmp_path / "report.json"
    result = cli("summary", "net:Net", *INPUT, "--format", "json", "-o", str(path))
    assert (result.code, result.out) == (0, "")
    assert json.loads(path.read_text())["target"]["name"] == "Net"


ENDINGS = [
    # the file, other arguments, how the report begins
    ("report.json", [], "{"),
    ("report.JSON", [], "{"),
    ("report.csv", [], "path,call,kind,depth,leaf,functional,"),
    ("report.md", [], "### "),
    ("report.html", [], "<!DOCTYPE html>"),
    ("report.xml", [], "<?xml "),
    ("report.txt", [], "Net "),
    ("report", [], "Net "),
    ("report.json", ["--format", "csv"], "path,call,kind,depth,leaf,functional,"),
    ("report.json", ["--format", "table"], "Net "),
]


@pytest.mark.parametrize(
    ("name", "arguments", "begins"), ENDINGS, ids=[" ".join((name, *rest)) for name, rest, _ in ENDINGS]
)
def test_without_a_format_the_file_says_which(cli, tmp_path, name, arguments, begins):
    path = tmp_path / name
    assert cli("summary", "net:Net", *INPUT, "-o", str(path), *arguments).code == 0
    assert path.read_text(encoding="utf-8").removeprefix(f"{NETS}:").startswith(begins)


def test_an_ending_that_no_format_has_is_an_error_unless_a_format_is_given(cli, tmp_path):
    path = tmp_path / "report.pdf"
    result = cli("summary", "net:Net", *INPUT, "-o", str(path))
    assert (result.code, path.exists()) == (2, False)
    assert "no format has the ending .pdf. Name it *.txt, *.json, *.csv," in result.err
    assert cli("summary", "net:Net", *INPUT, "-o", str(path), "--format", "csv").code == 0


def test_a_format_of_the_configuration_is_asked_for(cli, project):
    folder = project('[tool.cnninspect]\nformat = "csv"\n')
    assert cli("summary", "net:Net", *INPUT, "-o", "report.json").code == 0
    assert (folder / "report.json").read_text().startswith("path,call,kind,depth,leaf,functional,")


def test_a_table_in_a_file_is_plain_and_whole(tmp_path):
    path = tmp_path / "table.txt"
    reports.write(tiny(), options(path, Format.TABLE), View())
    text = path.read_text(encoding="utf-8")
    assert "✓" in text
    assert "\x1b" not in text
    assert "block.0" in text


def test_a_file_is_replaced_in_one_step_and_keeps_its_mode(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    reports.write(tiny(), options(path), View())
    assert json.loads(path.read_text())["command"] == "summary"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "report.json", tmp_path / "latest.json"
    path.write_text("old")
    link.symlink_to(path)
    reports.write(tiny(), options(link), View())
    assert link.is_symlink()
    assert json.loads(path.read_text())["command"] == "summary"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"cannot write .*report\.json: no space left on device\."):
        reports.write(tiny(), options(path), View())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_device_is_written_to_and_not_replaced():
    reports.write(tiny(), options(os.devnull), View())
    assert not os.path.isfile(os.devnull)


def test_a_named_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reader = pool.submit(pipe.read_text)
        reports.write(tiny(), options(pipe), View())
        assert json.loads(reader.result())["command"] == "summary"
    assert pipe.is_fifo()


def test_closed_stdout(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    result = cli("summary", "net:Net", *INPUT)
    assert (result.code, result.err) == (
        2,
        "cnninspect: cannot write to stdout: it is closed. Write to a file with -o FILE.\n",
    )


def test_closed_stderr(cli, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    result = cli("summary", "net:Chatty", *INPUT)
    assert result.code == 0
    assert "13,904" in result.out


REPORT = "import sys; from cnninspect.cli.reports import to_stdout; to_stdout('✓ ' * 200000); sys.exit(1)"


def test_a_reader_that_has_seen_enough_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", REPORT], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_characters_that_stdout_cannot_show_are_escaped():
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "from cnninspect.cli.reports import to_stdout; to_stdout('層 ✓')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "\\u5c64 \\u2713"


FULL = """
import io, sys
from cnninspect.cli.reports import to_stdout
from cnninspect.errors import OutputError
class Full(io.StringIO):
    encoding = "utf-8"
    def write(self, text): raise OSError(28, "No space left on device")
    def fileno(self): return 1
sys.stdout = Full()
try: to_stdout("x")
except OutputError as error: sys.stderr.write(str(error))
"""


def test_a_full_disk_is_one_sentence():
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    assert done.stderr == "cannot write to stdout: no space left on device. Write to a file with -o FILE."


def test_colours_in_a_pipe_only_by_force(cli, monkeypatch):
    command = ("summary", "net:Net", *INPUT)
    assert "\x1b[" not in cli(*command).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in cli(*command).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in cli(*command).out


def test_columns_and_rows_are_chosen(cli):
    result = cli("summary", "net:Net", *INPUT, "--columns", "layer,macs", "--ops", "none", "--format", "csv")
    assert result.out == "layer,macs\nconv1,13824\nfc,80\n"


def test_flops_puts_the_counters_side_by_side(cli):
    result = cli("flops", "net:Net", *INPUT, "--format", "csv", "--columns", "layer,macs,counters,flops")
    assert result.out.splitlines()[:2] == ["layer,macs,macs_torch,flops", "conv1,13824,13824,27648"]


def test_the_module_runs_like_the_command():
    done = subprocess.run([sys.executable, "-m", "cnninspect", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cnninspect ")
    assert NETS.is_file()
