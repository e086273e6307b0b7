"""What the shell completes, as bash asks for it: its words, which it takes apart at colons, and the cursor's place."""

import os
import subprocess
import sys

import pytest

from cnninspect.cli import kept
from cnninspect.cli.app import run
from cnninspect.files import keep

NAMES = [
    "zoo:lenet5",
    "zoo:custom-alexnet",
    "torchvision:resnet18",
    "torchvision:resnext50",
    "timm:resnet18",
    "timm:vit_tiny",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with files, and a cache that holds these names and one summary."""
    monkeypatch.setenv("CNNINSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text("raise SystemExit  # parsed, not run\nclass Net: pass\ndef build(): pass\n")
    keep(kept._names_key(), NAMES)
    return tmp_path


def completed(*words, capsys, monkeypatch):
    """The completions of the last word, without those of the shell itself."""
    monkeypatch.setenv("_CNNINSPECT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(("cnninspect", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    capsys.readouterr()
    assert run([]) == 0
    return capsys.readouterr().out.split()


CASES = {
    "names": (["summary", "res"], ["resnet18", "resnext50"]),
    "providers": (["summary", "ti"], ["timm:"]),
    "names of a provider": (["summary", "timm", ":", "v"], ["vit_tiny"]),
    "after the colon": (["flops", "torchvision", ":"], ["resnet18", "resnext50"]),
    "both networks": (["compare", "lenet5", "len"], ["lenet5"]),
    "files": (["summary", "ne"], ["nets.py:"]),
    "what a file defines": (["summary", "nets.py", ":"], ["Net", "build"]),
    "what begins so": (["summary", "nets.py", ":", "N"], ["Net"]),
    "a file that is none": (["summary", "none.py", ":"], []),
    "columns": (["summary", "lenet5", "--columns", "par"], ["params"]),
    "more columns": (["summary", "lenet5", "--columns", "layer,mac"], ["layer,macs"]),
    "no column twice": (["summary", "lenet5", "--columns", "params,par"], []),
    "types": (["summary", "lenet5", "--dtype", "bf"], ["bfloat16"]),
    "layers without a summary": (["rf", "lenet5", "c"], []),
}


@pytest.mark.parametrize("case", CASES)
def test_completion(folder, capsys, monkeypatch, case):
    words, expected = CASES[case]
    assert completed(*words, capsys=capsys, monkeypatch=monkeypatch) == expected


def test_layers_of_a_model_that_was_summarised(folder, capsys, monkeypatch):
    # Five convolutions: Krizhevsky et al. 2012, whose layers the class numbers from 1.
    assert run(["summary", "custom-alexnet"]) == 0
    for command in ("rf", "explain"):
        found = completed(command, "custom-alexnet", "conv", capsys=capsys, monkeypatch=monkeypatch)
        assert found == [f"conv{number}" for number in range(1, 6)]


def test_without_a_kept_list_the_zoo_is_known(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE_DIR", "")
    monkeypatch.chdir(tmp_path)
    assert completed("summary", "lene", capsys=capsys, monkeypatch=monkeypatch) == ["lenet5"]


def test_completion_does_not_import_torch(folder):
    code = "import sys, atexit\natexit.register(lambda: print('torch' in sys.modules))\n"
    code += "from cnninspect.__main__ import main\nmain()"
    asked = {"_CNNINSPECT_COMPLETE": "complete_bash", "COMP_WORDS": "cnninspect\nsummary\nvit", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **asked}
    )
    assert done.stdout.split() == ["vit_tiny", "False"]
