"""The line that a row comes from, in files written for the test: each expected line is marked where it stands."""

import os
import textwrap

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.checks.baseline import baseline_text
from cnninspect.trace.source_lines import Definitions, OwnFiles

NETS = """\
import torch.nn.functional as F
from torch import nn

class Block(nn.Module):                        # class Block
    def __init__(self, width):
        super().__init__()
        self.norm = None
        self.conv, self.act = (nn.Conv2d(width, width, 3, padding=1),  # conv
                               nn.ReLU())
        self.norm = nn.BatchNorm2d(width)      # norm

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        return F.relu(                         # relu
            x + y)                             # add

class Deep(Block):
    pass

class Net(nn.Module):                          # class Net
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(         # features
            nn.Conv2d(3, 8, 3, padding=1),     # first
            nn.Sequential(                     # second
                nn.ReLU(),                     # inner
                Deep(8)))
        self.heads = nn.ModuleList([
            nn.Linear(8, 10),                  # head 0
            nn.Linear(8, 5)])                  # head 1
        self.listed = nn.Sequential(*[nn.Identity()])  # listed
        self.add_module("late", nn.Identity())

    def forward(self, x):
        x = self.late(self.listed(self.features(x))).mean((2, 3))  # mean
        return [head(x) for head in self.heads]

def make():                                    # def make
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),                    # made
        nn.ReLU())

def outer():
    class Inner(nn.Module):                    # class Inner
        def forward(self, x):
            return x
    return Inner()

model = nn.Sequential(                         # model
    nn.Flatten(),                              # flatten
    nn.Linear(192, 4))

def function(x: "torch.Tensor"):               # def function
    return F.relu(x)                           # in function
"""


def line(mark):
    """The number of the line that ends in this mark."""
    return next(number for number, text in enumerate(NETS.splitlines(), 1) if text.endswith(f"# {mark}"))


WHERE = [
    # target, row, mark; a class of the file's own is where it is defined, another one where it is made
    ("Net", "(Net)", "class Net"),
    ("Net", "features", "features"),
    ("Net", "features.0", "first"),
    ("Net", "features.1", "second"),
    ("Net", "features.1.0", "inner"),
    ("Net", "features.1.1.conv", "conv"),
    ("Net", "features.1.1.norm", "norm"),
    ("Net", "features.1.1 F.relu", "relu"),
    ("Net", "features.1.1 Tensor.add", "add"),
    ("Net", "heads.0", "head 0"),
    ("Net", "heads.1", "head 1"),
    ("Net", "listed.0", "listed"),
    ("Net", "late", "class Net"),
    ("Net", "Tensor.mean", "mean"),
    ("make", "(Sequential)", "def make"),
    ("make", "0", "made"),
    ("outer", "(Inner)", "class Inner"),
    ("model", "(Sequential)", "model"),
    ("model", "0", "flatten"),
    ("function", "(function)", "def function"),
    ("function", "F.relu", "in function"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines_of(target):
    return {row.label: row.where for row in inspect_model(target, (1, 3, 8, 8)).rows}


@pytest.mark.parametrize(("target", "row", "mark"), WHERE, ids=[f"{target} {row}" for target, row, _ in WHERE])
def test_rows_come_from_their_line(folder, target, row, mark):
    assert lines_of(f"nets.py:{target}")[row] == f"nets.py:{line(mark)}"


def test_a_class_without_methods_is_found_by_its_module(folder):
    # The class statement of Deep, whose body is a line below it.
    assert lines_of("nets.py:Net")["features.1.1"] == f"nets.py:{NETS.splitlines().index('class Deep(Block):') + 1}"


def test_a_module_of_a_package_is_named_with_its_folder(folder, monkeypatch):
    (folder / "package_of_nets").mkdir()
    (folder / "package_of_nets" / "net.py").write_text(NETS)
    assert lines_of("package_of_nets.net:model")["0"] == f"package_of_nets/net.py:{line('flatten')}"


def test_what_lies_elsewhere_has_no_line(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert set(lines_of("../nets.py:Net").values()) == {None}


def test_installed_packages_have_no_line(folder):
    site = folder / ".venv" / "lib" / "site-packages"
    site.mkdir(parents=True)
    (folder / "nets.py").rename(site / "nets.py")
    assert set(lines_of(f"{site / 'nets.py'}:Net").values()) == {None}


def test_layers_of_torch_alone_have_no_line():
    assert lines_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())) == {"(Sequential)": None, "0": None, "1": None}


def test_code_that_is_in_no_file_has_no_line(folder):
    space = {"nn": nn, "torch": torch, "__name__": "nowhere"}
    exec(textwrap.dedent("class Net(nn.Module):\n    def forward(self, x):\n        return torch.relu(x)\n"), space)
    assert set(lines_of(space["Net"]).values()) == {None}


def test_the_line_stands_in_the_document(folder):
    document = inspect_model("nets.py:make", (1, 3, 8, 8)).to_dict()
    assert document["rows"][1]["where"] == f"nets.py:{line('made')}"


def test_a_baseline_does_not_know_the_line(folder):
    assert "nets.py" not in baseline_text(inspect_model("nets.py:Net", (1, 3, 8, 8)))


def test_files_that_cannot_be_read_and_long_expressions_are_no_obstacle(folder):
    (folder / "long.py").write_text(NETS + "\nsum_of_ones = " + "+".join("1" * 1500) + "\n")
    assert lines_of("long.py:make")["0"] == f"long.py:{line('made')}"
    assert Definitions(folder / "none.py").of_class("Net") is None


def test_a_working_directory_that_is_gone_holds_nothing(folder):
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert OwnFiles().name(str(folder / "nets.py")) is None
