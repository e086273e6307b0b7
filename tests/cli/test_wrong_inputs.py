"""Wrong inputs of students, researchers and CI engineers: the message, the exit code, and a command that works.

Each case: command line, exit code, words of the message, and the command line that a reader of the message types next
(None where the next step is not a command here). All run in this process, in a folder with the files below.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest

NETS = Path(__file__).parent.parent / "data" / "wrong_nets.py"
OK = "summary nets.py:Net --input 1x3x32x32"
FILES = {
    "crash.py": "import torch\nx = 1 / 0\n",
    "syntax.py": "class (\n",
    "missing.py": "import nosuchpackage\n",
    "pkg/__init__.py": "",
    "pkg/blocks.py": "from torch import nn\n\nclass Block(nn.Conv2d): pass\n",
    "pkg/build.py": "from .blocks import Block\n\ndef make():\n    return Block(3, 8, 3)\n",
    "inputs.py": "import torch\n\ndef fn():\n    return ({'image': torch.zeros(1, 3, 32, 32)},)\n",
    "other.json": '{"a": 1}', "list.json": "[1, 2]", "broken.json": "not json", "fake.pt2": "garbage",
    **{f"model.{ending}": "{}" for ending in ("onnx", "keras", "tflite", "h5", "pt", "ckpt", "ipynb", "yaml", "safetensors")},
}  # fmt: skip

CASES = [
    # inputs
    ("summary nets.py:Net --input 1x224x224x3", 3, "It runs with --input 1x3x224x224.", "summary nets.py:Net --input 1x3x224x224"),
    ("summary nets.py:Net --input 3x224x224", 3, "It runs with --input 1x3x224x224.", "summary nets.py:Net --input 1x3x224x224"),
    ("summary nets.py:Net --input 224x224", 3, "It runs with --input 1x3x224x224.", "summary nets.py:Net --input 1x3x224x224"),
    ("summary nets.py:Net --input 1x4x32x32", 3, "expects 3 input channels, got 4", OK),
    ("summary nets.py:Net --input 1x3x32x32:int64", 3, "It runs with --input 1x3x32x32.", OK),
    ("summary nets.py:Net --input 1x3x2x2", 3, "It runs with --input 1x3x224x224.", "summary nets.py:Net --input 1x3x224x224"),
    ("summary nets.py:Volume --input 1x1x64x64", 3, "It runs with --input 1x1x64x64x64.", "summary nets.py:Volume --input 1x1x64x64x64"),
    ("summary nets.py:Words --input 1x16", 3, "It runs with --input 1x16:int64.", "summary nets.py:Words --input 1x16:int64"),
    ("summary nets.py:Words --input 1x16:float32", 3, "It runs with --input 1x16:int64.", "summary nets.py:Words --input 1x16:int64"),
    ("summary nets.py:Batch --input 1x3x32x32", 3, "It takes a dictionary: --inputs-from", "summary nets.py:Batch --inputs-from inputs.py:fn"),
    ("summary nets.py:Flat --input 1x3x64x64", 3, "expects 7200 input features, got 30752", "summary nets.py:Flat --input 1x3x32x32"),
    ("summary nets.py:Silent --input 1x3x32x32", 0, "the forward returns no tensor", OK),
    ("summary nets.py:Net --input 1x3xAx32", 2, "is not a size", OK),
    ("summary nets.py:Net --input 1,3,32,32", 2, "Write sizes joined by x, such as 1x3x224x224", OK),
    ("summary nets.py:Net --input 1x3x32x32:flaot32", 2, "there is no dtype 'flaot32'", OK + ":float32"),
    ("summary nets.py:Net --input y=1x3x32x32", 2, "which takes (x)", "summary nets.py:Net --input x=1x3x32x32"),
    ("summary nets.py:Net --input 1x3x32x32 --input 1x3x32x32", 2, "too many positional arguments", OK),
    # the code of the network
    ("summary nets.py:Broken --input 1x3x32x32", 3, "(nets.py:49): AttributeError", OK),
    ("summary nets.py:Bad", 3, "ValueError: width must be even (nets.py:55)", OK),
    ("summary nets.py:Needs", 2, "needs --arg width=VALUE", "summary nets.py:Needs --arg width=8"),
    ("summary nets.py:Needs --arg wdth=8", 2, "Nearest: width", "summary nets.py:Needs --arg width=8"),
    ("summary nets.py:Net --arg 8", 2, "is not NAME=VALUE", "summary nets.py:Net --arg width=8"),
    ("summary nets.py:Nte", 2, "Nearest: Net", OK),
    ("summary nets.py:Zzz", 2, "It has Net, Silent, Words", OK),
    ("summary nets.py:number", 3, "is of type int", OK),
    ("summary nets.py:helper", 3, "returned int", OK),
    ("summary nets.py", 2, "It has Net, Silent, Words", "summary nets.py:Net"),
    ("summary nets.py:", 2, "A target is NAME", OK),
    ("summary crash.py:Net", 3, "line 2: ZeroDivisionError", OK),
    ("summary syntax.py:Net", 3, "syntax.py is not Python", OK),
    ("summary missing.py:Net", 3, "line 1: ModuleNotFoundError", OK),
    ("summary pkg/build.py:make", 3, "Name it as pkg.build:attr", "summary pkg.build:make --input 1x3x32x32"),
    # files that are none
    ("summary net.py:Net", 2, "Did you mean 'nets.py'?", OK),
    ("summary zzzzz.py:Net", 2, "nets.py", OK),
    ("summary pkg", 2, "is a folder", OK),
    ("summary .", 2, "is a folder", OK),
    ("summary model.onnx", 2, "an ONNX graph", OK),
    ("summary model.keras", 2, "a Keras model", OK),
    ("summary model.tflite", 2, "a TensorFlow Lite model", OK),
    ("summary model.h5", 2, "holds weights", OK),
    ("summary model.safetensors", 2, "holds weights", OK),
    ("summary model.pt", 2, "a pickle or TorchScript", OK),
    ("summary model.ckpt", 2, "a pickle or TorchScript", OK),
    ("summary model.ipynb", 2, "a notebook", OK),
    ("summary model.yaml", 2, "a configuration, not a network", OK),
    ("summary fake.pt2", 3, "Save the model with torch.export.save", OK),
    ("summary nosuch.pt2", 2, "there is no file", OK),
    ("compare other.json", 2, "is not a report of cnninspect", None),
    ("compare list.json", 2, "is not a report of cnninspect", None),
    ("compare broken.json", 2, "is not JSON", None),
    ("compare nosuch.json", 2, "there is no file nosuch.json", None),
    ("summary other.json", 2, "Only `compare` takes one", None),
    # names
    ("summary lenet_5", 2, "Nearest: zoo:lenet5", "summary zoo:lenet5"),
    ("summary torchvison:resnet18", 2, "Nearest: torchvision", "models torchvision:resnet18"),
    ("summary nosuch.module:Net", 2, "there is no module 'nosuch.module'", OK),
    ("summary os:path", 3, "is of type module", OK),
    ("models lenett", 2, "Nearest: zoo:lenet", "models lenet"),
    # options
    ("summary nets.py:Net --device gpu", 2, "Use auto, meta, cpu", OK + " --device cpu"),
    ("summary nets.py:Net --dtype flot16", 2, "float16", OK + " --dtype fp16"),
    ("summary nets.py:Net --depth -1", 2, "--depth", OK + " --depth 1"),
    ("summary nets.py:Net --columns mac", 2, "Nearest: macs", OK + " --columns macs"),
    ("summary nets.py:Net --sort mac", 2, "Nearest: macs", OK + " --sort macs"),
    ("summary nets.py:Net --format yaml", 2, "is not one of table, json", OK + " --format json"),
    ("summary nets.py:Net -o out.pdf", 2, "no format has the ending .pdf", OK + " -o out.tex"),
    ("summary nets.py:Net -o nosuchdir/out.json", 2, "Make it first", OK + " -o out.json"),
    # CI
    ("compare nets.py:Net --max-params 5Q", 2, "write for example 5418, 5.4K", "compare nets.py:Net --max-params 5K"),
    ("compare nets.py:Net --claims nosuch.csv", 2, "cannot read nosuch.csv", None),
    ("compare nets.py:Net --baseline nosuch.json", 2, "with --update-baseline writes it", "compare nets.py:Net --baseline new.json --update-baseline"),
    ("compare nets.py:Net --update-baseline", 2, "needs --baseline FILE", "compare nets.py:Net --baseline new.json --update-baseline"),
    ("compare nets.py:Net --tolerance 1%", 2, "needs --baseline FILE or OTHER", "compare nets.py:Net nets.py:Net --tolerance 1%"),
    ("explain lenet5 c9", 2, "Nearest: c1", "explain lenet5 c1"),
    ("solve conf --in 32 --out 16", 2, "conv, conv-transpose", "solve conv --in 32 --out 16"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copy(NETS, home / "nets.py")
    for name, text in FILES.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    return home


@pytest.mark.parametrize(("line", "code", "words", "following"), CASES, ids=[case[0] for case in CASES])
def test_a_wrong_input_gets_a_message_and_the_next_command_works(
    cli, folder, monkeypatch, line, code, words, following
):
    monkeypatch.chdir(folder)
    result = cli(*shlex.split(line))
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err
    if code:
        assert result.out == ""
        last = result.err.splitlines()[-1]
        assert re.fullmatch(r"cnninspect: [^\n]+", last)
    if following is not None:
        assert cli(*shlex.split(following)).code == 0


def test_there_are_sixty():
    assert len(CASES) >= 60
