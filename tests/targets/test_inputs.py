"""The inputs of a run: the user's, a function's, a model's own, or inferred ones. Shapes are those a reader expects."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.errors import LoadError, RunError, UsageError
from cnninspect.targets.inputs import InputOptions, Inputs, make_inputs
from cnninspect.targets.resolve import resolve

from .conftest import Write


def inputs_of(model: Any, device: str = "meta", dtype: str | None = None, **options: Any) -> Inputs:
    target = resolve(model)
    return make_inputs(target, target.build(device, dtype), InputOptions.of(**options), device, dtype)


def shapes(inputs: Inputs) -> list[list[int]]:
    return [item["shape"] for item in inputs.described]


class LeNet(nn.Module):
    """Fits one image side only: 5x5 without padding, 2x2 pools, then 16 maps of `side` x `side`."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc = nn.Linear(16 * side * side, 10)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2):
            x = nn.functional.max_pool2d(conv(x), 2)
        return self.fc(x.flatten(1))


class AnchorsForOneSize(nn.Module):
    """Reads values once for every new size, so that on meta only the size it has seen runs; the CPU takes any."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.register_buffer("stride", torch.tensor([2.0], device="cpu"))
        self.shape: Any = None
        self.eval()(torch.zeros(1, 3, 32, 32, device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.shape != y.shape:
            self.anchors = torch.full(y.shape[-2:], float(self.stride[0]))
            self.shape = y.shape
        return y * self.anchors.to(y.device)


INFERRED = [
    pytest.param(nn.Conv2d(4, 8, 3), [1, 4, 224, 224], "float32", id="conv2d"),
    pytest.param(nn.Sequential(nn.ReLU(), nn.Conv1d(2, 8, 3)), [1, 2, 224], "float32", id="conv1d-after-an-activation"),
    pytest.param(nn.Conv3d(1, 8, 3), [1, 1, 64, 64, 64], "float32", id="conv3d"),
    pytest.param(nn.ConvTranspose2d(7, 8, 3), [1, 7, 224, 224], "float32", id="transposed"),
    pytest.param(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), [1, 784], "float32", id="linear"),
    pytest.param(nn.Embedding(100, 8), [1, 16], "int64", id="embedding"),
    pytest.param(nn.LSTM(5, 8, batch_first=True), [1, 16, 5], "float32", id="lstm-batch-first"),
    pytest.param(nn.GRU(5, 8), [16, 1, 5], "float32", id="gru"),
    pytest.param(nn.Conv2d(4, 8, 3).half(), [1, 4, 224, 224], "float16", id="dtype-of-the-parameters"),
    # ((32 - 4) / 2 - 4) / 2 = 5 and ((28 - 4) / 2 - 4) / 2 = 4
    pytest.param(LeNet(1, 5), [1, 1, 32, 32], "float32", id="only-32-fits"),
    pytest.param(LeNet(3, 4), [1, 3, 28, 28], "float32", id="only-28-fits"),
    pytest.param(AnchorsForOneSize(), [1, 3, 224, 224], "float32", id="anchors-for-32"),
]


@pytest.mark.parametrize(("model", "shape", "dtype"), INFERRED)
def test_inferred_from_the_first_layer(model: nn.Module, shape: list[int], dtype: str) -> None:
    report = inspect_model(model)
    assert report.run["inputs"] == [{"name": "0", "shape": shape, "dtype": dtype}]
    assert "is inferred from the first layer" in report.notes[0]
    assert all(not p.is_meta for p in model.parameters())


def test_a_size_that_no_usual_input_has() -> None:
    """((n - 4) / 2 - 4) / 2 = 7 asks for n = 40."""
    with pytest.raises(RunError, match=r"`fc` \(Linear\): .* No usual input runs \(1x3x224x224, 1x3x32x32, .*--input"):
        inspect_model(LeNet(3, 7))


def test_the_note_names_the_layer_and_the_size() -> None:
    assert inspect_model(LeNet(1, 5)).notes[0] == (
        "the input 1x1x32x32 is inferred from the first layer, `conv1` (Conv2d); "
        "its size is the first usual one with which the model runs. --input gives another one."
    )


def test_on_meta_alone_the_size_is_one_that_runs_there() -> None:
    """224x224 fails on meta, where the values of the buffer cannot be read, and runs on the CPU."""
    notes = inspect_model(AnchorsForOneSize(), device="meta").notes
    assert "the input 1x3x32x32 is" in notes[0]
    assert "the first usual one with which the model runs on meta." in notes[0]


def two_inputs(x, mask):  # type: ignore[no-untyped-def]
    return x * mask


class TwoInputs(nn.Conv2d):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x) * mask


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(nn.ReLU(), r"the inputs of ReLU \(input\) are not known", id="no-weights"),
        pytest.param(nn.BatchNorm2d(3), r"the inputs of BatchNorm2d \(input\) are not known", id="norm-only"),
        pytest.param(nn.LazyConv2d(8, 3), r"the inputs of LazyConv2d \(input\) are not known", id="lazy"),
        pytest.param(nn.Sequential(nn.LazyConv2d(8, 3), nn.Linear(5, 5)), "are not known", id="linear-after-lazy"),
        pytest.param(nn.TransformerEncoderLayer(8, 2), "are not known", id="attention-first"),
        pytest.param(
            TwoInputs(3, 8, 3), r"\(x, mask\) are not known\. Give --input .* for each of them", id="two-inputs"
        ),
        pytest.param(
            two_inputs, r"\(x, mask\) are not known\..* If it builds a model instead, give --arg x=VALUE", id="function"
        ),
    ],
)
def test_what_cannot_be_inferred_is_asked_for(model: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        inputs_of(model)


CONV = nn.Conv2d(3, 8, 3)


def test_the_users_shapes() -> None:
    assert shapes(inputs_of(CONV, input_shape=(2, 3, 8, 9))) == [[2, 3, 8, 9]]
    assert shapes(inputs_of(CONV, input_shape=torch.Size([2, 3, 8, 9]))) == [[2, 3, 8, 9]]
    assert shapes(inputs_of(CONV, input_shape="2x3x8x9")) == [[2, 3, 8, 9]]
    assert shapes(inputs_of(two_inputs, input_shape=[(2, 3), (2, 1)])) == [[2, 3], [2, 1]]
    assert shapes(inputs_of(two_inputs, inputs=["2x3", "mask=2x1:bool"])) == [[2, 3], [2, 1]]


def test_names_and_dtypes_are_described() -> None:
    inputs = inputs_of(two_inputs, inputs=["2x3", "mask=2x1:bool"], dtype="float64")
    assert inputs.described == (
        {"name": "0", "shape": [2, 3], "dtype": "float64"},
        {"name": "mask", "shape": [2, 1], "dtype": "bool"},
    )
    assert list(inputs.kwargs) == ["mask"]


@pytest.mark.parametrize("size", [10**10, 10**20], ids=["too-many-bytes", "too-large-an-integer"])
def test_shapes_that_torch_cannot_hold(size: int) -> None:
    with pytest.raises(UsageError, match=rf"^the input 1x3x{size}x{size} cannot be made on meta: .*another --input\.$"):
        inputs_of(CONV, input_shape=(1, 3, size, size))


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(3, id="number"),
        pytest.param((1, 3, 8.0, 8), id="fraction"),
        pytest.param(torch.zeros(1, 3, 8, 8), id="tensor"),
        pytest.param([torch.zeros(1, 3)], id="tensors"),
        pytest.param([(1, 3), 4], id="mixture"),
    ],
)
def test_an_input_shape_that_holds_no_sizes(thing: Any) -> None:
    with pytest.raises(UsageError, match=r"input_shape is neither a shape such as .* Give tensors as inputs_from"):
        InputOptions.of(thing)


def test_one_text_is_one_input() -> None:
    assert InputOptions.of(inputs="2x7:int64") == InputOptions.of(inputs=["2x7:int64"])


@pytest.mark.parametrize("dtype", [torch.float16, "torch.float16", "half"], ids=str)
def test_a_report_names_the_dtype_in_one_way(dtype: str | torch.dtype) -> None:
    run = inspect_model(CONV, (1, 3, 4, 4), dtype=dtype).run
    assert (run["dtype"], run["inputs"][0]["dtype"]) == ("float16", "float16")


@pytest.mark.parametrize("shape", [(2, 3, -1), (2, 0), ()])
def test_shapes_that_are_none(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"is not positive|has no shape"):
        inputs_of(CONV, input_shape=shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"inputs": ["1x3"] * 3}, r"forward of two_inputs, which takes \(x, mask\)", id="many"),
        pytest.param({"inputs": ["1x3"]}, "missing a required argument: 'mask'", id="few"),
        pytest.param({"inputs": ["1x3", "msk=1x3"]}, "'mask'", id="wrong-keyword"),
        pytest.param({"inputs": ["1x3"], "inputs_from": "a.py:f"}, "--input and --inputs-from exclude", id="both"),
        pytest.param({"inputs": ["1x3"], "batch_size": 2}, "--batch-size changes default inputs", id="batch-of-given"),
        pytest.param({"batch_size": 0}, "--batch-size 0 is not positive", id="empty-batch"),
        pytest.param({"inputs": (torch.zeros(1, 3),)}, r"inputs_from=lambda: \(tensor,\)", id="tensor-as-text"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        inputs_of(two_inputs, **options)


def test_the_batch_size_of_default_inputs() -> None:
    assert shapes(inputs_of(CONV, batch_size=8)) == [[8, 3, 224, 224]]
    assert inspect_model(CONV, batch_size=8).notes[0].startswith("the input 8x3x224x224 is inferred")
    assert shapes(inputs_of("zoo:three-layer-module", batch_size=2)) == [[2, 3, 32, 32]]


def test_values_are_the_same_each_time_and_integers_index_any_table() -> None:
    first, second = (inputs_of(CONV, "cpu", input_shape=(1, 3, 4, 4)).args[0] for _ in range(2))
    assert torch.equal(first, second)
    assert first.std() > 0
    assert inputs_of(nn.Embedding(1, 4), "cpu").args[0].count_nonzero() == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_floating_inputs_follow_the_dtype(dtype: str) -> None:
    target = resolve(nn.Conv2d(3, 8, 3))
    model = target.build("cpu", dtype)
    inputs = make_inputs(target, model, InputOptions.of((1, 3, 4, 4)), "cpu", dtype)
    assert model(*inputs.args).dtype == getattr(torch, dtype)


FUNCTIONS = """
    import torch
    def one(): return torch.zeros(2, 3)
    def positional(): return torch.zeros(2, 3), torch.ones(2, 1, dtype=torch.bool)
    def keywords(): return (torch.zeros(2, 3),), {"mask": torch.ones(2, 1)}
    def nested(): return [torch.zeros(2, 3), {"a": torch.zeros(1)}], 7
    def wrong(): return {"x": torch.zeros(2, 3)}
    def fails(): raise RuntimeError("no data\\nat all")
    number = 3
"""


@pytest.mark.parametrize(
    ("function", "args", "names"),
    [
        pytest.param("positional", 2, ["0", "1"], id="tuple"),
        pytest.param("keywords", 1, ["0", "mask"], id="args-and-kwargs"),
        pytest.param("nested", 2, ["0.0", "0.1.a"], id="containers"),
    ],
)
def test_inputs_from_a_function(write: Write, function: str, args: int, names: list[str]) -> None:
    inputs = inputs_of(two_inputs, inputs_from=f"{write('data.py', FUNCTIONS)}:{function}")
    assert len(inputs.args) == args
    assert [item["name"] for item in inputs.described] == names
    assert inputs.args[0].is_meta if isinstance(inputs.args[0], Tensor) else inputs.args[0][0].is_meta


def test_inputs_from_a_function_take_the_dtype(write: Write) -> None:
    path = write("data.py", FUNCTIONS)
    inputs = inputs_of(two_inputs, "cpu", dtype="float16", inputs_from=f"{path}:positional")
    assert [item["dtype"] for item in inputs.described] == ["float16", "bool"]


def test_inputs_from_a_callable_of_the_python_api() -> None:
    assert shapes(inputs_of(CONV, inputs_from=lambda: torch.zeros(1, 3, 5, 5))) == [[1, 3, 5, 5]]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        pytest.param("wrong", UsageError, r"returned a dict\. Return the positional tuple", id="dict"),
        pytest.param("number", UsageError, "is of type int, not a function", id="no-function"),
        pytest.param("nothing", UsageError, "has no 'nothing'", id="missing"),
        pytest.param("fails", LoadError, r"failed: RuntimeError: no data\.$", id="raises"),
    ],
)
def test_inputs_from_that_fail(write: Write, function: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        inputs_of(CONV, inputs_from=f"{write('data.py', FUNCTIONS)}:{function}")


def test_inputs_from_must_name_a_function() -> None:
    with pytest.raises(UsageError, match=r"--inputs-from resnet18 is not file\.py:fn"):
        inputs_of(CONV, inputs_from="resnet18")


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_lazy_layers_get_their_shape_and_the_instance_does_not(device: str) -> None:
    model = nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(10), nn.LazyBatchNorm1d())
    target = resolve(model)
    built = target.build(device)
    make_inputs(target, built, InputOptions.of((2, 3, 6, 6)), device)
    assert isinstance(built, nn.Sequential)
    assert type(built[0]) is nn.Conv2d
    assert built[0].in_channels == 3
    # A 3x3 kernel makes 4x4 of 6x6.
    assert built[2].in_features == 8 * 4 * 4
    # Its running mean is a buffer without a shape, which torch's own deepcopy refuses.
    assert built[3].running_mean.shape == (10,)
    assert [type(layer) for layer in model] == [nn.LazyConv2d, nn.Flatten, nn.LazyLinear, nn.LazyBatchNorm1d]
