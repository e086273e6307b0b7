"""`sweep`: a row a model, the same numbers as `summary`; failures, resuming, conditions, interruptions.

`python -m pytest -m sweep tests/cli/test_sweep.py` also kills a sweep at 20 random moments, holds 50 models of
torchvision and timm against single runs, and runs on a Dask and on a Ray cluster of its own (extras `dask` and `ray`).
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cnninspect.cli.options import RunOptions
from cnninspect.cli.sweep import process, run
from cnninspect.cli.sweep.condition import parse_where, sorted_rows
from cnninspect.cli.sweep.plan import options_text, versions_text
from cnninspect.cli.sweep.rows_file import RowsFile
from cnninspect.errors import UsageError
from cnninspect.render.page import Screen
from cnninspect.render.scatter import points
from cnninspect.render.swept import Layout
from cnninspect.report.swept import COLUMNS, SweptModel

ZOO = ["zoo:conv-5x5", "zoo:conv-transpose", "zoo:lenet5", "zoo:unet-small"]
AT = ("--input", "1x3x8x8")


@pytest.fixture(autouse=True, scope="module")
def one_process_for_all():
    """The processes that inspect are ended after all tests and not after each sweep: torch is imported once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "end_all", lambda: None)
        yield
    process.end_all()


NETS = """
import os, time
import torch
from torch import nn

def small(width=8): return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())
def build_all(width=4): return {"small": small, "wide": nn.Conv2d(3, width, 5), "text": "no model", "of x": torch.relu}
LIST = [small, nn.Conv2d(3, 2, 1)]
class Noisy(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 2, 1)
        print("noise")
        os.write(1, b"noise of C\\n")
class Slow(nn.ReLU):
    def forward(self, x): time.sleep(60)
class Crash(nn.ReLU):
    def forward(self, x): os._exit(7)
class Wrong(nn.ReLU):
    def forward(self, x): raise ValueError("first line\\nsecond line")
EMPTY = []
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A working directory with nets.py."""
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(text):
    """The rows of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def timeless(rows):
    """The rows without their times, which differ from run to run."""
    return [{**row, "seconds": None} for row in rows]


def expected(document):
    """The row that the JSON of `summary` asks for."""
    totals, target = document["totals"], document["target"]
    field = totals["receptive_field"]
    whole = field["size"] is None and field["status"] == "exact"
    return {
        "target": target["spec"], "provider": target["provider"], "verdict": document["verdict"], "error": None,
        "input": " ".join("x".join(map(str, each["shape"])) for each in document["run"]["inputs"]),
        "params": totals["params"]["value"], "macs": totals["macs"]["value"],
        "activations": totals["neurons"]["value"], "peak_memory": totals["peak_memory"]["value"],
        "field": "global" if whole else field["size"], "global": (field["global"] or {}).get("cause"),
    }  # fmt: skip


def test_a_row_is_what_summary_says(cli):
    rows = lines(cli("-q", "sweep", *ZOO, "-f", "jsonl").out)
    single = [expected(json.loads(cli("-q", "summary", name, "-f", "json").out)) for name in ZOO]
    assert [{name: row[name] for name in one} for row, one in zip(rows, single, strict=True)] == single
    # LeNet-5 by hand: tests/zoo/worked derives 61,706 params and 416,520 MACs.
    assert [(row["params"], row["macs"]) for row in rows if row["target"] == "zoo:lenet5"] == [(61706, 416520)]


def test_options_are_those_of_summary(cli):
    (row,) = lines(cli("-q", "sweep", "lenet5", "--batch-size", "3", "--dtype", "float64", "-f", "jsonl").out)
    assert (row["macs"], row["input"]) == (3 * 416520, "3x1x32x32:float64")
    assert row["options"] == "--batch-size 3 --dtype float64"


def test_what_is_incomplete_says_so(cli):
    """No formula gives the MACs of a Fourier transform: what is known of them is no number of the row."""
    result = cli("-q", "sweep", "net:Fourier", *AT, "-f", "jsonl", "--strict")
    (row,) = lines(result.out)
    assert (result.code, row["verdict"]) == (4, "unknown")
    assert row["bounds"].items() >= {"macs": "lower_bound"}.items()
    assert cli("-q", "sweep", "net:Fourier", *AT, "-f", "jsonl").code == 0


def test_every_format_holds_the_same(cli, tmp_path):
    command = ("-q", "sweep", "zoo:conv-[5s]*")
    for ending in ("jsonl", "csv", "parquet", "txt"):
        assert cli(*command, "-o", str(tmp_path / f"rows.{ending}")).code == 0
    of_json = RowsFile(tmp_path / "rows.jsonl", "jsonl").kept()
    for form in ("csv", "parquet"):
        found = RowsFile(tmp_path / f"rows.{form}", form).kept()
        # A field of CSV does not say how many axes have the same size.
        assert [(row.macs, row.peak_memory, row.cause, row.versions) for row in found] == [
            (row.macs, row.peak_memory, row.cause, row.versions) for row in of_json
        ]
    written = (tmp_path / "rows.csv").read_text().splitlines()
    assert written[0] == ",".join(COLUMNS)
    # 5*5 taps at 32x32 positions; a field of 5 pixels.
    assert written[1].startswith("zoo:conv-5x5,zoo,1x1x32x32,25,25600,1024,8292,5,,match,")
    table = (tmp_path / "rows.txt").read_text()
    assert all(row.target in table for row in of_json)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".rows.jsonl")] == []


def test_failures_are_rows(cli, nets):
    names = [f"nets.py:{name}" for name in ("Crash", "Noisy", "Slow", "Wrong", "small")]
    result = cli("sweep", *names, *AT, "--timeout", "3", "-f", "jsonl")
    rows = {row["target"].partition(":")[2]: row for row in lines(result.out)}
    assert result.code == 3
    assert "3 of 5 models failed: nets.py:Crash, nets.py:Slow, nets.py:Wrong." in result.err
    assert rows["Crash"]["error"] == "its process ended with the code 7"
    assert rows["Slow"]["error"] == "it took longer than 3 s. --timeout gives it more."
    assert "`Wrong` (nets.py:19): ValueError: first line (input 1x3x8x8)" in rows["Wrong"]["error"]
    assert rows["Crash"]["macs"] is None
    # 3*2 + 2; 3*3*3*8 + 8
    assert [(rows[name]["params"], rows[name]["error"]) for name in ("Noisy", "small")] == [(8, None), (224, None)]


def test_a_function_may_return_many(cli, nets):
    found = lines(cli("-q", "sweep", "nets.py:build_all", "nets:LIST", "nets.py:small", *AT, "-f", "jsonl").out)
    # 3*5*5*4 + 4 params; 3*2 + 2
    assert [(row["target"], row["params"]) for row in found] == [
        ("nets.py:build_all[small]", 224), ("nets.py:build_all[wide]", 304), ("nets.py:build_all[text]", None),
        ("nets.py:build_all[of x]", 0), ("nets:LIST[0]", 224), ("nets:LIST[1]", 8), ("nets.py:small", 224),
    ]  # fmt: skip
    assert "build_all[text] returned str" in found[2]["error"]
    assert "build_all[of x]" in found[3]["target"]
    (wider,) = lines(cli("-q", "sweep", "nets.py:build_all[wide]", *AT, "--arg", "width=8", "-f", "jsonl").out)
    single = json.loads(cli("-q", "summary", "nets.py:build_all[wide]", *AT, "--arg", "width=8", "-f", "json").out)
    assert wider["params"] == single["totals"]["params"]["value"] == 3 * 5 * 5 * 8 + 8
    assert "has no model 'smal'. Nearest: small." in cli("summary", "nets.py:build_all[smal]", *AT).err


def test_resume_keeps_what_is_still_true(cli, nets):
    command = ("sweep", "nets.py:small", "zoo:upsample-nearest", "nets.py:Wrong", *AT, "-o", "rows.csv")
    assert cli(*command).code == 3
    first = RowsFile(nets / "rows.csv", "csv").kept()
    assert "all 3 models were in the file" in cli(*command, "--resume").err
    assert RowsFile(nets / "rows.csv", "csv").kept() == first
    assert "1 model in" in cli(*command, "--resume", "--retry").err
    # Other code, another version, other options: inspected again.
    (nets / "nets.py").write_text(NETS.replace("width=8", "width=9"), encoding="utf-8")
    assert "1 were in the file" in cli(*command, "--resume").err
    assert RowsFile(nets / "rows.csv", "csv").kept()[0].params == 3 * 3 * 3 * 9 + 9
    text = (nets / "rows.csv").read_text()
    (nets / "rows.csv").write_text(text.replace("torch 2", "torch 1"))
    assert "3 models in" in cli(*command, "--resume").err
    assert (nets / "rows.csv").read_text().count("torch 1") == 0
    assert "3 models in" in cli(*command, "--resume", "--train").err
    # Rows of other models stay.
    assert cli("-q", "sweep", "zoo:lenet5", "-o", "rows.csv", "--resume").code == 0
    assert [row.target for row in RowsFile(nets / "rows.csv", "csv").kept()] == [
        "nets.py:small", "zoo:upsample-nearest", "nets.py:Wrong", "zoo:lenet5",
    ]  # fmt: skip


ROW = SweptModel(
    "timm:a", "timm", "1x3x224x224", 25_557_032, 4_089_184_256, 11_115_560, 128 * 2**20, (435, (188, 204)), "fc",
    "match", 1.25, None, {"macs": "lower_bound"}, "--arg 'a=\"b, c\"'", "cnninspect 0.1.0, torch 2",
)  # fmt: skip
ROWS = [ROW, SweptModel("timm:é", error='no, it\'s "broken"', seconds=0.5), replace(ROW, target="c", extent="global")]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_rows_are_read_as_they_were_written(tmp_path, form):
    file = RowsFile(tmp_path / f"rows.{form}", form)
    file.begin(ROWS[:1])
    for row in ROWS[1:]:
        file.add(row)
    assert RowsFile(file.path, form).kept() == ROWS  # as after SIGKILL
    file.finish(ROWS[::-1])
    assert file.kept() == ROWS[::-1]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_torn_line_is_known_at_every_place(tmp_path, form):
    file = RowsFile(tmp_path / f"rows.{form}", form)
    file.begin(ROWS)
    file.close()
    whole = file.lines.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    head = 1 if form == "csv" else 0
    for cut in (*range(0, ends[-2] - 1, 97), *range(ends[-2] - 1, len(whole) + 1)):
        file.lines.write_bytes(whole[:cut])
        assert file.kept() == ROWS[: max(0, sum(end <= cut for end in ends) - head)], cut


def test_a_file_that_is_no_sweep_is_left_alone(cli, tmp_path):
    for name, text in (("a.csv", "layer,params\nconv,3\n"), ("a.jsonl", '{"a": 1}\n'), ("a.parquet", "text")):
        (tmp_path / name).write_text(text)
        result = cli("sweep", "zoo:conv-5x5", "-o", str(tmp_path / name), "--resume")
        assert (result.code, (tmp_path / name).read_text()) == (2, text)
        assert name in result.err


CONDITIONS = [
    ("macs > 4G", True),  # at least 4,089,184,256
    ("macs < 4G", False), ("macs < 5G", None), ("macs = 4089184256", None), ("macs != 1K", True), ("macs != 5G", None),
    ("params < 25.6M and params >= 25557032", True), ("params == 25557032", True), ("not params > 1", False),
    ("field > 187", True), ("field > 188", False), ("field <= 435", True), ("field < 435", False),
    ("peak_memory <= 128MiB", True), ("peak_memory < 128MB", False), ("seconds > 1.2", True), ("seconds < 1e0", False),
    ("provider = timm and target = 'timm:*'", True), ("target != timm:b", True), ("error = ''", True),
    ("macs < 5G or params > 1", True), ("macs < 5G and params > 1", None), ("macs < 5G AND params < 1", False),
    ("(params < 1 or verdict = match) and global = fc", True), ("params<1 or params>2", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer"), CONDITIONS, ids=[text for text, _ in CONDITIONS])
def test_conditions(text, answer):
    assert parse_where(text)(ROW) is answer


def test_conditions_on_what_is_unknown_or_global():
    assert parse_where("field > 10G")(ROWS[2]) is True
    assert parse_where("field = global")(ROWS[2]) is True
    assert parse_where("field < 10G")(ROWS[2]) is False
    assert parse_where("macs > 1")(ROWS[1]) is None
    assert parse_where("not field > 1")(ROWS[1]) is None


WRONG_CONDITIONS = [
    ("mac > 1", "there is no column 'mac'. Nearest: macs."), ("macs >", "a value after macs > is missing"),
    ("macs 3", "after macs there is '3'"), ("macs < 1X", "macs <: '1X' is not a size"), ("", "a column is missing"),
    ("verdict > match", "verdict is a text"), ("(macs > 1", "parenthesis is not closed"),
    ("macs > 1 2", "'2' is too much"), ("macs > 1 and", "a column is missing"),
    ("peak_memory < 3M", "'3M' is not a size"), ("error = 'a", "cannot be read from"),
    ("__class__ = 1", "there is no column '__class__'"), ("seconds > x", "no number of seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), WRONG_CONDITIONS, ids=[text for text, _ in WRONG_CONDITIONS])
def test_wrong_conditions(text, words):
    with pytest.raises(UsageError) as caught:
        parse_where(text)
    assert words in str(caught.value)


def test_sorting():
    a, b, c = (SweptModel(name, macs=macs) for name, macs in (("a", 5), ("b", None), ("c", 7)))
    assert sorted_rows([a, b, c], "macs") == [c, a, b]
    assert sorted_rows([a, b, c], "-macs") == [a, c, b]
    assert sorted_rows([c, a, b], "target") == [a, b, c]


def test_where_and_sort_choose_rows(cli, tmp_path):
    result = cli("-q", "sweep", *ZOO, "--where", "macs > 1M", "--sort", "macs", "-f", "csv")
    macs = [int(row["macs"]) for row in csv.DictReader(io.StringIO(result.out))]
    assert macs == sorted(macs, reverse=True)
    assert min(macs) > 10**6
    assert "zoo:conv-5x5" not in result.out
    result = cli("sweep", "zoo:conv-5x5", "--where", "macs > 1M")
    assert "no row fits --where" in result.err
    file = tmp_path / "rows.csv"
    assert cli("-q", "sweep", *ZOO, "--sort=-params", "-o", str(file)).code == 0
    params = [row.params for row in RowsFile(file, "csv").kept()]
    assert params == sorted(params)


WRONG = [
    (["zoo:lenet6"], 2, "Nearest: zoo:lenet5"), (["zoo:foo*"], 2, "no model matches 'zoo:foo*'"),
    (["nets.py:EMPTY"], 2, "holds no model"), (["nets.py:Smal"], 2, "Nearest: small"), ([], 2, "PATTERN|TARGET"),
    (["lenet5", "--resume"], 2, "-o FILE.csv"), (["lenet5", "--resume", "-o", "a.txt"], 2, "-o FILE.csv"),
    (["lenet5", "--retry"], 2, "give --resume, too"), (["lenet5", "-o", "a.json"], 2, "no format for the ending .json"),
    (["lenet5", "-f", "json"], 2, "table, csv, jsonl, parquet"), (["lenet5", "-f", "parquet"], 2, "-o FILE.parquet"),
    (["lenet5", "--sort", "mac"], 2, "--sort: there is no column 'mac'. Nearest: macs."),
    (["lenet5", "--where", "mac > 1"], 2, "--where: there is no column 'mac'"),
    (["lenet5", "--jobs", "0"], 2, "a whole number from 1"), (["lenet5", "--timeout", "0"], 2, "--timeout"),
    (["lenet5", "--backend", "dask"], 2, "needs --scheduler ADDRESS"), (["lenet5", "--scheduler", "x"], 2, "--backend"),
    (["lenet5", "--device", "gpu"], 2, "no device is called 'gpu'"), (["lenet5", "--dtype", "x"], 2, "no dtype 'x'"),
    (["lenet5", "--plot", "mac", "params", "a.svg"], 2, "--plot: there is no column 'mac'. Nearest: macs."),
    (["lenet5", "--plot", "macs", "params", "a.png"], 2, "must end in .svg or .html"),
    (["lenet5", "--plot", "macs", "params"], 2, "--plot"),
    (["lenet5", "--arg", "x=1"], 2, "takes no --arg x"), (["lenet5", "-o", "no/a.csv"], 2, "no directory"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=[" ".join(each[0]) for each in WRONG])
def test_wrong_uses(cli, nets, arguments, code, words):
    result = cli("sweep", *arguments)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("options", "module"),
    [
        (["--jobs", "2"], "joblib"),
        (["-o", "a.parquet"], "pyarrow"),
        (["--backend", "dask", "--scheduler", "x"], "dask[distributed]"),
        (["--backend", "ray", "--scheduler", "x"], "ray"),
    ],
)
def test_a_missing_extra_is_named(cli, nets, monkeypatch, options, module):
    found = {"joblib", "distributed", "ray", "pyarrow"} - {"dask[distributed]" and module}
    spec = lambda name: object() if name in found and name != {"dask[distributed]": "distributed"}.get(module) else None  # noqa: E731
    monkeypatch.setattr("cnninspect.cli.sweep.workers.find_spec", spec)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    result = cli("sweep", "lenet5", *options)
    assert (result.code, result.out) == (2, "")
    assert f"python -m pip install {module}" in result.err.replace("'", "")


def test_several_jobs_give_the_same_rows(cli, tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert cli("-q", "sweep", *ZOO, "-o", str(one)).code == 0
    assert cli("-q", "sweep", *ZOO, "-o", str(two), "--jobs", "2").code == 0
    assert timeless(lines(two.read_text())) == timeless(lines(one.read_text()))


def test_options_and_versions_of_a_row(nets, monkeypatch):
    assert options_text(RunOptions()) == ""
    some = RunOptions(arg=["a='x y'"], batch_size=2, train=True, probe=False)
    assert options_text(some) == "--arg 'a='\"'\"'x y'\"'\"'' --batch-size 2 --train --no-probe"
    assert "timm " in versions_text("timm:resnet18", "timm", RunOptions())
    assert "code " not in versions_text("timm:resnet18", "timm", RunOptions())
    assert "code " in versions_text("timm:resnet18", "timm", RunOptions(inputs_from="nets.py:small"))
    before = versions_text("nets.py:small", "file", RunOptions())
    assert versions_text("nets.py:small", "file", RunOptions()) == before


@pytest.mark.parametrize("width", [80, 140, None])
def test_the_table_fits_and_keeps_names_and_macs(width):
    names = ["torchvision:wide_resnet101_2", "timm:vit_base_patch16_224", "zoo:lenet5"]
    layout = Layout(names, Screen(width=width))
    rows = [replace(ROW, target=name) for name in names]
    text = layout.heading() + "".join(map(layout.line, rows)) + layout.line(replace(ROWS[1], target=names[0]))
    assert width is None or max(map(len, text.splitlines())) <= width
    assert text.count("≥4") == 3
    assert "broken" in text
    if width is None:
        assert len(text.splitlines()) == 5
        assert "4,089,184,256" in text


def test_the_screen_of_the_docs(cli):
    page = (Path(__file__).parent.parent.parent / "docs" / "sweep.md").read_text(encoding="utf-8")
    line, screen = re.search(r"^\$ cnninspect ([^\n]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL).groups()
    shown, printed = (
        re.sub(r"\d+\.\d\d$", "TIME", text, flags=re.MULTILINE) for text in (screen, cli(*shlex.split(line)).out)
    )
    assert shown == printed


def started(folder, *arguments):
    """A sweep in a process of its own, which no other test waits for."""
    command = [sys.executable, "-m", "cnninspect", "sweep", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(holds, seconds=120):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def alive(folder):
    """The sweeps and their processes whose working directory is the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            is_ours = b"cli.sweep.serve" in command or b"cnninspect\0sweep" in command
            if os.readlink(f"/proc/{pid}/cwd") == str(folder) and is_ours:
                found.append(int(pid))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_an_interruption_keeps_the_rows_and_leaves_no_process(cli, tmp_path):
    file = tmp_path / "rows.csv"
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    names = ("zoo:conv-5x5", "zoo:conv-stack", "nets.py:Slow")
    sweep = started(tmp_path, *names, "-o", "rows.csv")
    until(lambda: file.exists() and file.read_text().count("\n") == 3)
    sweep.send_signal(signal.SIGINT)
    _, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "rows.csv has the rows of 2 of 3 models. The same command with --resume goes on." in err
    assert "Traceback" not in err
    until(lambda: not alive(tmp_path), 20)
    kept = RowsFile(file, "csv").kept()
    result = cli("sweep", *names[:2], "-o", str(file), "--resume")
    assert (result.code, RowsFile(file, "csv").kept()) == (0, kept)


@pytest.mark.sweep
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_killed_at_random_moments_it_ends_with_the_same_rows(tmp_path, form):
    """20 times SIGKILL, while torch is imported, between rows and in the middle of a model."""
    draw = random.Random(form)
    command = ["zoo:*", "-o", f"rows.{form}", "--resume"]
    for _ in range(20):
        sweep = started(tmp_path, *command)
        with contextlib.suppress(subprocess.TimeoutExpired):
            sweep.wait(draw.uniform(1.0, 9.0))
        sweep.kill()
        sweep.communicate()
    last = started(tmp_path, *command)
    last.communicate()
    assert last.returncode == 0
    whole = started(tmp_path, "zoo:*", "-o", f"whole.{form}")
    whole.communicate()
    rows, uninterrupted = (RowsFile(tmp_path / f"{name}.{form}", form).kept() for name in ("rows", "whole"))
    assert [replace(row, seconds=None) for row in rows] == [replace(row, seconds=None) for row in uninterrupted]


@pytest.mark.sweep
@pytest.mark.parametrize("provider", ["timm", "torchvision"])
def test_50_models_are_what_single_runs_say(cli, provider):
    names = sorted(cli("-q", "models", f"{provider}:*").out.split())
    sample = random.Random(16).sample(names, 25)
    for row in lines(cli("-q", "sweep", *sample, "-f", "jsonl").out):
        single = subprocess.run(
            [sys.executable, "-m", "cnninspect", "-q", "summary", row["target"], "-f", "json"],
            capture_output=True,
            check=False,
        )
        if row["error"] is not None:
            assert single.returncode == 3, row
            continue
        one = expected(json.loads(single.stdout))
        assert {name: row[name] for name in one} == one


@pytest.fixture
def dask_address():
    """A Dask cluster of two workers."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def ray_address():
    """A Ray cluster of two processors."""
    pytest.importorskip("ray")
    command = [str(Path(sys.executable).with_name("ray"))]
    port = random.randrange(20_000, 30_000)
    size = ["--num-cpus=2", "--object-store-memory=100000000"]
    options = ["--head", f"--port={port}", *size, "--include-dashboard=false", "--disable-usage-stats"]
    subprocess.run([*command, "start", *options], check=True, capture_output=True)
    yield f"127.0.0.1:{port}"
    subprocess.run([*command, "stop"], check=True, capture_output=True)


@pytest.mark.sweep
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_gives_the_same_rows(request, nets, backend):
    address = request.getfixturevalue(f"{backend}_address")
    names = ["zoo:*", "nets.py:small", "nets.py:Crash", "nets.py:Slow", "--timeout", "15"]
    for file, options in (("here.jsonl", []), ("there.jsonl", ["--backend", backend, "--scheduler", address])):
        sweep = started(nets, *names, "-o", file, *options)
        _, err = sweep.communicate()
        assert sweep.returncode == 3, err
        assert "2 of 30 models failed" in err
    here, there = (timeless(lines((nets / file).read_text())) for file in ("here.jsonl", "there.jsonl"))
    assert there == here
    until(lambda: not alive(nets), 60)


@pytest.mark.sweep
def test_a_cluster_without_workers(cli):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        result = cli("sweep", "lenet5", "--backend", "dask", "--scheduler", cluster.scheduler_address)
    assert result.code == 3
    assert "the dask cluster failed: DaskDistributedBackend has no worker" in result.err


@pytest.mark.sweep
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_no_cluster_answers(cli, backend):
    pytest.importorskip({"dask": "distributed"}.get(backend, backend))
    result = cli("sweep", "lenet5", "--backend", backend, "--scheduler", "127.0.0.1:1")
    assert (result.code, result.out) == (3, "")
    assert f"no {backend} scheduler answers at 127.0.0.1:1" in result.err


@pytest.mark.sweep
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads its memory in /proc")
def test_a_process_that_has_grown_is_replaced(nets):
    """Each model leaves 20 MB behind: after ten of them 15 % of some 250 MB are soon there."""
    (nets / "leak.py").write_text(
        "import sys\nfrom torch import nn\nclass Leak(nn.ReLU):\n    def __init__(self):\n        super().__init__()\n"
        "        sys.__dict__.setdefault('left', []).append(bytearray(20_000_000))\n"
    )
    sweep = process.Inspector()
    pids = []
    for _ in range(20):
        run_options = {"input": ["1x3x8x8"]}
        answer = sweep.ask(
            {"target": "leak.py:Leak", "provider": "file", "options": "", "run": run_options, "folder": str(nets)}
        )
        assert answer["row"]["params"] == 0
        pids.append(None if sweep._process is None else sweep._process.pid)
    sweep.end()
    assert pids[0] == pids[8] != pids[-1]
    assert None in pids


NAMED = {"a": (1, 50), "b": (2, 20), "c": (3, 30), "d": (4, 10), "e": (4, 20), "f": (None, 1), "g": (9, 10)}


def named(x="params", y="macs"):
    return [SweptModel(name, **{x: one, y: other}) for name, (one, other) in NAMED.items()]


def test_the_pareto_front():
    """c is undercut by b in both, e by b and d, g by d in one with the same other; f has no place."""
    assert {each.name for each in points(named(), "params", "macs") if each.is_best} == {"a", "b", "d"}
    assert [each.name for each in points(named(), "params", "macs")] == ["a", "b", "c", "d", "e", "g"]
    # A larger field is better: of 1 to 9 params the fields are 50, 20, 30, 10, 20 and 10.
    fields = [replace(row, macs=None, extent=(row.macs, row.macs)) for row in named()]
    assert {each.name for each in points(fields, "params", "field") if each.is_best} == {"a"}
    assert points([SweptModel("x", params=1, extent="global")], "params", "field") == []


def test_a_plot_names_its_points(cli, tmp_path):
    for ending in ("svg", "html"):
        file = tmp_path / f"plot.{ending}"
        assert cli("-q", "sweep", *ZOO, "--plot", "macs", "peak_memory", str(file)).code == 0
        text = file.read_text(encoding="utf-8")
        assert all(name.partition(":")[2] in text for name in ZOO)
        # 25,600 MACs and 8,292 bytes: docs/sweep.md says what they are; it has the fewest of both.
        assert "<title>zoo:conv-5x5: 25,600 macs, 8,292 bytes peak_memory</title>" in text
        assert re.findall(r"""(?:href|src)="?https?:""", text) == []
    assert 'class="rows"' in text
    result = cli(
        "sweep", "zoo:conv-5x5", "--where", "macs > 1M", "--plot", "macs", "params", str(tmp_path / "none.svg")
    )
    assert "nothing is plotted" in result.err
    assert not (tmp_path / "none.svg").exists()
