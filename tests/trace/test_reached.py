"""The names by which the code of a run reaches functions of torch; afterwards torch is as it was."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import relu

from cnninspect.conventions.table import REPLACED
from cnninspect.ops.catalogue import layer_of
from cnninspect.report.reasons import Declined
from cnninspect.trace.reached import reached
from cnninspect.trace.recorder import record
from cnninspect.trace.records import Layer

NAMES = ["F.relu", "F.conv1d", "torch.matmul", "Tensor.matmul", "Tensor.__matmul__", "Tensor.add", "F.linear"]


class Net(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.fc, self.code = nn.Linear(4, 4), code

    def forward(self, x):
        return self.code(self, x)


def names(code, shape=(4, 4), names=NAMES):
    """(name, kind of the trace's call, whether it is this call) of everything that is reached."""
    net, inputs = Net(code), (torch.ones(shape, device="meta"),)
    trace = record(net.to("meta"), inputs, {}, layer_of, device="meta")
    found = reached(net, inputs, {}, trace, names)
    return [(each.name, trace.calls[each.call].kind, each.own) for each in found]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (lambda _, x: F.relu(x), [("F.relu", "F.relu", True)]),
        (lambda _, x: relu(x) + torch.relu(x) + x.relu(), []),
        (lambda _, x: x @ x, [("Tensor.__matmul__", "Tensor.matmul", True)]),
        (lambda _, x: x.__matmul__(x), [("Tensor.__matmul__", "Tensor.matmul", True)]),
        (lambda _, x: x.matmul(x), [("Tensor.matmul", "Tensor.matmul", True)]),
        (lambda _, x: torch.matmul(x, x), [("torch.matmul", "torch.matmul", True)]),
        (lambda _, x: sum([x.add(x), x]), [("Tensor.add", "Tensor.add", True)]),
        (lambda s, x: torch.conv1d(x[None], s.fc.weight[..., None]), []),
        (lambda s, x: F.conv1d(x[None], s.fc.weight[..., None]), [("F.conv1d", "F.conv1d", True)]),
        (lambda s, x: s.fc(x), [("F.linear", "Linear", False)]),
        (lambda _, x: F.relu(x @ x), [("Tensor.__matmul__", "Tensor.matmul", True), ("F.relu", "F.relu", True)]),
    ],
)  # fmt: skip
def test_the_name_that_the_code_uses(code, expected):
    assert names(code) == expected


def places():
    owners = {"F": F, "torch": torch, "Tensor": torch.Tensor, "torch.linalg": torch.linalg}
    return [(owners[name.rpartition(".")[0]], name.rpartition(".")[2]) for name in REPLACED]


def test_torch_is_as_before_also_after_a_failure():
    before = [(vars(owner).get(name), getattr(owner, name)) for owner, name in places()]
    ran = []

    def fails(_, x):
        ran.append(torch.matmul)
        if len(ran) == 2:
            raise ValueError("once")
        return x

    with pytest.raises(Declined, match="with functions of torch replaced, the model fails: ValueError: once"):
        names(fails, names=REPLACED)
    assert ran[0] is not ran[1]
    assert [(vars(owner).get(name), getattr(owner, name)) for owner, name in places()] == before
    assert torch.equal(torch.eye(2) @ torch.eye(2), torch.eye(2))


def test_other_calls_in_the_second_run():
    ran = []

    def changes(_, x):
        ran.append(0)
        return x.add(x) if len(ran) == 1 else x.mul(x)

    with pytest.raises(Declined, match="a second run of the model makes other calls than the first"):
        names(changes)


def test_functions_of_other_threads_are_not_noted():
    """They pass; the main thread's own call is noted."""
    done = []

    def other(stop):
        while not stop.is_set():
            done.append(F.relu(torch.ones(2)))

    stop = threading.Event()
    thread = threading.Thread(target=other, args=(stop,))
    thread.start()
    try:
        assert names(lambda _, x: F.relu(x)) == [("F.relu", "F.relu", True)]
    finally:
        stop.set()
        thread.join()
    assert done


def test_a_call_of_forward_is_direct():
    net = Net(lambda s, x: s.fc.forward(s.fc(x)))
    trace = record(net, (torch.ones(2, 4),), {}, lambda _: Layer(), device="cpu")
    assert [(call.path, call.direct) for call in trace.calls if not call.functional] == [
        ("", False), ("fc", False), ("fc", True),
    ]  # fmt: skip
