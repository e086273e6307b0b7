"""The inputs of one run: from --input, from a function, from the provider, or inferred from the model's first layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from cnninspect.errors import LoadError, UsageError
from cnninspect.report.quantities import Shape
from cnninspect.targets.construct import is_lazy
from cnninspect.targets.grammar import Given, InputSpec, dtype_name, parse_inputs, parse_shape
from cnninspect.targets.input_values import call_for_inputs, described, moved, tensors
from cnninspect.targets.loading import without_side_effects
from cnninspect.targets.providers import Model
from cnninspect.targets.signatures import check_call, required
from cnninspect.targets.target import Function, Target
from cnninspect.trace.trees import named_leaves

SIDES = (224, 32, 28, 64, 96, 128, 227, 256, 299, 384, 512)
"""Image sides to try, the usual one first: a linear layer after the convolutions accepts only one."""
VOLUMES = (64, 32, 16)
TOKENS = 16


@dataclass(frozen=True)
class InputOptions:
    """The user's inputs: `specs`, or a `source` function, or the default inputs with another batch size.

    `sizes` are other sizes of the first input, by the names of its dimensions (`h`, `w`).
    """

    specs: tuple[InputSpec, ...] = ()
    source: str | Callable[[], Any] | None = None
    batch_size: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.specs and self.source is not None:
            raise UsageError("--input and --inputs-from exclude each other. Keep one of them.")
        if self.batch_size is not None and (self.specs or self.source is not None):
            raise UsageError("--batch-size changes default inputs. Write the batch size into the input itself.")
        if self.sizes and self.source is not None:
            raise UsageError("--inputs-from makes inputs of one size. Give --input, or vary no size of the input.")
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is not positive.")

    @classmethod
    def of(
        cls,
        input_shape: Sequence[int] | Sequence[Sequence[int]] | str | None = None,
        inputs: Sequence[str] | str = (),
        inputs_from: str | Callable[[], Any] | None = None,
        batch_size: int | None = None,
    ) -> InputOptions:
        """The options from texts of the command line, or from shapes as sequences of integers."""
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not all(isinstance(text, str) for text in texts):
            raise UsageError("inputs are texts such as '1x3x224x224'. Give tensors as inputs_from=lambda: (tensor,).")
        return cls((*_shapes(input_shape), *parse_inputs(texts)), inputs_from, batch_size)


@dataclass(frozen=True)
class Inputs:
    """The arguments of the forward, their description for the report, and notes about them."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    described: tuple[Mapping[str, Any], ...]
    choice: Choice
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Choice:
    """Possible inputs of a model, as specs or values. `reason` is the source from which they were inferred, or None.

    Those to be tried `in_turn` are all tried on the first device before the last of them is tried on the second.
    """

    specs: tuple[InputSpec, ...] = ()
    given: Given | None = None
    reason: str | None = None
    in_turn: bool = False

    def make(self, target: Target, model: Model, device: str, dtype: str | None = None) -> Inputs:
        """The inputs on the device; floating point ones have `dtype`, or that of the parameters.

        Raises UsageError where the forward cannot take them.
        """
        if self.given is not None:
            _check_not_nested(self.given)
            given = moved(self.given, device, dtype)
        else:
            given = tensors(self.specs, device, _floating_dtype(model, dtype))
        target.source.check_inputs(target.name, given)
        check_call(model.forward if isinstance(model, nn.Module) else model, target.name, given.args, given.kwargs)
        if isinstance(model, nn.Module) and is_lazy(model):
            _initialize(model, given)
        return Inputs(given.args, given.kwargs, tuple(described(given)), self)


def _check_not_nested(given: Given) -> None:
    """Raises UsageError for an input whose rows differ in length."""
    for name, tensor in named_leaves((given.args, given.kwargs), torch.Tensor):
        if tensor.is_nested:
            place = name.partition(".")[2]
            raise UsageError(
                f"the input {place} is a nested tensor, whose rows may differ in length: it has no shape to count. "
                "Give a padded tensor in its place."
            )


def choices(target: Target, model: Model, options: InputOptions) -> list[Choice]:
    """The inputs to try, the likeliest first: those of the user or of the model, or several inferred ones.

    Raises UsageError if no inputs can be found, LoadError for a module without a forward.
    """
    if isinstance(model, nn.Module) and getattr(model.forward, "__func__", None) is nn.Module.forward:
        kind = type(model).__name__
        raise LoadError(
            f"{target.name} cannot run: the class {kind} defines no `forward`. Define it in {kind}. "
            "--no-run counts the parameters of a module without one."
        )
    if options.source is not None:
        return [Choice(given=call_for_inputs(options.source))]
    default = target.default_inputs()
    if options.specs:
        return [Choice(_resized(_listed_like(default, options.specs), options))]
    if isinstance(default, Given):
        if options.batch_size is not None or options.sizes:
            what = "sizes are" if options.sizes else "batch size is"
            raise UsageError(
                f"{target.name} comes with its own inputs, whose {what} fixed. "
                "If it was exported for any batch size, give --input."
            )
        return [Choice(given=default)]
    if default:
        return [Choice(_resized(default, options))]
    if concluded := target.source.inputs_of(model):
        reason = f"the configuration and the forward of {type(model).__name__}"
        return [Choice(_resized(specs, options), reason=reason, in_turn=True) for specs in concluded]
    inferred, reason = infer_inputs(target, model)
    return [Choice(_resized([spec], options), reason=reason) for spec in inferred]


def make_inputs(target: Target, model: Model, options: InputOptions, device: str, dtype: str | None = None) -> Inputs:
    """The likeliest inputs on the device; UsageError if there are none, or the forward cannot take them."""
    return choices(target, model, options)[0].make(target, model, device, dtype)


def _listed_like(default: Sequence[InputSpec] | Given, specs: Sequence[InputSpec]) -> Sequence[InputSpec]:
    """The specs; marked as a list of images if the model takes one and the shapes have no batch dimension."""
    if isinstance(default, Given) or not any(spec.listed for spec in default):
        return specs
    image = len(default[0].shape)
    return [replace(spec, listed=spec.keyword is None and len(spec.shape) == image) for spec in specs]


DIMENSIONS = {1: "f", 2: "nf", 3: "ncl", 4: "nchw", 5: "ncdhw"}
"""The names of an input's dimensions, by their number."""


def _resized(specs: Sequence[InputSpec], options: InputOptions) -> tuple[InputSpec, ...]:
    """The specs with the batch size and the sizes of the first input that were asked for."""
    first, *others = _batched(specs, options.batch_size)
    names = DIMENSIONS.get(len(first.shape), "")
    wrong = next((name for name in options.sizes if name not in names), None)
    if wrong is not None:
        known = ", ".join(f"input.{name}" for name in names)
        raise UsageError(f"the input {first} has no dimension input.{wrong}. Its dimensions are {known}.")
    shape = tuple(options.sizes.get(name, size) for name, size in zip(names, first.shape, strict=False))
    return replace(first, shape=shape or first.shape), *others


def _batched(specs: Sequence[InputSpec], batch_size: int | None) -> Sequence[InputSpec]:
    """The specs with another first dimension; a list of images gets as many images."""
    if batch_size is None:
        return specs
    if all(spec.listed for spec in specs):
        return [*specs] * batch_size
    return [replace(spec, shape=(batch_size, *spec.shape[1:])) for spec in specs]


def _floating_dtype(model: Model, dtype: str | None) -> torch.dtype:
    """The dtype of floating inputs: the asked one, or that of the first floating parameter."""
    if dtype is not None:
        return getattr(torch, dtype_name(dtype))  # type: ignore[no-any-return]
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p.dtype for p in parameters if p.is_floating_point()), torch.get_default_dtype())


_LAZY: WeakKeyDictionary[nn.Module, Mapping[str, str]] = WeakKeyDictionary()


def lazy_kinds(model: Model) -> Mapping[str, str]:
    """Path -> class of each lazy layer of a model before its first run, which makes plain layers of them."""
    return _LAZY.get(model, {}) if isinstance(model, nn.Module) else {}


def _initialize(model: nn.Module, given: Given) -> None:
    """Runs the model once, so that its lazy layers get their hyper-parameters."""
    named = model.named_modules()
    _LAZY[model] = {path: type(module).__name__ for path, module in named if isinstance(module, LazyModuleMixin)}
    # A failing forward fails again in the recorded run, where the error is reported.
    with contextlib.suppress(Exception), without_side_effects(), torch.no_grad():
        model.eval()(*given.args, **given.kwargs)


def _shapes(input_shape: Sequence[int] | Sequence[Sequence[int]] | str | None) -> tuple[InputSpec, ...]:
    if input_shape is None:
        return ()
    if isinstance(input_shape, str):
        return parse_inputs([input_shape])
    if _is_shape(input_shape):
        return (_spec(input_shape),)
    if isinstance(input_shape, (tuple, list)) and all(_is_shape(shape) for shape in input_shape):
        return tuple(_spec(shape) for shape in input_shape)
    raise UsageError(
        "input_shape is neither a shape such as (1, 3, 224, 224) nor a list of shapes. "
        "Give tensors as inputs_from=lambda: (tensor,)."
    )


def _is_shape(thing: Any) -> bool:
    return isinstance(thing, (tuple, list)) and all(isinstance(size, Integral) for size in thing)


def _spec(sizes: Sequence[Any]) -> InputSpec:
    return InputSpec(parse_shape("x".join(str(size) for size in sizes)))


def infer_inputs(target: Target, model: Model) -> tuple[list[InputSpec], str]:
    """(inputs that the first layer takes, the likeliest first; that layer); UsageError if they cannot be inferred."""
    found = _first_layer(model) if isinstance(model, nn.Module) and len(required(model.forward)) <= 1 else None
    if found is None:
        raise UsageError(_request(target, model))
    path, layer, candidates = found
    place = f"`{path}` ({type(layer).__name__})" if path else type(layer).__name__
    return candidates, f"the first layer, {place}"


def usual_inputs(model: Model) -> list[InputSpec]:
    """The inputs of usual sizes that the first layer takes, the likeliest first; empty if they cannot be inferred."""
    found = _first_layer(model) if isinstance(model, nn.Module) else None
    return [] if found is None else found[2]


def _first_layer(model: nn.Module) -> tuple[str, nn.Module, list[InputSpec]] | None:
    """(path, layer, the inputs it could have) of the first layer with weights that fix the size of an input."""
    for path, layer in model.named_modules():
        if isinstance(layer, (nn.MultiheadAttention, LazyModuleMixin)):
            return None
        candidates = list(_candidates(layer))
        if candidates:
            return path, layer, candidates
    return None


def _candidates(layer: nn.Module) -> Iterator[InputSpec]:
    """The inputs that fit a layer, the likeliest first; none for a layer that takes any."""
    if isinstance(layer, nn.modules.conv._ConvNd):
        axes = len(layer.kernel_size)
        yield from (InputSpec((1, layer.in_channels, *[side] * axes)) for side in (VOLUMES if axes == 3 else SIDES))
    elif isinstance(layer, nn.Linear):
        yield InputSpec((1, layer.in_features))
    elif isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):
        yield InputSpec((1, TOKENS), "int64")
    elif isinstance(layer, nn.RNNBase):
        shape: Shape = (1, TOKENS) if layer.batch_first else (TOKENS, 1)
        yield InputSpec((*shape, layer.input_size))


def _request(target: Target, model: Model) -> str:
    names = [parameter.name for parameter in required(model.forward if isinstance(model, nn.Module) else model)]
    takes = f" ({', '.join(names)})" if names else ""
    doubt = f" {target.source.doubt}".rstrip() if isinstance(target.source, Function) else ""
    if len(names) > 1:
        # No example: a shape that fits one of them may not fit the others.
        wanted = " ".join(f"--input {name}=SHAPE" for name in names)
        step = f"Give --input NAME=SHAPE for each of them: {wanted}.{doubt}{_WITHOUT}"
        return f"the inputs of {target.name}{takes} are not known. {step}"
    return (
        f"the inputs of {target.name}{takes} are not known. "
        f"Give --input SHAPE[:DTYPE], such as --input 1x3x224x224.{doubt}{_WITHOUT}"
    )


_WITHOUT = " --no-run counts the parameters without an input."
