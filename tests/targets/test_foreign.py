"""Code of others that fails while it is loaded or asked for an attribute: one sentence, never an error of our own."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from cnninspect import inspect_model
from cnninspect.errors import CnninspectError, LoadError, RunError, UsageError, error_text
from cnninspect.targets import torchvision_ops
from cnninspect.targets.resolve import resolve
from cnninspect.targets.torchvision_ops import MissingOperatorError, refused_at_once

from .conftest import Write

LAZY = """
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    {body}
"""

FAILING = [
    # (body of the module's __getattr__, kind of error, what the sentence says)
    pytest.param("import no_such_package_x", LoadError, "No module named 'no_such_package_x'", id="missing-package"),
    pytest.param("raise RuntimeError('needs a GPU')", LoadError, "RuntimeError: needs a GPU", id="runtime-error"),
    pytest.param("raise SystemExit(2)", LoadError, "sys.exit()", id="system-exit"),
    pytest.param(
        "raise ImportError('\\n Net needs the library foo')", LoadError, "Net needs the library foo", id="blank"
    ),
    pytest.param("raise BaseException('odd')", LoadError, "BaseException: odd", id="base-exception"),
    pytest.param("import math; return math.nothing", LoadError, "has no attribute 'nothing'", id="attribute-inside"),
    pytest.param("raise AttributeError(name)", UsageError, "has no 'Net'", id="not-there"),
    pytest.param("return 1 // 0", LoadError, "ZeroDivisionError", id="division"),
]


@pytest.mark.parametrize(("body", "kind", "sentence"), FAILING)
def test_a_module_that_fails_when_it_is_asked(write: Write, body: str, kind: type[Exception], sentence: str) -> None:
    path = write("lazy.py", LAZY.format(body=body))
    with pytest.raises(kind) as failed:
        inspect_model(f"{path}:Net", (1, 3))
    assert sentence in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_module_of_a_package_that_fails_when_it_is_asked(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write("lazypkg_of_test.py", LAZY.format(body="import no_such_package_x")).parent)
    with pytest.raises(LoadError, match="lazypkg_of_test cannot provide 'Net': ModuleNotFoundError") as failed:
        resolve("lazypkg_of_test:Net")
    assert failed.value.exit_code == 3


IMPORTS = [
    pytest.param("raise SystemExit", "sys.exit", id="system-exit"),
    pytest.param("import pytest; pytest.skip('no GPU', allow_module_level=True)", "no GPU", id="skip"),
    pytest.param("raise BaseException('odd')", "BaseException: odd", id="base-exception"),
]


@pytest.mark.parametrize(("text", "sentence"), IMPORTS)
def test_a_file_that_fails_while_it_is_loaded(write: Write, text: str, sentence: str) -> None:
    with pytest.raises(LoadError, match=sentence):
        resolve(f"{write('bad.py', text)}:Net")


def test_a_class_that_fails_at_any_question(write: Write) -> None:
    """As the stand-ins of transformers do for classes whose library is not installed."""
    path = write(
        "dummies.py",
        """
        class Meta(type):
            def __getattribute__(cls, name):
                if name.startswith("__") and name not in ("__name__", "__module__", "__wrapped__", "__code__"):
                    return super().__getattribute__(name)
                raise ImportError("Net needs the library foo")

        class Net(metaclass=Meta):
            pass
        """,
    )
    with pytest.raises(CnninspectError, match="Net needs the library foo"):
        inspect_model(f"{path}:Net", (1, 3))


def test_an_interruption_passes(write: Write) -> None:
    with pytest.raises(KeyboardInterrupt):
        resolve(f"{write('stopped.py', 'raise KeyboardInterrupt')}:Net")


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "words"),
    [(ValueError("\n\n a thing.\nmore"), "ValueError: a thing"), (KeyError(), "KeyError"), (_Mute(), "_Mute")],
    ids=["first-line", "nothing", "cannot-say"],
)
def test_what_an_exception_says(error: Exception, words: str) -> None:
    assert error_text(error) == words


def test_a_file_of_the_user_may_import_torchvision(write: Write) -> None:
    path = write("vision.py", "import torchvision\ndef make():\n    return torchvision.models.resnet18()\n")
    shown = "inspect_model(sys.argv[1], (1, 3, 32, 32)).totals['params'].value"
    code = f"import sys; from cnninspect import inspect_model; print({shown})"
    done = subprocess.run([sys.executable, "-c", code, f"{path}:make"], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "11689512"  # as torchvision publishes it


@pytest.mark.sweep
def test_a_test_of_the_user_may_import_torchvision(write: Write) -> None:
    path = write(
        "test_vision.py",
        """
        import torchvision

        def test_it(cnninspect):
            report = cnninspect(torchvision.models.resnet18(), (1, 3, 32, 32))
            assert report.totals["params"].value == 11689512
        """,
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", str(path)],
        cwd=path.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout[-600:]


class _Loader:
    """Loads a package that fails once, in words that are given."""

    def __init__(self, words: str) -> None:
        self.words, self.runs = words, 0

    def exec_module(self, module: object) -> None:
        self.runs += 1
        if self.runs == 1 and self.words:
            raise RuntimeError(self.words)


@pytest.mark.parametrize(
    ("words", "runs", "declared"),
    [("", 1, 0), ("operator torchvision::nms does not exist", 2, 1)],
    ids=["a-matched-pair", "another-build"],
)
def test_operators_are_declared_only_after_the_import_failed(
    monkeypatch: pytest.MonkeyPatch, words: str, runs: int, declared: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(torchvision_ops, "_declare_operators", lambda: calls.append(1))
    monkeypatch.setattr(torchvision_ops, "_forget_partial_import", lambda: None)
    loader = _Loader(words)
    torchvision_ops._make_patient(loader)
    loader.exec_module(SimpleNamespace())
    assert (loader.runs, len(calls)) == (runs, declared)


def test_another_failure_of_the_import_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_ops, "_declare_operators", lambda: pytest.fail("declared"))
    loader = _Loader("out of order")
    torchvision_ops._make_patient(loader)
    with pytest.raises(RuntimeError, match="out of order"):
        loader.exec_module(SimpleNamespace())


def test_every_detection_model_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision = torchvision_ops.import_torchvision()
    monkeypatch.setattr(torchvision_ops, "_library", object())
    detection = torchvision.models.list_models(module=torchvision.models.detection)
    assert len(detection) > 5
    for name in detection:
        with torch.device("meta"):
            model = torchvision.models.get_model(name, weights=None, weights_backbone=None).eval()
        with pytest.raises(MissingOperatorError), refused_at_once(model):
            model([torch.empty(3, 64, 64, device="meta")])
        assert not model._forward_pre_hooks
    with torch.device("meta"), refused_at_once(classifier := torchvision.models.resnet18().eval()):
        assert classifier(torch.empty(1, 3, 64, 64)).shape == (1, 1000)


def test_a_detection_model_of_the_user_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision = torchvision_ops.import_torchvision()
    monkeypatch.setattr(torchvision_ops, "_library", object())

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = torchvision.ops.RoIAlign(2, 1.0, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pool(x, [torch.zeros(1, 4, device=x.device)])  # type: ignore[no-any-return]

    with pytest.raises(RunError, match=r"Detector cannot run here: it needs torchvision's compiled operators"):
        inspect_model(Detector(), (1, 3, 8, 8))
