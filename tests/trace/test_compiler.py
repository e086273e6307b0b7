"""torch's compiler is not imported for a run, and works afterwards as before."""

import subprocess
import sys

from cnninspect.trace.private_torch import compiler_not_imported

SCRIPT = """
import sys, torch
from cnninspect import inspect_model
model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.GELU(), torch.nn.Flatten())
inspect_model("custom-alexnet", probe=True, command="compare")
inspect_model(model, (1, 1, 8, 8), training=True)
print("torch._dynamo" in sys.modules)
from torch._dynamo.testing import CompileCounter
compiled = CompileCounter()
model.eval()
x = torch.rand(1, 1, 8, 8)
same = torch.equal(torch.compile(model, backend=compiled)(x), model(x))
print(compiled.frame_count, compiled.op_count, same)
"""


def test_no_run_imports_the_compiler_and_a_model_compiles_afterwards():
    # op_count by torch's own CompileCounter: one graph of the four modules.
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "1", "4", "True"]


def test_functions_are_hidden_again_after_a_run():
    # In this process the compiler may be imported: what was hidden stays hidden, and nothing else is.
    from torch._refs import add

    before = [vars(step).get("__dynamo_disable") for step in chain(add)]
    with compiler_not_imported():
        pass
    assert [vars(step).get("__dynamo_disable") for step in chain(add)] == before


def chain(function):
    """A function and those that it wraps."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)
