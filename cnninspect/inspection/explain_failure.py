"""Say in one sentence why a forward pass failed, where, and what to try."""

from __future__ import annotations

from cnninspect.targets.inputs import Inputs
from cnninspect.targets.target import Function, Target
from cnninspect.trace.encode import live_tensors
from cnninspect.trace.recorder import ForwardFailed
from cnninspect.trace.records import Call

_META_LIMITS = (
    "meta tensor", "Meta tensor", "'Meta' backend", "Meta backend", "aten::_local_scalar_dense", "data-dependent",
    "without data", "on meta", "at meta", "device meta", "meta device", "type meta", "no data",
)  # fmt: skip

# Which hyper-parameter of a layer fixes which dimension of its input: (name, dimension from the end of the
# channel-first or channel-last shape, what users call it).
_EXPECTED = {
    "Conv1d": ("in_channels", -2, "input channels"),
    "Conv2d": ("in_channels", -3, "input channels"),
    "Conv3d": ("in_channels", -4, "input channels"),
    "ConvTranspose1d": ("in_channels", -2, "input channels"),
    "ConvTranspose2d": ("in_channels", -3, "input channels"),
    "ConvTranspose3d": ("in_channels", -4, "input channels"),
    "Linear": ("in_features", -1, "input features"),
    "BatchNorm2d": ("num_features", -3, "channels"),
    "BatchNorm3d": ("num_features", -4, "channels"),
    "GroupNorm": ("num_channels", 1, "channels"),
    "RNN": ("input_size", -1, "input features"),
    "LSTM": ("input_size", -1, "input features"),
    "GRU": ("input_size", -1, "input features"),
    "MultiheadAttention": ("embed_dim", -1, "embedding features"),
}


def is_meta_limit(cause: BaseException) -> bool:
    """Whether an exception says that meta tensors have no values, rather than that the model or input is wrong."""
    text = str(cause)
    return isinstance(cause, NotImplementedError) or any(sign in text for sign in _META_LIMITS)


def explain_failure(failure: ForwardFailed, target: Target, inputs: Inputs) -> str:
    """One sentence with the layer, what it expects and got; a second with the next step."""
    from cnninspect.targets.torchvision_ops import explain as explain_missing_operator

    missing = explain_missing_operator(failure.cause)
    if missing is not None:
        return f"{target.name} cannot run here: {missing}"
    call = failure.call
    place = f"`{call.path or call.kind}`" if call is not None else f"`{target.name}`"
    kind = f" ({call.kind})" if call is not None and call.path else ""
    mismatch = _mismatch(call)
    reason = mismatch or _first_line(failure.cause)
    seen = f" (input {_dims(call.inputs[0].shape)})" if call is not None and call.inputs else ""
    step = _for_meta(failure.cause, inputs) or _suggested_input(call, inputs) or _usual_help(call, target, inputs)
    return f"the forward pass failed in {place}{kind}: {reason}{seen}. {step}"


def _mismatch(call: Call | None) -> str | None:
    """`expects 3 input channels, got 4`, where the layer's hyper-parameters say so."""
    found = _dimension(call)
    if call is None or found is None:
        return None
    expected, axis, noun = found
    got = call.inputs[0].shape[axis]
    return f"expects {expected} {noun}, got {got}" if got != expected else None


def _dimension(call: Call | None) -> tuple[int, int, str] | None:
    if call is None or call.layer not in _EXPECTED or not call.inputs:
        return None
    name, axis, noun = _EXPECTED[call.layer]
    shape = call.inputs[0].shape
    if not -len(shape) <= axis < len(shape):
        return None
    return call.hyperparameters[name], axis, noun


def _for_meta(cause: BaseException, inputs: Inputs) -> str | None:
    """Where to run a model that needs values which the inputs do not have."""
    on_meta = any(tensor.is_meta for tensor in live_tensors((inputs.args, dict(inputs.kwargs))))
    return "Use --device cpu." if on_meta and any(sign in str(cause) for sign in _META_LIMITS) else None


def _suggested_input(call: Call | None, inputs: Inputs) -> str | None:
    """The corrected --input where the failing layer takes the model's only input."""
    given = inputs.described
    found = _dimension(call)
    if call is not None and found is not None and _mismatch(call) and len(given) == 1:
        shape = list(call.inputs[0].shape)
        if list(given[0]["shape"]) == shape:
            shape[found[1]] = found[0]
            return f"The model's first layer suggests --input {_dims(tuple(shape))}."
    return None


def _usual_help(call: Call | None, target: Target, inputs: Inputs) -> str:
    """What to try where nothing is known about the cause; names the model's inputs unless they are the call's."""
    if isinstance(target.source, Function) and target.source.doubt:
        return target.source.doubt
    given = [tuple(item["shape"]) for item in inputs.described]
    known = call is not None and [ref.shape for ref in call.inputs] == given
    tried = "" if known else f"The input was {', '.join(map(_dims, given)) or 'none'}; "
    return f"{tried}--input gives another one, --debug shows the traceback."


def _first_line(cause: BaseException) -> str:
    text = next((line.strip() for line in str(cause).splitlines() if line.strip()), "")
    return f"{type(cause).__name__}: {text}".rstrip(" .:") if text else type(cause).__name__


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"
