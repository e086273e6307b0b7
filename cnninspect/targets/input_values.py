"""The input tensors of a run: made from specs or by the user's function, and described for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from cnninspect.errors import LoadError, NoSuchTarget, UsageError, error_text
from cnninspect.targets.grammar import FromFile, FromModule, Given, InputSpec, parse_target
from cnninspect.targets.loading import Around, errors_as, find, without_side_effects
from cnninspect.trace.trees import map_leaves, named_leaves


def tensors(specs: Sequence[InputSpec], device: str, floating: torch.dtype) -> Given:
    """The arguments for these specs; `floating` is the dtype of specs without a dtype.

    Raises UsageError for a tensor that is too large.
    """
    generator = torch.Generator().manual_seed(0)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for spec in specs:
        try:
            tensor = _tensor(spec, floating, device, generator)
        except (RuntimeError, TypeError, OverflowError) as error:
            reason = error_text(error).partition(": ")[2]
            raise UsageError(f"the input {spec} cannot be made on {device}: {reason}. Give another --input.") from error
        if spec.keyword is not None:
            kwargs[spec.keyword] = tensor
        elif not spec.listed:
            args.append(tensor)
        elif args and isinstance(args[-1], list):
            args[-1].append(tensor)
        else:
            args.append([tensor])
    return Given(tuple(args), kwargs)


def _tensor(spec: InputSpec, floating: torch.dtype, device: str, generator: torch.Generator) -> torch.Tensor:
    """Normally distributed numbers, the same on every device; for integers zeros, which are valid indices."""
    dtype = floating if spec.dtype is None else getattr(torch, spec.dtype)
    if device == "meta":
        return torch.empty(spec.shape, dtype=dtype, device="meta")
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.zeros(spec.shape, dtype=dtype, device=device)
    # torch.randn does not support every floating point dtype, but conversion does.
    drawn = torch.complex64 if dtype.is_complex else torch.float32
    return torch.randn(spec.shape, generator=generator, dtype=drawn).to(device=device, dtype=dtype)


def moved(given: Given, device: str, dtype: str | None) -> Given:
    """The same arguments with every tensor on the device and, if it is floating point, of the dtype."""

    def move(_: str, tensor: torch.Tensor) -> torch.Tensor:
        wanted = getattr(torch, dtype) if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return tensor.detach().to(device=device, dtype=wanted)

    return Given(*(map_leaves(part, torch.Tensor, move) for part in (given.args, given.kwargs)))


def described(given: Given) -> Iterator[Mapping[str, Any]]:
    """Name, shape and dtype of each tensor: positional ones by number, the items of containers as "0.1"."""
    for part in (given.args, given.kwargs):
        for name, tensor in named_leaves(part, torch.Tensor):
            dtype = str(tensor.dtype).removeprefix("torch.")
            yield {"name": name, "shape": list(tensor.shape), "dtype": dtype}


def call_for_inputs(source: str | Callable[[], Any]) -> Given:
    """The result of the function as the arguments of the forward; raises UsageError or LoadError."""
    if not isinstance(source, str):
        name = getattr(source, "__name__", "function")
        return _given(_call(source, name, without_side_effects), name)
    reference = parse_target(source)
    if not isinstance(reference, (FromFile, FromModule)):
        raise UsageError(f"--inputs-from {source} is not file.py:fn or package.module:fn.")
    try:
        function, around = find(reference)
    except NoSuchTarget as error:
        raise UsageError(str(error)) from error  # it is not the target that is missing
    if not callable(function):
        raise UsageError(f"--inputs-from {source} is of type {type(function).__name__}, not a function.")
    return _given(_call(function, source, around), source)


def _call(function: Callable[[], Any], name: str, around: Around) -> Any:
    with around(), errors_as(lambda error: LoadError(f"--inputs-from {name} failed: {error_text(error)}.")):
        return function()


def _given(value: Any, name: str) -> Given:
    """The arguments: a tuple is positional, a pair of a sequence and a dictionary is (args, kwargs)."""
    if isinstance(value, torch.Tensor):
        return Given((value,))
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if isinstance(first, (tuple, list)) and isinstance(second, dict):
            return Given(tuple(first), second)
    if isinstance(value, tuple):
        return Given(value)
    raise UsageError(
        f"--inputs-from {name} returned a {type(value).__name__}. "
        "Return the positional tuple, or (args, kwargs): a dictionary of keyword arguments is ((), {...})."
    )
