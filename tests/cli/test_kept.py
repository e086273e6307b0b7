"""Reports that are kept between runs: the same bytes without a run, and never anything that may have changed."""

import os
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec

import pytest

from cnninspect import files
from cnninspect.cli import kept as module
from cnninspect.cli.kept import report_key
from cnninspect.cli.options import RunOptions
from cnninspect.files import cache_entries, keep, kept

FORMATS = ("table", "json", "csv", "markdown", "latex", "github", "junit")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def runs(monkeypatch):
    """Counts the inspections."""
    from cnninspect.inspection import pipeline

    made, inspect_model = [], pipeline.inspect_model
    monkeypatch.setattr(pipeline, "inspect_model", lambda *a, **k: [made.append(a), inspect_model(*a, **k)][1])
    return made


@pytest.mark.parametrize(("command", "formats"), [("summary", FORMATS), ("flops", FORMATS[:2])])
def test_every_format_of_a_second_look_is_that_of_a_run(cli, folder, runs, command, formats):
    arguments = [command, "max-unpool"]
    first = cli(*arguments)
    for form in formats:
        assert cli(*arguments, "-f", form) == cli(*arguments, "-f", form, "--no-cache")
    assert cli(*arguments, "-q").err == ""
    assert cli(*arguments) == first
    # The first one, one for each format without the cache, and one for the derivations of the HTML page.
    assert len(runs) == 1 + len(formats) + ("html" in formats)


def test_a_field_whose_size_depends_on_the_position_is_kept(cli, folder, runs):
    first = cli("summary", "unet-small")
    assert "92..100" in first.out
    assert cli("summary", "unet-small") == first
    assert len(runs) == 1


def test_a_second_look_does_not_import_torch(cli, folder):
    first = cli("summary", "torchvision:alexnet", "--train")
    code = "import atexit, sys\natexit.register(lambda: print('torch' in sys.modules))\n"
    code += "from cnninspect.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, "summary", "torchvision:alexnet", "--train"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (first.out + "False\n", first.err)


def test_other_options_are_another_report(cli, folder, runs):
    for arguments in (["--batch-size", "2"], ["--train"], ["--dtype", "float16"], ["--batch-size", "3"], []):
        cli("summary", "conv-5x5", *arguments)
    cli("flops", "conv-5x5")
    cli("flops", "conv-5x5", "--backward")
    assert len(runs) == len(cache_entries()) == 7


NEVER = {
    "a file": ("net:Small", {}),
    "a module": ("tests.data.nets:Small", {}),
    "an archive": ("net.pt2", {}),
    "a folder": (".", {}),
    "a plug-in": ("acme:net", {}),
    "a class of the user": ("small-cnn", {"arg": ["act=my_code:Act"]}),
    "a file of the user": ("small-cnn", {"arg": ["act=my_code.py:Act"]}),
    "inputs of the user": ("small-cnn", {"inputs_from": "inputs.py:make"}),
    "a method": ("small-cnn", {"call": "encode"}),
    "a run on the CPU": ("small-cnn", {"device": "cpu"}),
    "a probe": ("small-cnn", {"probe": True}),
    "a time": ("small-cnn", {"accounts": {"time": True}}),
    "other counters": ("small-cnn", {"accounts": {"counters": "thop"}}),
}


@pytest.mark.parametrize("case", NEVER)
def test_what_is_never_kept(case, monkeypatch):
    target, options = NEVER[case]
    accounts = options.get("accounts", {})
    run = asdict(RunOptions(**{name: value for name, value in options.items() if name != "accounts"}))
    assert report_key(target.replace("net:", "nets.py:"), ["acme"], run, "flops", accounts) is None
    assert report_key("small-cnn", ["acme"], asdict(RunOptions()), "flops", {}) is not None


def test_a_model_that_ran_on_the_cpu_because_of_auto_is_not_kept(cli, folder, monkeypatch):
    # The zoo runs on meta; a report of another device is one that limits of time and memory may have changed.
    monkeypatch.setattr(module, "_is_of_catalogue", lambda report: False)
    cli("summary", "conv-5x5")
    assert cache_entries() == []


@pytest.mark.parametrize("length", [0, 1, 64, 65, 66, -2, -1])
def test_a_damaged_entry_is_made_again(cli, folder, runs, length):
    first = cli("summary", "conv-5x5")
    ((file, _),) = cache_entries()
    whole = file.read_bytes()
    file.write_bytes(whole[:length])
    assert cli("summary", "conv-5x5") == first
    assert len(runs) == 2
    assert file.read_bytes() == whole


def test_a_changed_entry_is_made_again(cli, folder, runs):
    # 75 * 16 + 16 params would be believed if the file had no digest.
    cli("summary", "conv-5x5")
    ((file, _),) = cache_entries()
    file.write_bytes(file.read_bytes().replace(b'"value": 1', b'"value": 2', 1))
    cli("summary", "conv-5x5")
    assert len(runs) == 2


@pytest.mark.parametrize("place", ["a file/below", "/proc/cnninspect", "/dev/null"])
def test_a_folder_that_cannot_be_written_changes_nothing(cli, tmp_path, monkeypatch, place):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("CNNINSPECT_CACHE_DIR", str(tmp_path / place))
    assert cli("summary", "conv-5x5") == cli("summary", "conv-5x5", "--no-cache")
    assert "cannot be written" in cli("cache").out


@pytest.mark.parametrize("changed", ["torch", "torchvision", "timm", "cnninspect"])
def test_another_version_is_another_report(cli, folder, runs, monkeypatch, changed):
    cli("summary", "conv-5x5")
    if changed == "cnninspect":
        monkeypatch.setattr(module, "_own_code", lambda: "another")
    else:
        installed = module._installed
        monkeypatch.setattr(module, "_installed", lambda name: "9.9" if name == changed else installed(name))
    cli("summary", "conv-5x5")
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("name", "instead"),
    [("entry_points", lambda group: [group]), ("_installed", lambda name: "edited")],
    ids=["formulas of a plug-in", "a package that is edited in place"],
)
def test_what_may_change_without_a_version_is_not_kept(cli, folder, monkeypatch, name, instead):
    monkeypatch.setattr(module, name, instead)
    cli("summary", "conv-5x5")
    assert cache_entries() == []


def test_a_package_beside_the_installed_one_is_edited(tmp_path, monkeypatch):
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "__init__.py").touch()
    installed = module._installed("timm")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    assert (installed != "edited", module._installed("timm")) == (True, "edited")


def test_the_oldest_entries_are_removed(folder, monkeypatch):
    # Entries of 1,000 bytes and a little more: three fit into 3,500 bytes.
    monkeypatch.setattr(files, "MOST_KEPT", 3500)
    for index in range(3):
        keep(index, "x" * 1000)
        os.utime(cache_entries()[0][0], (index, index))
    assert kept(0) == "x" * 1000
    keep(3, "y" * 1000)
    assert [kept(index) is not None for index in range(4)] == [True, False, True, True]


TOGETHER = """
import sys
from cnninspect import files
files.MOST_KEPT = 20_000
for turn in range(150):
    files.keep(turn % 7, {"of": turn % 7, "text": sys.argv[1] * 2000})
    found = files.kept((turn * 3) % 7)
    assert found is None or found["of"] == (turn * 3) % 7 and len(set(found["text"])) == 1, found
"""


def test_two_processes_share_the_cache(folder):
    both = [subprocess.Popen([sys.executable, "-c", TOGETHER, letter]) for letter in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert {file.suffix for file in folder.iterdir()} == {".json"}


def test_cache_says_what_is_kept_and_removes_it(cli, folder):
    assert cli("cache").out == f"{folder}: 0 entries, 0.0 MiB of at most 200 MiB\n"
    cli("summary", "conv-5x5")
    assert cli("cache", "info").out.startswith(f"{folder}: 1 entry, 0.")
    assert '"entries": 1' in cli("cache", "info", "-f", "json").out
    assert cli("cache", "clear").out.startswith("removed 1 entry, ")
    assert list(folder.iterdir()) == []
    wrong = cli("cache", "empty")
    assert (wrong.code, wrong.out) == (2, "")
    assert "cnninspect cache clear" in wrong.err


def test_nothing_is_kept_without_a_folder(cli, monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE_DIR", "")
    cli("summary", "conv-5x5")
    assert cli("cache").out == "Nothing is kept: CNNINSPECT_CACHE_DIR is empty.\n"


def test_names_are_listed_once(cli, folder, monkeypatch):
    from cnninspect.targets import providers

    asked, all_names = [], providers.all_names
    monkeypatch.setattr(providers, "all_names", lambda *a: [asked.append(a), all_names(*a)][1])
    first = cli("models", "resnet1")
    assert "torchvision:resnet18" in first.out
    assert cli("models", "resnet1") == first
    assert cli("models", "nothing-like-it") == cli("models", "nothing-like-it", "--no-cache")
    assert len(asked) == 2
    monkeypatch.setattr(module, "entry_points", lambda group: ["a plug-in"] if group == "cnninspect.models" else [])
    assert cli("models", "resnet1") == first
    assert len(asked) == 3


@pytest.mark.parametrize(
    "target", ["resnet81", "timm:vit_tinny", "torchvision:alexnett", "nets", "lenet-5.x", "Lenet5"]
)
def test_an_unknown_name_has_the_same_advice_from_the_kept_list(cli, folder, tmp_path, monkeypatch, target):
    (tmp_path / "nets.py").write_text("class Net: pass\n")
    monkeypatch.chdir(tmp_path)
    cli("models")
    assert cli("summary", target) == cli("summary", target, "--no-cache")


def test_an_unknown_name_needs_no_torch(cli, folder, runs):
    cli("models")
    assert "Nearest: torchvision:resnet18" in cli("summary", "resnet81").err
    assert runs == []
    assert cli("summary", "timm:test_vit.r160_in1k").code == 0
    assert len(runs) == 1


def test_optional_packages_are_found_by_the_names_that_pip_knows(monkeypatch):
    """open_clip is installed as open_clip_torch: under its own name it would count as edited, and nothing be kept."""
    asked, timm = [], module.distribution("timm")
    found = find_spec("timm")
    monkeypatch.setattr(module, "find_spec", lambda name: found)
    monkeypatch.setattr(module, "distribution", lambda name: asked.append(name) or timm)
    module.versions_key()
    names = {"transformers", "diffusers", "segmentation-models-pytorch", "open_clip_torch", "monai", "ultralytics"}
    assert names <= set(asked)
