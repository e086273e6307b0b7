"""Wrong inputs of students, researchers and CI engineers: the message, the exit code, and the next step, which works.

The next step is taken out of the printed message: a command, code, an option, or names in place of the wrong one. Where
the message says to mend the user's own code, `MENDED` says how that is done, and the same command line is tried again.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch

NETS = Path(__file__).parent.parent / "data" / "wrong_nets.py"
FILES = {
    "crash.py": "from torch import nn\nx = 1 / 0\nNet = nn.ReLU()\n",
    "syntax.py": "from torch import nn\nNet = nn.ReLU(\n",
    "missing.py": "import nosuchpackage\nfrom torch import nn\nNet = nn.ReLU()\n",
    "pkg/__init__.py": "",
    "pkg/blocks.py": "from torch import nn\n\nclass Block(nn.Conv2d):\n"
    "    def __init__(self, wide=8):\n        super().__init__(3, wide, 3)\n",
    "pkg/deep/more.py": "from torch import nn\n\nclass Two(nn.Conv2d):\n"
    "    def __init__(self):\n        super().__init__(3, 2, 3)\n",
    "pkg/build.py": "from .blocks import Block\n\ndef make():\n    return Block(8)\n",
    "inputs.py": "import torch\n\ndef fn():\n    return ({'image': torch.zeros(1, 3, 32, 32)},)\n",
    "other.json": '{"a": 1}', "list.json": "[1, 2]", "broken.json": "not json", "saved.json": "{}", "fake.pt2": "garbage",
    **{f"model.{ending}": "{}" for ending in ("onnx", "keras", "tflite", "h5", "pt", "ckpt", "ipynb", "yaml")},
    "weights/model.safetensors": "\2\0\0\0\0\0\0\0{}",
}  # fmt: skip

# Command line, exit code, words of the message.
CASES = [
    # inputs
    ("summary nets.py:Net --input 1x224x224x3", 3, "It runs with --input 1x3x224x224."),
    ("summary nets.py:Net --input 3x224x224", 3, "It runs with --input 1x3x224x224."),
    ("summary nets.py:Net --input 224x224", 3, "It runs with --input 1x3x224x224."),
    ("summary nets.py:Net --input 1x4x32x32", 3, "expects 3 input channels, got 4"),
    ("summary nets.py:Net --input 1x3x32x32:int64", 3, "It runs with --input 1x3x32x32."),
    ("summary nets.py:Net --input 1x3x2x2", 3, "It runs with --input 1x3x224x224."),
    ("summary nets.py:Volume --input 1x1x64x64", 3, "It runs with --input 1x1x64x64x64."),
    ("summary nets.py:Words --input 1x16", 3, "It runs with --input 1x16:int64."),
    ("summary nets.py:Words --input 1x16:float32", 3, "It runs with --input 1x16:int64."),
    ("summary nets.py:Batch --input 1x3x32x32", 3, "It takes a dictionary: --inputs-from file.py:fn"),
    ("summary nets.py:Flat --input 1x3x64x64", 3, "expects 7200 input features, got 30752"),
    ("summary nets.py:Pair --input 1x3x32x32 --input 1x3x32x32", 3, "with --input 1x3x32x32 --input 1x1x32x32."),
    ("summary nets.py:Pair --input x=1x1x9x9 --input y=1x1x9x9", 3, "with --input x=1x3x9x9 --input y=1x1x9x9."),
    ("summary nets.py:Pair", 2, "of Pair (x, y) are not known. Give --input NAME=SHAPE for each of them"),
    ("summary nets.py:Silent --input 1x3x32x32", 0, "the forward returns no tensor"),
    ("summary nets.py:Net --input 1x3xAx32", 2, "is not a size"),
    ("summary nets.py:Net --input 1,3,32,32", 2, "Write sizes joined by x, such as 1x3x224x224"),
    ("summary nets.py:Net --input 1x3x32x32:flaot32", 2, "there is no dtype 'flaot32'"),
    ("summary nets.py:Net --input y=1x3x32x32", 2, "which takes (x)"),
    ("summary nets.py:Net --input 1x3x32x32 --input 1x3x32x32", 2, "too many positional arguments"),
    # the code of the network
    ("summary nets.py:Broken --input 1x3x32x32", 3, "(nets.py:49): AttributeError"),
    ("summary nets.py:Bad --input 1x3x32x32", 3, "ValueError: width must be even (nets.py:55)"),
    ("summary nets.py:Needs", 2, "needs --arg width=VALUE"),
    ("summary nets.py:Config --arg cfg=8", 3, """cfg takes a dictionary: --arg "cfg={'width': VALUE}"."""),
    ("summary nets.py:Bare", 3, "the class Bare defines no `forward`. Define it in Bare."),
    ("summary nets.py:Listed", 3, "the class ModuleList defines no `forward`. Mend that line"),
    ("summary nets.py:Needs --arg wdth=8", 2, "Nearest: width"),
    ("summary nets.py:Net --arg 8", 2, "is not NAME=VALUE"),
    ("summary nets.py:Nte", 2, "Nearest: Net"),
    ("summary nets.py:Zzz", 2, "It has Net, Silent, Words"),
    ("summary nets.py:number", 3, "is of type int. A model is an nn.Module, a class, a factory or a function. Name one, as nets.py:Net."),
    ("summary nets.py:helper", 3, "returned int"),
    ("summary nets.py", 2, "It has Net, Silent, Words"),
    ("summary nets.py:", 2, "Write nets.py:Net"),
    ("summary crash.py:Net --input 1x3x32x32", 3, "line 2: ZeroDivisionError"),
    ("summary syntax.py:Net --input 1x3x32x32", 3, "syntax.py is not Python"),
    ("summary missing.py:Net --input 1x3x32x32", 3, "line 1: ModuleNotFoundError"),
    ("summary pkg/build.py:make", 3, "Name it as pkg.build:attr"),
    # files that are none
    ("summary net.py:Net", 2, "Did you mean 'nets.py'?"),
    ("summary zzzzz.py:Net", 2, "nets.py"),
    ("summary pkg", 2, "what the file defines: pkg/blocks.py:Block"),
    ("summary .", 2, "what the file defines: nets.py:Net"),
    ("summary model.onnx", 2, "an ONNX graph"),
    ("summary model.keras", 2, "a Keras model"),
    ("summary model.tflite", 2, "a TensorFlow Lite model"),
    ("summary model.h5", 2, "holds weights"),
    ("flops weights/model.safetensors", 2, "holds weights"),
    ("summary weights/nosuch.safetensors", 2, "there is no file 'weights/nosuch.safetensors'. Did you mean"),
    ("summary model.pt", 2, "a pickle or TorchScript"),
    ("summary model.ckpt", 2, "a pickle or TorchScript"),
    ("summary model.ipynb", 2, "a notebook"),
    ("summary model.yaml", 2, "a configuration, not a network"),
    ("summary fake.pt2", 3, "is not an archive that torch"),
    ("summary nope/nets.py:Net", 2, "there is no file 'nope/nets.py'. Did you mean 'nets.py'?"),
    ("summary microsoft/resnet-50", 2, "there is no file or folder 'microsoft/resnet-50' here, and names on hubs"),
    ("summary https://github.com/a/b", 2, "hubs and URLs are not read"),
    ("summary hf-hub:timm/resnet50", 2, "hubs and URLs are not read"),
    ("summary pkg/deep", 2, "what the file defines: pkg/deep/more.py:Two"),
    ("summary nosuch.pt2", 2, "there is no file"),
    ("compare other.json", 2, "is not a report of cnninspect"),
    ("compare list.json", 2, "is not a report of cnninspect"),
    ("compare broken.json", 2, "is not JSON"),
    ("compare nosuch.json", 2, "there is no file nosuch.json"),
    ("summary saved.json", 2, "Only `compare` takes one"),
    # names
    ("summary nets", 2, "a file here defines one. Write nets.py:Net."),
    ("summary nets.Net", 2, "a file here defines one. Write nets.py:Net."),
    ("summary pkg.build.make", 2, "a file here defines one. Write pkg.build:make."),
    ("summary pkg.deep.more.Two", 2, "a file here defines one. Write pkg/deep/more.py:Two."),
    ("lenet5", 2, "Write `cnninspect summary lenet5`."),
    ("nets.py:Net", 2, "Write `cnninspect summary nets.py:Net`."),
    ("summary lenet5 zoo:lenet5", 2, "Write `cnninspect compare lenet5 zoo:lenet5`."),
    ("summary lenet_5", 2, "Nearest: zoo:lenet5"),
    ("summary torchvison:resnet18", 2, "Nearest: torchvision"),
    ("summary nosuch.module:Net", 2, "there is no module 'nosuch.module'"),
    ("summary os:path", 3, "is of type module"),
    ("models lenett", 2, "Nearest: zoo:lenet"),
    # options
    ("summary nets.py:Net --device gpu", 2, "Use auto, meta, cpu"),
    ("summary nets.py:Net --dtype flot16", 2, "float16"),
    ("summary nets.py:Net --depth -1", 2, "--depth"),
    ("summary nets.py:Net --batch-size 0", 2, "'--batch-size': write a whole number from 1."),
    ("flops nets.py:Net --top two", 2, "'--top': write a whole number from 1."),
    ("summary nets.py:Net --depth one", 2, "'--depth': write a whole number from 0."),
    ("config -f csv", 2, "Choose among table, json."),
    ("summary nets.py:Net --columns mac", 2, "Nearest: macs"),
    ("summary nets.py:Net --sort mac", 2, "Nearest: macs"),
    ("summary nets.py:Net --columns layer,,macs", 2, "'layer,,macs' has an empty name. Write names, for example layer,"),
    ("summary nets.py:Net --format yaml", 2, "is not one of table, json"),
    ("summary nets.py:Net -o out.pdf", 2, "no format has the ending .pdf"),
    ("summary nets.py:Net -o nosuchdir/out.json", 2, "`mkdir -p nosuchdir` makes it"),
    # CI
    ("compare nets.py:Net --max-params 5Q", 2, "write for example 5418, 5.4K"),
    ("compare nets.py:Net --claims nosuch.csv", 2, "cannot read nosuch.csv"),
    ("compare nets.py:Net --baseline nosuch.json", 2, "with --update-baseline writes it"),
    ("compare nets.py:Net --update-baseline", 2, "needs --baseline FILE"),
    ("compare nets.py:Net --tolerance 1%", 2, "needs --baseline FILE or OTHER"),
    ("explain lenet5 c9", 2, "Nearest: c1"),
    ("solve conf --in 32 --out 16", 2, "conv, conv-transpose"),
]  # fmt: skip

MENDED = {
    "Broken": ("nets.py", "self.missing", "1"),
    "Bad": ("nets.py", 'raise ValueError("width must be even")', "self.width = 2"),
    "Silent": ("nets.py", "        self.conv(x)\n\n\nclass Words", "        return self.conv(x)\n\n\nclass Words"),
    "Bare": ("nets.py", "class Bare(nn.Module)", "class Bare(Net)"),
    "Listed": ("nets.py", "self.layers(x)", "self.layers[0](x)"),
    "crash.py": ("crash.py", "1 / 0", "1 / 1"),
    "syntax.py": ("syntax.py", "ReLU(", "ReLU()"),
    "missing.py": ("nosuchpackage.py", "", ""),
}
"""Part of a command line -> file, and the text that is replaced in it."""

STAND_INS = {
    "package.module:attr": "pkg.build:make", "file.py:attr": "nets.py:Net", "pkg.build:attr": "pkg.build:make",
    "file.py:fn": "inputs.py:fn", "TARGET": "nets.py:Net", "OTHER": "nets.py:Net", "NAME": "width", "VALUE": "8",
    "SHAPE": "1x3x32x32", "FILE": "new.json",
}  # fmt: skip
"""What a reader puts in place of the words that stand for something of his own."""


def filled(text):
    for word, own in STAND_INS.items():
        text = re.sub(rf"(?<![\w./]){re.escape(word)}\b", own, text)
    return text


def next_lines(line, message):
    """The command lines that a message tells the reader of `line` to type; a list in a list is typed in turn."""
    words, start = shlex.split(line), line.split()[0]
    found = [[filled(command)] for command in re.findall(r"`cnninspect ([^`]+)`", message)]
    if found and " -o " in found[0][0]:
        written = found[0][0].rpartition(" ")[2]
        return [[*found[0], re.sub(r"\S+\.(json|csv)", written, line)], *found[1:]]
    if found:
        return found
    if wanted := re.search(r"It runs with ((?:--input \S+ ?)+)\.", message):
        return [[re.sub(r"--input .*", wanted[1], line)]]
    if wanted := re.search(r"(?:as (--input x=SHAPE)|(--inputs-from file\.py:fn))", message):
        return [[re.sub(r"( --input \S+)+", " " + filled(wanted[1] or wanted[2]), line)]]
    if wanted := re.search(
        r"needs (?:--baseline FILE or )?(--arg \S+=VALUE|--baseline FILE|OTHER)|The same command with (\S+)", message
    ):
        return [[f"{line} {filled(wanted[1] or wanted[2])}"]]
    if "each of them: --input x=SHAPE --input y=SHAPE." in message:
        return [[f"{line} --input x=1x3x32x32 --input y=1x1x32x32"]]
    if wanted := re.search(r'takes a dictionary: --arg "([^"]+)"', message):
        return [[re.sub(r"--arg \S+", f'--arg "{filled(wanted[1])}"', line)]]
    if wanted := re.search(r"Write --arg (NAME=\S+)\.", message):
        return [[re.sub(r"--arg \S+", f"--arg {filled(wanted[1])}", line)]]
    if wanted := re.search(
        r"(?:Write|defines:|(?:, | )as|the network) \(?((?:\S+\.py|pkg\.build|package\.module):\w+)", message
    ):
        return [[f"{start} {filled(wanted[1])}"]]
    wrong = wrong_word(words, message)
    return [[shlex.join(wrong_replaced(words, wrong, name))] for name in names_offered(message)]


def wrong_word(words, message):
    """The quoted word, or the option's value, that the message is about."""
    quoted = re.findall(r"'([^']+)'|--arg (\w+)\.", message)
    named = [one or other for one, other in quoted] + re.findall(r"(?:ending |no --format )(\.?\w+)", message)
    return next(each for each in named if any(each in word for word in words))


def wrong_replaced(words, wrong, name):
    return [word.replace(wrong, name, 1) if wrong in word else word for word in words]


def names_offered(message):
    """The names after `Nearest:`; else the first of the longer lists: not all that a file defines are networks."""
    if near := re.search(r"Nearest: ([^`]+?)\.(?: |$)", message):
        return near[1].split(", ")
    listed = (
        r"Did you mean '([^']+)'", r"It has (\w+)", r"There are (?:\S+, )*(nets\.py)", r"such as ([\dx]+)",
        r"for example ([\w.]+)", r"Use (\w+)", r"Known: (\w+)", r"one of (\w+)", r"Name it \*(\.\w+)", r"Choose among (\w+)",
    )  # fmt: skip
    return [next(found[1] for each in listed if (found := re.search(each, message)))]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copy(NETS, home / "nets.py")
    for name, text in FILES.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    return home


@pytest.fixture
def typed(cli, home, monkeypatch):
    """Runs a command line in the folder."""
    monkeypatch.chdir(home)
    return lambda line: cli(*shlex.split(line))


@pytest.mark.parametrize(("line", "code", "words"), CASES, ids=[case[0] for case in CASES])
def test_a_wrong_input_gets_a_message_and_the_next_step_works(typed, home, line, code, words):
    if "saved.json" in line:
        assert typed("summary lenet5 -o saved.json").code == 0
    result = typed(line)
    assert result.code == code
    assert words in result.err
    assert "Traceback" not in result.err
    message = result.err.splitlines()[-1]
    assert re.fullmatch(r"cnninspect: [^\n]+", message)
    assert not code or result.out == ""
    mended = next((change for part, change in MENDED.items() if part in line), None)
    if mended is not None:
        assert re.search(r"Mend that line|Install it|Return its result|Define it in", message)
        mend(home, *mended)
        again = typed(line)
        assert again.code == 0
        assert "returns no tensor" not in again.err
    elif code_of := re.search(r"`((?:torch|cnninspect)\.[^`]+|mkdir [^`]+)`", message):
        follow(code_of[1], home)
        assert "ipynb" in line or typed(line).code == 0
    else:
        steps = next_lines(line, message)
        assert steps
        for lines in steps:
            assert [typed(each).code for each in lines] == [0] * len(lines)


def mend(home, name, old, new):
    file = home / name
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(text.replace(old, new) if old else new, encoding="utf-8")


def follow(step, home):
    """Does what the message says in Python or in the shell."""
    if step.startswith("mkdir -p "):
        (home / step.removeprefix("mkdir -p ")).mkdir(parents=True)
        return
    import cnninspect

    model, x = torch.nn.Conv2d(3, 8, 3), torch.zeros(1, 3, 8, 8)
    eval(step, {"torch": torch, "cnninspect": cnninspect, "model": model, "x": x})


def test_the_network_that_fails_is_named_and_its_report_can_be_compared(typed):
    """lenet5 takes one channel, Net three; the first that fails is told the inputs that it takes."""
    assert "resnet18: the forward pass" in typed("compare resnet18 lenet5 --input 1x4x32x32").err
    failed = typed("compare lenet5 nets.py:Net --input 1x1x32x32")
    assert (failed.code, failed.out) == (3, "")
    assert failed.err.startswith("cnninspect: nets.py:Net: the forward pass failed in `conv` (Conv2d)")
    assert "lenet5 runs with it. Save the other: `" in failed.err
    save = re.search(r"`cnninspect ([^`]+)`, and compare with other\.json", failed.err)[1]
    assert typed(save).code == 0
    compared = typed("compare lenet5 other.json --input 1x1x32x32")
    assert compared.code == 1
    assert "Different numbers." in compared.out


def test_no_column_at_all(typed):
    result = typed("summary nets.py:Net --columns ''")
    assert (result.code, result.out) == (2, "")
    assert result.err == "cnninspect: --columns '' has an empty name. Write names, for example layer,params,macs.\n"


def test_there_are_sixty():
    assert len(CASES) >= 60
