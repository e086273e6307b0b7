"""The trace: what is seen, under which path and number, and that nothing stays behind."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.ops.catalogue import layer_of
from cnninspect.trace.isolation import restored
from cnninspect.trace.recorder import ForwardFailed, record


def trace_of(model, *args, device="cpu", **kwargs):
    return record(model, args, kwargs, layer_of, device=device)


def names(trace):
    return [(call.path, call.number, call.kind) for call in trace.calls]


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(self.pool(self.pool(x)))


def test_a_module_used_three_times_is_three_calls():
    assert names(trace_of(Reused(), torch.rand(1, 3, 8, 8))) == [
        ("", 0, "Reused"), ("pool", 0, "MaxPool2d"), ("pool", 1, "MaxPool2d"), ("pool", 2, "MaxPool2d"),
    ]  # fmt: skip


class DirectForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv.forward(x)


def test_forward_called_directly_is_a_call():
    assert ("conv", 0, "Conv2d") in names(trace_of(DirectForward(), torch.rand(1, 3, 8, 8)))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 3, 3, 3))

    def forward(self, x):
        x = F.relu(F.conv2d(x, self.weight))
        x = F.max_pool2d(x, 2)
        x += 1
        return torch.cat([x, x * 2], dim=1)


def test_functional_calls_carry_the_path_of_their_module_and_their_public_name():
    trace = trace_of(nn.Sequential(Functional()), torch.rand(1, 3, 8, 8))
    functional = [(call.path, call.kind, call.depth) for call in trace.calls if call.functional]
    assert functional == [
        ("0", "F.conv2d", 2), ("0", "F.relu", 2), ("0", "F.max_pool2d", 2), ("0", "Tensor.add_", 2),
        ("0", "Tensor.mul", 2), ("0", "torch.cat", 2),
    ]  # fmt: skip


def test_what_a_known_layer_does_inside_makes_no_rows_but_ops():
    trace = trace_of(nn.Linear(3, 4), torch.rand(2, 5, 3))
    assert names(trace) == [("", 0, "Linear")]
    assert "aten.addmm" in {op.packet for op in trace.ops}
    assert {op.call for op in trace.ops} == {0}


def test_shape_queries_make_no_rows():
    def function(x):
        if x.shape[0] == x.size(0) and x.dim() == 4 and len(x) and x.is_floating_point() and x.device is not None:
            return x.relu()
        return x

    assert [call.kind for call in trace_of(function, torch.rand(1, 3, 8, 8)).calls] == ["function", "Tensor.relu"]


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(1, 3, 1, 1))

    def forward(self, x):
        return {"out": x * self.scale, "twice": (x * self.scale,)}


@dataclasses.dataclass
class Output:
    first: torch.Tensor
    second: torch.Tensor


class Structured(nn.Module):
    def forward(self, x, *, mask=None, extras=None):
        return Output(first=x * mask, second=x + extras["a"])


def test_a_parameter_is_fresh_at_its_first_use_only():
    trace = trace_of(Scaled(), torch.rand(1, 3, 8, 8))
    assert [sum(ref.fresh for ref in call.inputs) for call in trace.calls if call.functional] == [3, 0]


def test_dictionary_outputs_and_keyword_inputs_are_seen():
    trace = trace_of(Structured(), torch.rand(1, 3), mask=torch.rand(1, 3), extras={"a": torch.rand(1, 3)})
    assert list(trace.inputs) == ["0", "mask", "extras.a"]
    assert [ref.shape for ref in trace.outputs] == [(1, 3), (1, 3)]
    assert len(trace_of(Scaled(), torch.rand(1, 3, 8, 8)).calls[0].outputs) == 2


class Parts(nn.Module):
    """A projection whose thirds are used one by one, as attention does with in_proj_weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(12, 4))

    def forward(self, x):
        q, k, v = self.weight.chunk(3)
        return F.linear(x, q) + F.linear(x, k) + F.linear(x, v) + F.linear(x, q)


def test_parts_of_a_parameter_are_each_counted_once():
    calls = [call for call in trace_of(Parts(), torch.rand(2, 4)).calls if call.kind == "F.linear"]
    # Each third is 4 x 4; the second use of the first third reads nothing new.
    assert [sum(ref.fresh for ref in call.inputs) for call in calls] == [4 * 4, 4 * 4, 4 * 4, 0]


class TwoParents(nn.Module):
    def __init__(self):
        super().__init__()
        shared = nn.Linear(4, 4)
        self.a = nn.Sequential(shared)
        self.b = nn.Sequential(shared)

    def forward(self, x):
        return self.b(self.a(x))


def test_a_module_under_two_parents_keeps_its_first_path_and_counts_on():
    trace = trace_of(TwoParents(), torch.rand(1, 4))
    uses = [call for call in trace.calls if call.kind == "Linear"]
    assert [(call.path, call.number) for call in uses] == [("a.0", 0), ("a.0", 1)]
    assert [trace.calls[call.parent].path for call in uses] == ["a", "b"]
    assert [sum(state.fresh for state in call.state.values()) for call in uses] == [4 * 4 + 4, 0]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens))


def test_a_tied_weight_is_fresh_in_the_embedding_and_stale_in_the_head():
    trace = trace_of(Tied(), torch.zeros(1, 3, dtype=torch.long))
    fresh = {call.path: sum(state.fresh for state in call.state.values()) for call in trace.calls}
    assert fresh == {"": 0, "embed": 10 * 4, "head": 0}


def test_in_place_ops_give_new_values_to_the_same_storage():
    def function(x):
        y = x + 1
        y.mul_(2)
        return y

    trace = trace_of(function, torch.rand(3))
    add, mul = trace.ops
    assert mul.writes == (add.outputs[0].value,)
    assert mul.outputs[0].value != add.outputs[0].value
    assert mul.outputs[0].storage == add.outputs[0].storage
    assert trace.outputs[0].value == mul.outputs[0].value


def test_views_share_the_storage_of_their_base():
    trace = trace_of(lambda x: x.view(2, 2)[0], torch.rand(4))
    assert {ref.storage for op in trace.ops for ref in op.outputs} == {trace.inputs["0"].storage}


class Watched(nn.Module):
    """Runs a function that uses a module of its own."""

    def __init__(self, function, inner):
        super().__init__()
        self.function, self.inner = function, inner

    def forward(self, x):
        return self.function(x)


class Raises(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.error = error

    def forward(self, x):
        self.conv(x)
        raise self.error


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["raises", "interrupted"])
def test_everything_is_restored_when_the_forward_ends_early(error):
    model, x = Raises(error).train(), torch.rand(1, 3, 8, 8)
    model.conv.eval()
    state = (
        torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled,
        torch.is_grad_enabled(), torch.get_rng_state().tolist(),
    )  # fmt: skip
    hooks = nn.modules.module._global_forward_pre_hooks.copy()
    with pytest.raises((ForwardFailed, KeyboardInterrupt)):
        trace_of(model, x)
    assert "forward" not in vars(model)
    assert "forward" not in vars(model.conv)
    assert (model.training, model.conv.training) == (True, False)
    assert nn.modules.module._global_forward_pre_hooks == hooks
    assert state == (
        torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled,
        torch.is_grad_enabled(), torch.get_rng_state().tolist(),
    )  # fmt: skip
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    assert torch.overrides._get_current_function_mode_stack() == []


async def later(x):
    return F.relu(x)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("output", [lambda x: (F.relu(x) for _ in range(2)), later], ids=["generator", "coroutine"])
def test_work_that_has_not_been_done_is_not_counted_as_nothing(output):
    with pytest.raises(ForwardFailed, match="whose body has not run"):
        trace_of(output, torch.rand(1, 2))


def test_work_in_another_thread_is_refused():
    model = nn.Sequential(nn.Linear(2, 2))

    def in_a_thread(x):
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(model, x).result()

    with pytest.raises(ForwardFailed, match="runs in another thread"):
        trace_of(Watched(in_a_thread, model), torch.rand(1, 2))


@pytest.mark.filterwarnings("error")
def test_a_compiled_module_has_nothing_to_say_about_our_hooks():
    trace = trace_of(torch.compile(nn.Sequential(nn.Linear(2, 2)), backend="eager"), torch.rand(1, 2))
    assert [call.kind for call in trace.calls][-1] == "Linear"


def test_a_failure_names_the_innermost_open_call():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(9, 4, 3)))
    with pytest.raises(ForwardFailed) as caught:
        trace_of(model, torch.rand(1, 3, 8, 8))
    assert caught.value.call.path == "1.0"


def test_training_mode_leaves_running_statistics_as_they_were():
    model = nn.BatchNorm2d(3)
    record(model, (torch.rand(4, 3, 5, 5),), {}, layer_of, device="cpu", training=True)
    assert model.running_mean.tolist() == [0, 0, 0]
    assert model.num_batches_tracked.item() == 0


class Caches(nn.Module):
    """Makes a table in its first forward, replaces a layer, and counts its runs."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.zeros(1))
        self.layers = nn.ModuleList([nn.Linear(8, 8)])
        self.runs = 0

    def forward(self, x):
        if self.runs == 0:
            self.table = torch.arange(8.0)
        y = self.layers[0](x + self.table)
        self.layers[0] = nn.Identity()
        self.runs += 1
        return y


def test_what_a_forward_keeps_is_not_there_for_the_next_one():
    model = Caches()
    runs = [trace_of(model, torch.rand(1, 8)) for _ in range(2)]
    for trace in runs:
        assert [call.kind for call in trace.calls] == ["Caches", "torch.arange", "Tensor.add", "Linear"]
    assert (model.runs, model.table.shape, type(model.layers[0])) == (0, (1,), nn.Linear)


def test_a_lazy_layer_stays_what_its_first_forward_makes_of_it():
    model = nn.Sequential(nn.LazyLinear(4))
    with restored(model, training=False):
        model(torch.rand(1, 8))
    assert (type(model[0]), model[0].in_features, model[0].weight.shape) == (nn.Linear, 8, (4, 8))


class Fused(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x):
        return self.encoder(x)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_fused_fast_paths_show_their_matrix_products(device):
    model = Fused().to(device)
    trace = record(model, (torch.rand(2, 5, 8, device=device),), {}, layer_of, device=device)
    assert not [op.name for op in trace.ops if "transformer_encoder" in op.name or "scaled_dot" in op.name]
    assert "aten.bmm" in {op.packet for op in trace.ops}


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_trace_is_plain_data(device):
    model = nn.Sequential(Functional(), Reused()).to(device)
    trace = record(model, (torch.rand(1, 3, 32, 32, device=device),), {}, layer_of, device=device)
    assert json.loads(json.dumps(dataclasses.asdict(trace)))["device"] == device


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.never = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))
        self.table = nn.Parameter(torch.rand(7))

    def forward(self, x):
        return self.used(x)


def test_modules_that_never_ran_and_parameters_never_read_are_listed():
    trace = trace_of(Idle(), torch.rand(1, 2))
    assert trace.never_ran == ["never"]
    assert trace.unread == {"never.0.weight": 4, "never.0.bias": 2, "table": 7}


def test_modules_made_during_the_forward_are_calls():
    class Maker(nn.Module):
        def forward(self, x):
            return nn.Softmax(dim=1)(x)

    assert names(trace_of(Maker(), torch.rand(1, 2)))[1][2] == "Softmax"


def test_a_scripted_part_is_seen_by_its_ops():
    model = nn.Sequential(torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.ReLU())), nn.Linear(4, 2))
    trace = trace_of(model, torch.rand(1, 3))
    assert [(c.path, c.kind) for c in trace.calls if c.functional and "mm" in c.kind] == [("0", "aten.addmm")]


def test_parts_of_a_scripted_module_are_not_said_to_never_run():
    assert trace_of(torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.ReLU())), torch.rand(1, 3)).never_ran == []


class Labelled(nn.Module):
    def forward(self, x):
        with torch.profiler.record_function("a block"):
            return x + 1


def test_labels_for_the_profiler_are_no_calls():
    trace = trace_of(Labelled(), torch.rand(3))
    assert names(trace) == [("", 0, "Labelled"), ("", 0, "Tensor.add")]
    assert [op.packet for op in trace.ops] == ["aten.add"]


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 3))
        self.inner.register_forward_pre_hook(lambda module, args: (args[0] * 2,))

    def forward(self, x):
        return self.inner(x)


def test_what_a_forward_pre_hook_computes_belongs_to_the_module_that_has_it():
    trace = trace_of(Hooked(), torch.rand(1, 3))
    assert [(call.path, call.kind) for call in trace.calls] == [
        ("", "Hooked"), ("inner", "Sequential"), ("inner", "Tensor.mul"), ("inner.0", "Linear"),
    ]  # fmt: skip
    # The row's input is what the hook handed on.
    assert trace.calls[1].inputs[0].value == trace.calls[2].outputs[0].value


def test_a_hook_of_the_root_makes_no_second_root():
    root = Hooked().inner
    assert [call.parent for call in trace_of(root, torch.rand(1, 3)).calls] == [None, 0, 0]
