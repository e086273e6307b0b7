"""torch's compiler and sympy are not imported for a run, and work afterwards as before."""

import builtins
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import product

import pytest
import torch

from cnninspect.trace.private_torch import _IF_NUMBERS, compiler_not_imported

COMMANDS = """
import contextlib, io, sys
from cnninspect.cli.app import run

for command in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = run(command.split())
    heavy = "torch._dynamo torch._inductor sympy networkx torch.fx.experimental.symbolic_shapes".split()
    print(code, *(name for name in heavy if name in sys.modules))
"""

COMPILED = """
import builtins, sys, torch
from cnninspect import inspect_model
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.private_torch import compiler_not_imported

import_of_python = builtins.__import__
def add_one(x):
    return x + 1
add_one.__module__ = "timm.of_a_test"

with compiler_not_imported():
    hidden = torch.compiler.disable(add_one)
import_torchvision()
inspect_model("custom-alexnet", probe=True, command="compare")
model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.GELU(), torch.nn.Flatten())
inspect_model(model, (1, 1, 8, 8), training=True)
print(builtins.__import__ is import_of_python, "torch._dynamo" in sys.modules)

from torch._dynamo.testing import CompileCounter

def graphs_and_ops(function, x):
    counter = CompileCounter()
    same = torch.equal(torch.compile(function, backend=counter)(x), function(x))
    return counter.frame_count, counter.op_count, same

print(*graphs_and_ops(model.eval(), torch.rand(1, 1, 8, 8)))
print(*graphs_and_ops(lambda x: hidden(x * 2) * 3, torch.ones(2)))
"""


def lines_of(script, *arguments):
    found = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return found.stdout.splitlines()


def test_no_command_imports_the_compiler(tmp_path):
    (tmp_path / "own.py").write_text("import torchvision\nnet = torchvision.models.squeezenet1_1\n")
    commands = [
        f"summary {tmp_path / 'own.py'}:net --input 1x3x64x64",
        "flops torchvision:swin_t",
        "compare zoo:unet-small",
        "summary timm:test_vit",
    ]
    assert lines_of(COMMANDS, *commands) == ["0"] * len(commands)


def test_a_model_compiles_after_a_run():
    # (graphs, ops, same result) of CompileCounter: four modules; one op before the hidden function and one after it.
    assert lines_of(COMPILED) == ["True False", "1 4 True", "2 2 True"]


def test_functions_are_hidden_again_after_a_run():
    # In this process the compiler may be imported, and then hides a function at its first call: that stays hidden.
    from torch._refs import add

    if "torch._dynamo" in sys.modules:
        torch.add(torch.empty(2, device="meta"), torch.empty(2, device="meta"))
    before = [vars(step).get("__dynamo_disable") for step in chain(add)]
    with compiler_not_imported():
        torch.add(torch.empty(2, device="meta"), torch.empty(2, device="meta"))
    assert [vars(step).get("__dynamo_disable") for step in chain(add)] == before


def chain(function):
    """A function and those that it wraps."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)


IMPORTING = "def importing():\n import sympy\n return sympy\nimport sympy as at_the_top\nfound = importing()"


@pytest.mark.parametrize("module", ["torch._refs", "my_model"])
def test_only_functions_of_torch_in_this_thread_get_a_substitute(module, monkeypatch):
    # The real sympy is the stand-in of this test, so that importing it costs nothing.
    real = type(sys)("sympy")
    monkeypatch.delitem(sys.modules, "sympy", raising=False)
    monkeypatch.setattr(builtins, "__import__", lambda name, *_: real if name == "sympy" else None)

    def importer():
        names = {"__name__": module}
        exec(IMPORTING, names)
        return names["at_the_top"] is real, names["found"] is real

    with compiler_not_imported(), ThreadPoolExecutor(1) as other_thread:
        assert importer() == (True, module == "my_model")
        assert other_thread.submit(importer).result() == (True, True)
    assert importer() == (True, True)


VALUES = [True, False, 0, 1, 7, (1, 2), [1, 2], (1, 3), (1,), [], torch.Size((1, 2)), (True,), ((1, 2), 3)]


@pytest.mark.filterwarnings("ignore:guard_size_oblivious will be removed")
def test_substitutes_give_what_torch_gives_for_numbers():
    # The expected values are those of torch's own functions, which raise AssertionError for other types.
    shapes = import_module("torch.fx.experimental.symbolic_shapes")
    known = {name: substitute for name, substitute in _IF_NUMBERS.items() if hasattr(shapes, name)}
    assert len(known) >= 10
    for name, substitute in known.items():
        given = list(product(VALUES, repeat=2 if name in ("sym_eq", "sym_and", "sym_or") else 1))
        answered = [(values, found) for values in given if (found := substitute(*values)) is not NotImplemented]
        assert len(answered) >= 2, name
        for values, found in answered:
            expected = getattr(shapes, name)(*values)
            assert (type(found), found) == (type(expected), expected), (name, values)


def test_a_substitute_knows_the_rest_of_its_module():
    # In a process of its own, in which neither is imported yet: sympy.Integer(2) is 2; `import a.b.c` binds `a`.
    script = """
import sys, torch
from cnninspect.trace.private_torch import compiler_not_imported
names = {"__name__": "torch.of_a_test", "sys": sys}
exec('''
def importing():
    import sympy
    first = isinstance(1, sympy.Basic), "sympy" in sys.modules
    return first, sympy.Integer(2) == 2, "sympy" in sys.modules
def dotted():
    import torch.fx.experimental.symbolic_shapes as shapes
    return shapes.ShapeEnv.__name__
''', names)
with compiler_not_imported():
    print(*names["importing"](), names["dotted"]())
"""
    assert lines_of(script) == ["(False, False) True True ShapeEnv"]
