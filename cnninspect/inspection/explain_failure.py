"""Say in one sentence why a forward pass failed, where, and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnninspect.errors import error_text
from cnninspect.targets.grammar import InputSpec
from cnninspect.targets.inputs import Inputs, usual_inputs
from cnninspect.targets.providers import Model
from cnninspect.targets.target import Function, Target
from cnninspect.targets.torchvision_ops import why_missing
from cnninspect.trace.recorder import ForwardFailed
from cnninspect.trace.records import Call

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


def explain_failure(failure: ForwardFailed, target: Target, inputs: Inputs, advice: str) -> str:
    """One sentence with the layer, what it expects and got; then `advice`, or else where to look."""
    missing = why_missing(failure.cause)
    if missing is not None:
        return f"{target.name} cannot run here: {missing}"
    call = failure.call
    place = f"`{call.path or call.kind}`" if call is not None else f"`{target.name}`"
    kind = f" ({call.kind})" if call is not None and call.path else ""
    reason = _mismatch(call) or error_text(failure.cause)
    seen = f" (input {_dims(call.inputs[0].shape)})" if call is not None and call.inputs else ""
    return f"the forward pass failed in {place}{kind}: {reason}{seen}. {advice or _usual_help(failure, target, inputs)}"


def is_plainly_the_inputs(call: Call | None) -> bool:
    """Whether the layer that failed was given another number of channels or features than it takes."""
    return _mismatch(call) is not None


def place_of(failure: ForwardFailed) -> tuple[object, ...]:
    """What two failures share that have the same reason: the call and the kind of exception."""
    call = failure.call
    where = None if call is None else (call.path, call.number, call.kind)
    return where, type(failure.cause)


def other_inputs(call: Call | None, specs: Sequence[InputSpec], model: Model) -> Iterator[InputSpec]:
    """Inputs to try in the place of the only one that the model was given, the likeliest first.

    The first corrects the dimension that a first layer says is wrong. The others have the sizes that are usual for the
    model's first layer.
    """
    if len(specs) != 1 or specs[0].listed:
        return
    spec, found = specs[0], _dimension(call)
    if call is not None and found is not None and call.inputs[0].shape == spec.shape:
        expected, axis, _ = found
        shape = list(spec.shape)
        shape[axis] = expected
        yield replace(spec, shape=tuple(shape))
    for usual in usual_inputs(model):
        yield replace(usual, shape=(spec.shape[0], *usual.shape[1:]) if spec.shape else usual.shape)


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


def _usual_help(failure: ForwardFailed, target: Target, inputs: Inputs) -> str:
    """What to try where nothing is known about the cause; names the model's inputs unless they are the call's."""
    if isinstance(target.source, Function) and target.source.doubt:
        return target.source.doubt
    if isinstance(failure.cause, SystemExit):
        return "Inspect it without that call."
    given = [tuple(item["shape"]) for item in inputs.described]
    known = failure.call is not None and [ref.shape for ref in failure.call.inputs] == given
    tried = "" if known else f"The input was {', '.join(map(_dims, given)) or 'none'}; "
    return f"{tried}--input gives another one, --debug shows the traceback."


def _dims(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape) or "scalar"
