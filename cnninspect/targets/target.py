"""A target: the user's text, and the source of its model: a provider, a factory, a module, a function or an archive."""

from __future__ import annotations

import contextlib
import copy
import inspect
import logging
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from cnninspect.errors import LoadError, UsageError, error_text, nearest, own_frame, own_line
from cnninspect.targets.arguments import prepared
from cnninspect.targets.construct import ConstructionError, construct, copied, is_lazy, placed
from cnninspect.targets.grammar import (
    FromFile,
    FromModule,
    Given,
    InputSpec,
    Method,
    first_class,
    how_to_save,
    parameter_dtype,
)
from cnninspect.targets.loading import Around
from cnninspect.targets.providers import Model, Provider
from cnninspect.targets.signatures import (
    check_arguments,
    check_complete,
    defaults_of,
    doubt,
    fixed,
    parameters_of,
    takes,
    tensor_parameters,
)
from cnninspect.trace.private_torch import tree_structure, tree_unflatten

if TYPE_CHECKING:
    from torch.export import ExportedProgram


# How torch says that there is not enough memory, on the CPU and on CUDA.
_NO_ROOM = re.compile("allocate memory|out of memory")

Built = tuple[Model, Sequence[str]]
"""A model, and notes for the report on how it was built."""


class Source(ABC):
    """The source of a target's model."""

    @abstractmethod
    def build(self, device: str, dtype: str | None) -> Built:
        """The model on the device, its floating point parameters in the dtype. Raises UsageError or LoadError."""

    def default_inputs(self) -> Sequence[InputSpec] | Given:
        """The inputs that come with the model; empty where none do."""
        return ()

    def inputs_of(self, model: Model) -> Sequence[Sequence[InputSpec]]:  # noqa: ARG002 - few sources know
        """The inputs that follow from the built model, the likeliest first; empty where none do."""
        return ()

    def defaults(self) -> Mapping[str, Any]:
        """The arguments of the constructor that have a default, and which; empty where there is none."""
        return {}

    def check_inputs(self, name: str, given: Given) -> None:  # noqa: B027 - most forwards say by their signature
        """Raises UsageError if the model `name` cannot take these inputs although the forward's signature fits."""


class Provided(Source):
    """A name that a provider knows."""

    def __init__(self, provider: Provider, name: str, arguments: Mapping[str, Any]):
        self.provider, self.name, self.arguments = provider, name, arguments

    def build(self, device: str, dtype: str | None) -> Built:
        """The provider's model."""
        make = partial(self.provider.build, self.name, self.arguments)
        label = f"{self.provider.name}:{self.name}"
        model, notes = _constructed(make, self.provider.factory(self.name), label, device, dtype)
        return model, [*self.provider.notes(self.name, self.arguments), *notes]

    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the provider's factory."""
        return defaults_of(self.provider.factory(self.name))

    def default_inputs(self) -> Sequence[InputSpec]:
        """The provider's inputs."""
        return self.provider.default_inputs(self.name, self.arguments)

    def inputs_of(self, model: Model) -> Sequence[Sequence[InputSpec]]:
        """What the provider concludes from the model."""
        return self.provider.inputs_of(model)


class Made(Source):
    """The result of a class or factory; `around` is the context in which it runs."""

    def __init__(self, factory: Callable[..., Any], name: str, arguments: Mapping[str, Any], around: Around):
        self.factory, self.name, self.arguments, self.around = factory, name, arguments, around

    def build(self, device: str, dtype: str | None) -> Built:
        """The module or function that the factory returns."""
        with self.around():
            return _constructed(partial(self.factory, **self.arguments), self.factory, self.name, device, dtype)

    def defaults(self) -> Mapping[str, Any]:
        """The defaults of the class or factory."""
        return defaults_of(self.factory)


class Instance(Source):
    """A module that exists already; it is never changed."""

    def __init__(self, module: nn.Module):
        self.module = module

    def build(self, device: str, dtype: str | None) -> Built:
        """The module itself if it is on the device and has no lazy parameters, else a copy."""
        module = copied(self.module) if is_lazy(self.module) else self.module
        return placed(module, device, dtype), ()


class Function(Source):
    """A plain function of tensors, with its other arguments fixed."""

    def __init__(self, function: Callable[..., Any], name: str, arguments: Mapping[str, Any]):
        self.function = fixed(function, arguments) if arguments else function
        tensors = ", ".join(tensor_parameters(function, arguments))
        self.doubt = doubt(function, arguments)
        self.note = f"{name} is taken as a function of tensors ({tensors})."

    def build(self, device: str, dtype: str | None) -> Built:  # noqa: ARG002 - a function is on no device
        """The function."""
        return self.function, [self.note]


def source_of(thing: Any, name: str, arguments: Mapping[str, Any], around: Around = contextlib.nullcontext) -> Source:
    """The source of the model for `thing`: a module, a class, a factory or a function of tensors.

    Raises UsageError for arguments that it does not take, LoadError for an object that is not a model.
    """
    if isinstance(thing, nn.Module):
        if arguments:
            raise UsageError(f"{name} is a model that is built already and takes no --arg.")
        return Instance(thing)
    if not callable(thing):
        file = name.partition(":")[0]
        known = first_class(Path(file)) if file.endswith(".py") else None
        form = known or "file.py:attr or package.module:attr"
        raise LoadError(
            f"{name} is of type {type(thing).__name__}. A model is an nn.Module, a class, a factory or a function. "
            f"Name one, as {form}."
        )
    check_arguments(thing, name, arguments)
    arguments = prepared(thing, name, arguments)
    if tensor_parameters(thing, arguments):
        return Function(thing, name, arguments)
    check_complete(thing, name, arguments)
    return Made(thing, name, arguments, around)


def _constructed(
    make: Callable[[], Any], factory: Callable[..., Any], name: str, device: str, dtype: str | None
) -> Built:
    try:
        model, notes = construct(make, device, dtype)
    except ConstructionError as failure:
        reason = error_text(failure.cause)
        no_room = isinstance(failure.cause, MemoryError) or _NO_ROOM.search(reason)
        hint = " A model on --device meta needs no memory." if no_room else takes(factory)
        line = own_line(failure.cause)
        if line and not no_room and not parameters_of(factory):
            hint = " Mend that line; --debug shows the traceback."
        elif line and not no_room:
            hint += _other_value(failure.cause, factory)
        raise LoadError(f"{name} cannot be built: {reason}{line}.{hint}") from failure.cause
    if not callable(model):
        raise LoadError(
            f"{name} returned {type(model).__name__}, neither a Module nor a function of tensors. "
            "Name what builds the network, as file.py:attr."
        )
    return model, notes


_KEY = re.compile(r"""\b(\w+)\[["'](\w+)["']\]""")
"""An argument, and a key that a line of code takes out of it."""


def _other_value(cause: BaseException, factory: Callable[..., Any]) -> str:
    """A sentence, after a space: that an argument out of which the code takes a key is a dictionary; else empty."""
    frame = own_frame(cause)
    names = [parameter.name for parameter in parameters_of(factory) or []]
    for name, key in _KEY.findall(frame.line or "" if frame is not None else ""):
        if name in names and isinstance(cause, TypeError):
            return f""" {name} takes a dictionary: --arg "{name}={{'{key}': VALUE}}"."""
    return ""


@dataclass
class Target:
    """A model that can be built on any device, any number of times.

    `provider` is a provider's name, or "module", "file", "archive" or "object". `arguments` (as plain data) and
    `notes` (on the latest build) are for the report. `origin` is the file that defines the model, its class or its
    factory, and its name there; None if it is not known. `method` is run in the place of the forward.
    """

    spec: str
    provider: str
    name: str
    arguments: Mapping[str, Any]
    source: Source
    notes: Sequence[str] = field(default=())
    origin: tuple[str, str] | None = None
    method: Method | None = None

    def build(self, device: str, dtype: str | None = None) -> Model:
        """The model on the device: an nn.Module or a plain function of tensors. Raises UsageError or LoadError."""
        model, self.notes = self.source.build(device, None if dtype is None else parameter_dtype(dtype))
        return model if self.method is None else calling(model, self.method, self.name)

    def default_inputs(self) -> Sequence[InputSpec] | Given:
        """The inputs that come with the model; empty for a model without a provider."""
        return self.source.default_inputs()


class _Calls:
    """The forward of a module that runs another method; while that runs, the module has its own forward again."""

    def __init__(self, method: Method, bound: Callable[..., Any]):
        self.method = method
        taken = inspect.signature(bound)
        # What the method is given is no input of the run, so that none is asked for.
        left = [parameter for name, parameter in taken.parameters.items() if name not in method.arguments]
        module = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        self.__signature__ = taken.replace(parameters=[module, *left])

    def __call__(self, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """The method's result."""
        now = module.__dict__.pop("forward")
        try:
            return getattr(module, self.method.name)(*args, **{**self.method.arguments, **kwargs})
        finally:
            module.__dict__["forward"] = now


def calling(model: Model, method: Method, name: str) -> nn.Module:
    """A module with the weights and parts of `model` that runs `method` when it is called. Raises UsageError."""
    if not isinstance(model, nn.Module):
        raise UsageError(f"{name} is a function and has no method {method.name!r}. Leave --call out.")
    kind = type(model)
    function = getattr(kind, method.name, None)
    if not callable(function) or inspect.isclass(function):
        added = [each for each in dir(kind) if not each.startswith("_") and not hasattr(nn.Module, each)]
        own = [each for each in added if callable(getattr(kind, each))]
        near = nearest(method.name, own) or own[:8]
        hint = f"It has {', '.join(near)}." if near else "It has none but those of every module; leave --call out."
        raise UsageError(f"{kind.__name__} has no method {method.name!r}. {hint}")
    twin = copy.copy(model)
    twin.__dict__["forward"] = MethodType(_Calls(method, getattr(model, method.name)), twin)
    return twin


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: containers and literals are kept, other objects become their name or repr."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (FromModule, FromFile)):
        return str(value)
    return getattr(value, "__name__", repr(value))


class ArchiveSource(Source):
    """A model saved by torch.export.save in a `.pt2` file."""

    def __init__(self, path: Path):
        self.path = path

    def build(self, device: str, dtype: str | None) -> Built:
        """The exported program as modules with the paths and class names that it was exported from."""
        from torch.export import unflatten

        with _quiet():
            model: nn.Module = unflatten(self._program)
            _name_classes(model)
            return placed(model, device, dtype), ()

    def default_inputs(self) -> Given:
        """The example inputs that were exported with it."""
        args, kwargs = self._program.example_inputs or ((), {})
        return Given(tuple(args), kwargs)

    def check_inputs(self, name: str, given: Given) -> None:
        """Raises UsageError unless the inputs have the structure and names of the export; torch would only print it."""
        expected = self._program.call_spec.in_spec
        if expected is None:
            return
        args, kwargs = tree_unflatten(range(expected.num_leaves), expected)
        if tree_structure(args) == tree_structure(given.args) and kwargs.keys() == given.kwargs.keys():
            return
        named = "".join(f", {keyword}" for keyword in kwargs)
        raise UsageError(
            f"the inputs do not fit {name}, which was exported for ({len(args)} positional{named}). "
            "Give --input SHAPE once for each of them, in this order or as --input NAME=SHAPE."
        )

    @cached_property
    def _program(self) -> ExportedProgram:
        # torch.export takes a while to import, and other targets do not need it.
        from torch.export import load

        try:
            with _quiet():
                return load(self.path)
        except Exception as error:
            raise LoadError(
                f"{self.path} is not an archive that torch {torch.__version__} can load. " + how_to_save(self.path)
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses torch.export's warnings about its internals and its logged tracebacks."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _name_classes(model: nn.Module) -> None:
    """Gives each module a class with the name of the exported class; the module still runs its own graph."""
    for module in model.modules():
        original = getattr(module, "type_name", lambda: None)()
        if original:
            module.__class__ = type(original.rpartition(".")[2], (type(module),), {})
