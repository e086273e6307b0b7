"""Every example of the pages, of README.md and of the help texts is run.

    python -m pytest -m sweep tests/test_examples.py     # 5 minutes

They run in a folder with the files that they name. Examples that need a package that is not installed are skipped.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from matplotlib.image import imsave

from cnninspect.cli.app import run
from cnninspect.cli.help import EXAMPLES
from tests.safetensors_files import SMALL, index, write
from tests.test_docs import COMMANDS, PAGES, ROOT, blocks

pytestmark = pytest.mark.sweep

NETS = """
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.utils import prune


@dataclass
class Head:
    classes: int = 10


@dataclass
class Config:
    depth: int = 2
    head: Head = field(default_factory=Head)


class Net(nn.Module):
    def __init__(self, width=8, depth=0, config: Config = Config()):
        super().__init__()
        layers = [nn.Conv2d(width, width, 3, padding=1) for _ in range(depth or config.depth)]
        self.conv, self.body = nn.Conv2d(3, width, 3, padding=1), nn.Sequential(*layers)
        self.head = nn.Linear(width, config.head.classes)

    def encode_image(self, x):
        return self.body(self.conv(x))

    def generate(self, x, max_new_tokens):
        for _ in range(max_new_tokens):
            x = self.encode_image(x)[:, :3]
        return x

    def forward(self, x):
        return self.head(self.encode_image(x).mean((2, 3)))


class Rewritten(Net):
    pass


class GanPair(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = Net(), Net()


def make_net(width=8, norm=True):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width) if norm else nn.Identity())


def build_all():
    return {"small": Net(), "wide": Net(16)}


class GanPair(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = nn.Linear(8, 48), nn.Linear(48, 1)


def pruned():
    net = Net()
    prune.l1_unstructured(net.conv, "weight", 0.5)
    return net


def photographs():
    return torch.rand(2, 3, 32, 32)
"""
SMALL_NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3)

    def forward(self, x):
        return self.conv(x)
"""
CONFIGURATION = '[tool.cnninspect.targets.net]\ntarget = "my_models.py:Net"\ninputs = ["1x3x32x32"]\n'
RESNET = {"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}

FEWER = {"timm:*": "timm:test_*", "torchvision:*": "torchvision:resnet1*", "timm:vit_*": "timm:vit_tiny_patch16_224*"}
"""Patterns of hundreds of models -> those of a few, for `sweep`."""

NEEDS = {
    "transformers": ("ForImageClassification", "LlamaForCausalLM", "./my-model"),
    "diffusers": ("diffusers:",), "segmentation_models_pytorch": ("smp:",), "open_clip": ("open_clip:",),
    "monai": ("monai:",), "thop": ("--counters",), "joblib": ("--jobs",),
}  # fmt: skip
"""Package -> parts of the commands that need it."""

ELSEWHERE = {
    "--backend dask": "tests/cli/test_sweep.py starts the cluster that it needs",
    "--backend ray": "tests/cli/test_sweep.py starts the cluster that it needs",
    "acme:narrow": "tests/test_extending.py runs that page's package",
    "$MODEL": "the CI server fills it in; tests/cli/test_since.py runs the same with a revision",
    "large.py": "tests/test_large.py writes it and runs the same",
}
"""Part of a command -> where else it is run, and why not here."""

CODES = {
    "cnninspect solve": {2}, "cnninspect explain": {2}, "cnninspect formula": {2}, "cnninspect summary": {2},
    "cnninspect flops": {2},  # Mentioned without what they need.
    "--device cuda": {0, 3},  # On a machine without a GPU it says so.
}  # fmt: skip
"""A command, or a part of one -> its exit codes, where they are not 0, or 1 for a check that failed."""

LINES = sorted({*COMMANDS, *(line for lines in EXAMPLES.values() for line in lines)})
RUN = [line for line in LINES if not re.search(r"\b(TARGET|FILE|COMMAND)\b|info\|clear|--help", line)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the examples name."""
    here = tmp_path_factory.mktemp("examples")
    for name in ("my_models.py", "models.py", "nets.py", "package/module.py"):
        file = here / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(NETS)
    (here / "net.py").write_text(SMALL_NET)
    (here / "pyproject.toml").write_text(CONFIGURATION)
    for name in ("table.csv", "homework.csv"):
        (here / name).write_text("layer,params\nconv,3*3*3*8+8\n")
    imsave(here / "cat.jpg", np.zeros((8, 8, 3)))
    (here / "my-model").mkdir()
    (here / "my-model" / "config.json").write_text(json.dumps(RESNET))
    write(here / "my-model" / "model.safetensors", SMALL)
    index(here / "my-model" / "model.safetensors.index.json", dict.fromkeys(SMALL, "model.safetensors"))
    (here / "weights").mkdir()
    write(here / "weights" / "model.safetensors", SMALL)
    for name in ("weights", "before", "after"):
        write(here / f"{name}.safetensors", SMALL)
    (here / "docs").mkdir()
    shutil.copytree(ROOT / "docs" / "theory", here / "docs" / "theory")
    _provider(here)
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -q -m one"):
        subprocess.run(["git", *command.split()], cwd=here, check=True)
    subprocess.run(["git", "update-ref", "refs/remotes/origin/main", "HEAD"], cwd=here, check=True)
    (here / "baselines").mkdir()
    return here


def _provider(here):
    """The package of the guide, installed: its provider is the block of code that the guide shows."""
    (code,) = [text for text in blocks(ROOT / "docs" / "guide.md", "python") if "def names()" in text]
    (here / "acme_nets").mkdir()
    (here / "acme_nets" / "__init__.py").touch()
    (here / "acme_nets" / "inspect.py").write_text(code)
    (points,) = blocks(ROOT / "docs" / "guide.md", "toml")
    name, value = re.findall(r'^(\w+) = "(.*)"', points, re.MULTILINE)[0]
    installed = here / "acme-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[cnninspect.models]\n{name} = {value}\n")


@pytest.fixture
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for name, target in (("net.json", "my_models.py:Net"), ("baselines/net.json", "models.py:Net")):
        if not (folder / name).exists():
            assert run(["compare", target, "--baseline", name, "--update-baseline"]) == 0
    return folder


@pytest.mark.parametrize("line", RUN)
def test_a_command_runs(inside, capsys, line):
    for part, reason in ELSEWHERE.items():
        if part in line:
            pytest.skip(reason)
    for package, parts in NEEDS.items():
        if any(part in line for part in parts) and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    words = shlex.split(line)[1:]
    if words[0] == "sweep":
        words = [FEWER.get(word, word) for word in words]
    code = run(words)
    printed = capsys.readouterr()
    matching = (codes for part, codes in CODES.items() if line == part or (part[0] == "-" and part in line))
    assert code in next(matching, {0, 1}), printed.err
    assert printed.out or code or {"-o", "--plot", "--update-baseline"} & set(words)


def test_the_python_of_the_readme_runs(inside):
    (code,) = blocks(ROOT / "README.md", "python")
    sys.modules.pop("my_models", None)
    from my_models import Net

    space = {"model": Net()}
    exec(code, space)
    assert space["report"].total("macs").value > 0


def test_the_python_of_the_page_on_flops_runs():
    (code,) = blocks(ROOT / "docs" / "flops.md", "python")
    exec(code, space := {})
    assert space["report"].total("training_memory").value > 0


def test_the_tests_of_the_page_on_ci_run(inside):
    (code,) = blocks(ROOT / "docs" / "ci.md", "python")
    (inside / "test_net.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_net.py"]
    first = subprocess.run(
        [*command, "--update-cnninspect-baselines"], cwd=inside, capture_output=True, text=True, check=False
    )
    again = subprocess.run(command, cwd=inside, capture_output=True, text=True, check=False)
    # The last test needs the baseline that the first run writes; the field of this small network is not 200.
    assert "1 failed, 2 passed" in again.stdout, first.stdout + again.stdout
    assert "min_rf" in again.stdout or "receptive field" in again.stdout


def test_pages_have_no_other_python():
    """A new block of Python needs a test here or in tests/test_docs.py or tests/test_extending.py."""
    found = {page.name: len(blocks(page, "python")) for page in PAGES if blocks(page, "python")}
    assert found == {"README.md": 1, "ci.md": 1, "extending.md": 6, "flops.md": 1, "guide.md": 2}
