"""Targets from files and modules: what they load, and that they leave nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cnninspect.errors import CnninspectError, LoadError, UsageError
from cnninspect.targets.resolve import resolve

from .conftest import Write

NET = """
    from torch import nn

    class Net(nn.Module):
        def __init__(self, width=8):
            super().__init__()
            self.conv = nn.Conv2d(3, width, 3)

        def forward(self, x):
            return self.conv(x)

    def make(width=4):
        return Net(width)

    built = Net(2)

    class Shelf:
        net = built
"""


def width_of(model: object) -> int:
    assert isinstance(model, nn.Module)
    return model.get_submodule("conv").out_channels  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("attr", "width"),
    [
        pytest.param("Net", 8, id="class"),
        pytest.param("make", 4, id="factory"),
        pytest.param("built", 2, id="instance"),
        pytest.param("Shelf.net", 2, id="dotted"),
    ],
)
def test_a_file_gives_a_model(write: Write, attr: str, width: int) -> None:
    target = resolve(f"{write('net.py', NET)}:{attr}")
    assert (target.provider, target.name) == ("file", attr)
    assert width_of(target.build("meta")) == width


def test_a_file_is_what_it_says_now(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written again within the second, with as many bytes, it looks to Python like the file that it compiled before."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = write("net.py", NET)
    assert width_of(resolve(f"{file}:Net").build("meta")) == 8
    then = file.stat()
    file.write_text(file.read_text().replace("width=8", "width=9"))
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert width_of(resolve(f"{file}:Net").build("meta")) == 9


def test_arguments_reach_the_constructor(write: Write) -> None:
    target = resolve(f"{write('net.py', NET)}:Net", {"width": 5})
    assert width_of(target.build("meta")) == 5
    assert target.arguments == {"width": 5}


def test_a_relative_path(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("nets/net.py", NET).parent.parent)
    assert width_of(resolve("nets/net.py:Net").build("meta")) == 8


def test_a_module_of_the_working_directory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("package_of_the_test/nets.py", NET).parent.parent)
    target = resolve("package_of_the_test.nets:Net")
    assert target.provider == "module"
    assert width_of(target.build("meta")) == 8
    # A module is imported once, as everywhere in Python: it may register operators.
    assert resolve("package_of_the_test.nets:built").build("cpu") is sys.modules["package_of_the_test.nets"].built


def test_an_installed_module() -> None:
    linear = resolve("torch.nn:Linear", {"in_features": 3, "out_features": 4}).build("meta")
    assert isinstance(linear, nn.Linear)


def test_neighbours_are_importable_while_it_loads_and_builds(write: Write) -> None:
    path = write(
        "net.py",
        """
        from layers import conv
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                from late import width
                self.conv = conv(width)
    """,
    )
    write("layers.py", "from torch import nn\ndef conv(width): return nn.Conv2d(3, width, 1)")
    write("late.py", "width = 7")
    assert width_of(resolve(f"{path}:Net").build("meta")) == 7
    assert "layers" not in sys.modules
    assert "late" not in sys.modules


def test_two_folders_with_neighbours_of_one_name(write: Write) -> None:
    net = """
        import sizes
        from torch import nn

        def make():
            return nn.ModuleDict({"conv": nn.Conv2d(3, sizes.w, 1)})
    """
    for folder, width in (("old", 3), ("new", 9)):
        path = write(f"{folder}/net.py", net)
        write(f"{folder}/sizes.py", f"w = {width}")
        assert width_of(resolve(f"{path}:make").build("meta")) == width


def test_a_file_named_like_a_module_hides_nothing(write: Write) -> None:
    import torch.nn.functional as before

    path = write("functional.py", NET)
    resolve(f"{path}:Net").build("meta")
    import torch.nn.functional as after

    assert before is after
    assert "functional" not in sys.modules


def test_what_it_changes_in_the_process_is_restored(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        "net.py",
        """
        import sys, torch
        from torch import nn
        sys.path.append("elsewhere")
        torch.manual_seed(1)
        print("loading")

        def make():
            print("building", torch.rand(1).device.type)
            return nn.Linear(2, 2)
    """,
    )
    state = torch.get_rng_state()
    resolve(f"{path}:make").build("cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert "elsewhere" not in sys.path
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["loading", "building cpu"]


def test_weights_are_the_same_each_time(write: Write) -> None:
    target = resolve(f"{write('net.py', NET)}:Net")
    first, second = target.build("cpu"), target.build("cpu")
    assert first is not second
    assert torch.equal(first.conv.weight, second.conv.weight)  # type: ignore[attr-defined]


BROKEN = [
    pytest.param("import no_such_package_here\n", LoadError, "line 1: ModuleNotFoundError: No module", id="import"),
    pytest.param("x = 1\nx = x / 0\n", LoadError, r"line 2: ZeroDivisionError: division by zero\.", id="raises"),
    pytest.param("def f(:\n", LoadError, r"net\.py is not Python: .* \(line 1\)", id="syntax"),
    pytest.param("PK\x03\x04 not python at all", LoadError, "cannot be loaded: ", id="other-content"),
    pytest.param("x = 1\x00", LoadError, r"net\.py is not Python: [^()]*null bytes\.$", id="null-bytes"),
    pytest.param("import sys; sys.exit(3)\n", LoadError, r"calls sys\.exit\(\)", id="exits"),
    pytest.param("from .layers import conv\n", LoadError, "Name it as package.module:attr", id="relative-import"),
    pytest.param("class Nett: pass\nclass Other: pass\n", UsageError, r"has no 'Net'\. Nearest: Nett\.", id="misspelt"),
    pytest.param("def zzzzzz(): pass\n", UsageError, r"has no 'Net'\. It has zzzzzz\.", id="nothing-near"),
    pytest.param("", UsageError, "It has nothing that could be a model", id="empty"),
    pytest.param("Net = 3\n", LoadError, "is of type int. A model is an nn.Module", id="not-callable"),
    pytest.param("def Net(): return 3\n", LoadError, "returned int, neither a Module nor a function", id="no-model"),
    pytest.param(
        "class Net:\n    def __init__(self, width=3): raise ValueError('width must be even\\nreally')\n",
        LoadError, r"cannot be built: ValueError: width must be even \(.*net\.py:2\)\. It takes --arg width=3\.$",
        id="constructor",
    ),
    pytest.param(
        "def Net(): raise SystemExit(1)\n", LoadError, r"cannot be built: it calls sys.exit\(1\)",
        id="maker-exits",
    ),
    pytest.param(
        "def Net(k=1): raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: 40 GB')\n",
        LoadError, r"allocate memory: 40 GB \(.*net\.py:1\)\. A model on --device meta needs no memory\.$",
        id="out-of-memory",
    ),
    pytest.param("def Net(k: int): pass\n", UsageError, r"needs --arg k=VALUE\.$", id="required"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error", "message"), BROKEN)
def test_a_broken_file(write: Write, text: str, error: type[CnninspectError], message: str) -> None:
    path = write("net.py", "")
    path.write_bytes(text.encode())
    with pytest.raises(error, match=message) as caught:
        resolve(f"{path}:Net").build("meta")
    assert "\n" not in str(caught.value)


def test_a_missing_file(write: Write) -> None:
    folder = write("network.py", NET).parent
    with pytest.raises(UsageError, match=r"there is no file .*netwrok\.py'\. Did you mean '.*network\.py'\?"):
        resolve(f"{folder / 'netwrok.py'}:Net")
    nowhere = r"there is no file 'no/such/folder/net\.py'\. Name one that exists, as file\.py:attr\.$"
    with pytest.raises(UsageError, match=nowhere):
        resolve("no/such/folder/net.py:Net")
    (folder / "folder.py").mkdir()
    with pytest.raises(UsageError, match=r"folder\.py' is a directory, not a file\.$"):
        resolve(f"{folder / 'folder.py'}:Net")


def test_an_argument_that_it_does_not_take(write: Write) -> None:
    path = write("net.py", NET)
    with pytest.raises(UsageError, match=r"takes no --arg widht\. Nearest: width\."):
        resolve(f"{path}:Net", {"widht": 5})
    with pytest.raises(UsageError, match=r"takes no --arg groups\. It takes --arg width=8\."):
        resolve(f"{path}:Net", {"groups": 5})
    with pytest.raises(UsageError, match="is built already and takes no --arg"):
        resolve(f"{path}:built", {"width": 5})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("nosuchmodule:Net", "no provider or module is called 'nosuchmodule'", id="top-level"),
        pytest.param("torch.nosuch:Net", "there is no module 'torch.nosuch'", id="submodule"),
        pytest.param("torch.nn:Linaer", r"torch\.nn has no 'Linaer'\. Nearest: Linear", id="attribute"),
    ],
)
def test_a_module_that_is_not_there(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(spec)


def test_a_module_that_fails(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("brokennets.py", "import no_such_package_here").parent)
    with pytest.raises(LoadError, match=r"brokennets cannot be imported: ModuleNotFoundError: .*no_such_package_here"):
        resolve("brokennets:Net")


def test_a_text_file_is_no_module(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("net.txt", "hello").parent)
    with pytest.raises(UsageError, match=r"'net\.txt' is not a Python file"):
        resolve("net.txt:Net")


def test_a_path_object_is_a_target(write: Write) -> None:
    with pytest.raises(UsageError, match="does not say what to take from the file"):
        resolve(Path(write("net.py", NET)))
