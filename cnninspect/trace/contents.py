"""The numbers in constants: tensors that a run makes from numbers alone, and buffers.

Those in a mask decide what an output sees. They are worked out beside the run, on the CPU: meta has none, and to hold
on to tensors of the run would change when their memory is freed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnninspect.trace.names import OpSchema
from cnninspect.trace.private_torch import FILLS, MAKES_MASKS, MAKES_NUMBERS, MAKES_NUMBERS_LIKE, NUMBERS, ops_unseen
from cnninspect.trace.records import TensorRef
from cnninspect.trace.trees import leaves, map_arguments
from cnninspect.trace.values import Values

MOST = 1 << 20
"""Most elements of a constant that is looked at: a mask for 1,024 tokens."""


TAKES_NUMBERS = frozenset((torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor))
"""Functions that make a tensor of numbers in Python, for which torch runs no op on meta."""


def keep_numbers(made: Any, given: Sequence[Any]) -> None:
    """Note the numbers that a tensor on meta was made of, the first that was given, if they are no tensors."""
    if given and isinstance(made, Tensor) and made.is_meta and made.numel() <= MOST and not any(leaves(given, Tensor)):
        with suppress(Exception):  # What torch takes as numbers on meta may be none on the CPU.
            setattr(made, NUMBERS, torch.tensor(given[0], dtype=made.dtype, device="cpu"))


def with_numbers(index: Any, *, bools: bool) -> Any:
    """An index whose lists of numbers are tensors on the CPU: those that torch makes of them on meta hold none.

    Lists of `bools` as well, if that is what is asked for: what they read no run on meta can count.
    """
    kinds = (torch.int64, torch.bool) if bools else (torch.int64,)

    def changed(part: Any) -> Any:
        if not isinstance(part, (list, tuple, range)) or not part:
            return part
        with suppress(Exception):  # Torch itself says what is wrong with it.
            found = torch.tensor(part if isinstance(part, list) else list(part), device="cpu")
            return found if found.dtype in kinds else part
        return part

    if isinstance(index, tuple):
        return tuple(map(changed, index))
    is_flat = isinstance(index, (list, range)) and all(isinstance(number, int) for number in index)
    return changed(index) if is_flat else index


class Held(NamedTuple):
    """The arguments of an op whose result is a constant, with numbers in each tensor.

    `known` says that these are the numbers of the run's own tensors, and not others in their place. `large` says that
    one of them is a constant without numbers, which is too large.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    known: bool
    large: bool = False


class Contents:
    """Which values of a run are constants, and the numbers in them.

    A parameter is no constant: training changes it. `large_masks` are the constants that seem to be masks and are too
    large to be looked at.
    """

    def __init__(self, values: Values):
        self._values = values
        self._known: dict[int, Tensor] = {}
        self._in_storage: dict[int, list[int]] = {}
        self._others: set[int] = set()
        self._written: set[int] = set()
        self._large: set[int] = set()
        self.large_masks: set[int] = set()

    def exclude(self, refs: Iterable[TensorRef]) -> None:
        """Note values that are no constants, such as the inputs of the run."""
        self._others.update(ref.value for ref in refs)

    def of(self, tensor: Tensor, ref: TensorRef) -> Tensor | None:
        """The numbers in a tensor; None if it is no constant, or too large."""
        known = self._known.get(ref.value)
        if known is None and ref.value not in self._others:
            trained = ref.state in self._values.parameters or tensor.requires_grad or isinstance(tensor, nn.Parameter)
            variable = trained or ref.storage in self._written
            numbers = getattr(tensor, NUMBERS, tensor)
            if not variable and _has_numbers(numbers):
                return self._note(ref, numbers.detach().clone().cpu())
            self._others.add(ref.value)
        return known

    def before(
        self, op: Any, schema: OpSchema, given: tuple[Any, ...], options: Mapping[str, Any], plain: tuple[Any, Any]
    ) -> Held | None:
        """What an op gets if its result is a constant, with numbers for every tensor; `plain` are its plain arguments.

        None for any other op, and for one that draws random numbers.
        """
        if schema.packet in MAKES_NUMBERS:
            return Held(given, _on_cpu(options), known=False)
        if schema.packet in MAKES_NUMBERS_LIKE or (schema.name in FILLS and plain[0][0].value not in self._known):
            return Held((_empty_like(given[0]), *given[1:]), _on_cpu(options), known=False)
        first_ref = plain[0][0] if given else None
        if isinstance(first_ref, TensorRef) and first_ref.value in self._others and first_ref.value not in self._large:
            return None
        pairs = chain(_pairs(given, plain[0]), _pairs((*options.values(),), (*plain[1].values(),)))
        first, large = next(pairs, None), False
        if first is None or not schema.of_torch or torch.Tag.nondeterministic_seeded in op.tags:
            return None
        for tensor, ref in chain((first,), pairs):
            if self.of(tensor, ref) is None:
                if ref.value not in self._large:
                    return None
                large = True
        if large:
            return Held((), {}, known=True, large=True)
        numbers = lambda _, tensor: self._known[self._values.ref(tensor).value]  # noqa: E731
        args, kwargs = map_arguments(given, options, Tensor, numbers)
        return Held(args, _on_cpu(kwargs), known=True)

    def after(
        self, op: Any, schema: OpSchema, held: Held | None, plain: Any, refs: Sequence[TensorRef],
        *, writes: bool,
    ) -> None:  # fmt: skip
        """Note the results of an op, which got `held` if they are constants."""
        for storage in self._in_storage.keys() & self._values.freed.keys():
            self._forget(storage)
        if writes and not (held is not None and held.known):
            for storage in {ref.storage for ref in refs}:
                self._forget(storage)
                self._written.add(storage)
        if held is not None and (held.large or any(prod(ref.shape) > MOST for ref in refs)):
            self._large.update(ref.value for ref in refs)
            if schema.packet in MAKES_MASKS or any(ref.value in self.large_masks for ref in leaves(plain, TensorRef)):
                self.large_masks.update(ref.value for ref in refs)
        elif held is not None:
            for ref, tensor in zip(refs, leaves(_worked_out(op, held), Tensor), strict=False):
                if _has_numbers(tensor):
                    self._note(ref, tensor)
        for ref in refs:
            if ref.value not in self._known:
                self._others.add(ref.value)

    def _forget(self, storage: int) -> None:
        """Forget every view of a storage: it is freed, or something was written there that is no constant."""
        gone = self._in_storage.pop(storage, ())
        self._others.update(gone)
        for value in gone:
            del self._known[value]

    def _note(self, ref: TensorRef, tensor: Tensor) -> Tensor:
        self._known[ref.value] = tensor
        self._in_storage.setdefault(ref.storage, []).append(ref.value)
        return tensor


def _worked_out(op: Any, held: Held) -> Any:
    """What the op returns on the CPU; nothing if it does not run there."""
    with suppress(Exception), ops_unseen():
        return op(*held.args, **held.kwargs)
    return ()


def as_array(tensor: Tensor) -> Any:
    """A copy of the numbers as an array of NumPy, which has no bfloat16."""
    return tensor.detach().to(torch.float32 if tensor.is_floating_point() else tensor.dtype).numpy().copy()


def _pairs(given: Sequence[Any], plain: Sequence[Any]) -> Iterator[tuple[Tensor, TensorRef]]:
    """The tensors among the arguments of an op, with their TensorRefs."""
    for item, ref in zip(given, plain, strict=True):
        if isinstance(ref, TensorRef):
            yield item, ref
        elif isinstance(ref, (tuple, list)):
            yield from _pairs(item, ref)


def _has_numbers(tensor: Tensor) -> bool:
    return not tensor.is_meta and tensor.layout is torch.strided and tensor.numel() <= MOST


def _empty_like(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape if tensor.numel() <= MOST else (), dtype=tensor.dtype, device="cpu")


def _on_cpu(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: torch.device("cpu") if isinstance(given, torch.device) else given for name, given in options.items()}
