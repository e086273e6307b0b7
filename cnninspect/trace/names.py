"""What torch says of its functions and ops: the public name (`F.relu`, `torch.cat`) and an ATen op's schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
import torch.nn.functional as F

from cnninspect.trace import private_torch
from cnninspect.trace.private_torch import SCALAR_READ, WHOLE_COMPARISONS, is_overload
from cnninspect.trace.records import TensorRef
from cnninspect.trace.trees import leaves
from cnninspect.trace.values import Values

Function = Callable[..., Any]

_NAMESPACES = (
    ("F", F),
    ("torch", torch),
    ("torch.fft", torch.fft),
    ("torch.linalg", torch.linalg),
    ("torch.special", torch.special),
    ("torch.sparse", torch.sparse),
)

_QUERIES = """
    shape device dtype layout ndim names grad grad_fn output_nr requires_grad requires_grad_ itemsize nbytes
    is_cuda is_meta is_cpu is_mps is_xla is_xpu is_ipu is_vulkan is_maia is_mtia is_mkldnn is_quantized is_sparse
    is_sparse_csr is_nested is_leaf is_contiguous is_complex is_floating_point is_inference is_neg is_conj is_signed
    size dim stride numel nelement ndimension element_size storage_offset untyped_storage storage data_ptr has_names
    get_device item tolist _version _base _backward_hooks __len__ __repr__ __hash__ __format__ __dir__ __class__
    __bool__ __float__ __int__ __index__
"""

SHAPE_QUERIES = {f"Tensor.{name}" for name in _QUERIES.split()} | {
    "torch.is_tensor", "torch.is_floating_point", "torch.is_complex", "torch.numel", "torch.is_storage",
}  # fmt: skip
"""Functions that only query properties of a tensor; they are not recorded as calls."""


READS_OUT = {
    **{name: name for name in ("Tensor.tolist", "Tensor.numpy", "Tensor.__array__", "Tensor.__dlpack__")},
    SCALAR_READ: "Tensor.item",
    **WHOLE_COMPARISONS,
}
"""Function or op that gives tensor values to Python code, on which later code may depend -> its public name."""

SHARES_MEMORY = {"Tensor.numpy", "Tensor.__array__", "Tensor.__dlpack__"}
"""Functions by which another library gets at the memory of a tensor, and may write there without an op."""

AS_NUMBERS = {"Tensor.__int__": "int()", "Tensor.__float__": "float()", "Tensor.__index__": "an index"}
"""Functions that make a number of a tensor, also of a bool, for code that computes with it -> how reports name them."""

ONLY_CHECKS = {"F.one_hot"}
"""Functions that read values only to validate them, or to find the size of the result."""


ASKS_FOR_GRADIENTS = {"torch.autograd.grad", "Tensor.backward", "Tensor.requires_grad_", "Tensor.requires_grad ="}
"""Functions that a model calls if it needs gradients in its forward."""

DATA = ("Tensor.data", "Tensor.data =")
"""Reading and setting `tensor.data`: a view outside autograd's graph, for which torch runs no op."""

INDEXING = ("Tensor.__getitem__", "Tensor.__setitem__")
"""Reading and writing by an index in square brackets."""

LOOKS_AT_GRADIENTS = {"Tensor.requires_grad", "Tensor.grad_fn"}
"""Attributes by which a model tests whether gradients are on; it may raise if they are not."""


@cache
def public_name(function: Function) -> str:
    """The public name of `function`; `F.` is preferred to `torch.`, and `torch.` to `Tensor.`."""
    name = getattr(function, "__name__", "") or type(function).__name__
    if is_overload(function):
        return str(function.overloadpacket)
    if name == "__get__":
        return f"Tensor.{getattr(getattr(function, '__self__', None), '__name__', name)}"
    if name == "__set__":
        return f"Tensor.{getattr(getattr(function, '__self__', None), '__name__', name)} ="
    if function in _renamed():
        return _renamed()[function]
    if (getattr(function, "__module__", "") or "").startswith("torch.nn.functional"):
        return f"F.{name}"
    for prefix, namespace in _NAMESPACES:
        if getattr(namespace, name, None) is function:
            return f"{prefix}.{name}"
    if getattr(torch.Tensor, name, None) == function:
        return f"Tensor.{name}"
    owner = getattr(function, "__module__", None)
    if owner is None or name.startswith("_"):
        return f"Tensor.{name}" if owner in (None, "torch._tensor") else str(function)
    return f"{owner}.{name}"


@cache
def _renamed() -> dict[Function, str]:
    """Function -> public name, for functions whose `__name__` is another one: `torch.fft.rfft2` has `fft_rfft2`."""
    renamed: dict[Function, str] = {}
    for prefix, namespace in _NAMESPACES:
        for name, function in vars(namespace).items():
            own = getattr(function, "__name__", name)
            known = getattr(namespace, own, None) is function and not own.startswith("_")
            if callable(function) and not isinstance(function, type) and not known and not name.startswith("_"):
                renamed.setdefault(function, f"{prefix}.{name}")
    return renamed


# --- schemas of ATen ops --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpSchema:
    """The parts of an op's schema that the trace needs, read once per op.

    `aliases` holds for each result the name and position of the argument it may alias, and whether it is that
    argument written in place. `written` lists the arguments overwritten but not returned.
    """

    name: str
    packet: str
    pointwise: bool
    is_view: bool
    composite: bool
    is_query: bool
    aliases: tuple[tuple[int, str, bool] | None, ...]
    written: tuple[tuple[int, str], ...]
    of_torch: bool = False

    @cached_property
    def makes_new(self) -> bool:
        """Whether this is an op of torch that, by its schema, writes nothing and returns tensors of their own."""
        return self.of_torch and not self.written and bool(self.aliases) and not any(self.aliases)

    def results(
        self, values: Values, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> tuple[tuple[TensorRef, ...], tuple[int, ...]]:
        """The op's results as TensorRefs, and the values that it overwrote."""
        outputs: list[TensorRef] = []
        writes: list[int] = []
        parts = output if isinstance(output, tuple) and len(self.aliases) > 1 else (output,)
        for index, part in enumerate(parts):
            alias = self.aliases[index] if index < len(self.aliases) else None
            source = None
            if alias is not None:
                held = args[alias[0]] if alias[0] < len(args) else kwargs.get(alias[1])
                source = next(iter(leaves(held, torch.Tensor)), None)
            for tensor in leaves(part, torch.Tensor):
                if alias is not None and alias[2]:
                    writes.append(values.ref(tensor).value)
                outputs.append(values.new(tensor, source))
        for position, name in self.written:
            for tensor in leaves(args[position] if position < len(args) else kwargs.get(name), torch.Tensor):
                writes.append(values.ref(tensor).value)
                values.new(tensor, tensor)
        return tuple(outputs), tuple(writes)


@cache
def schema_of(op: Any) -> OpSchema:
    """The schema of an op; a higher-order operator has only a name."""
    name = private_torch.name_of(op)
    if not private_torch.is_overload(op):
        return OpSchema(name, name.rsplit(".", 1)[0], False, False, False, False, (), ())
    schema = private_torch.schema_of(op)
    return OpSchema(
        name=name,
        packet=name.rsplit(".", 1)[0],
        pointwise=torch.Tag.pointwise in op.tags,
        is_view=op.is_view,
        composite=private_torch.stands_for_others(op),
        # Labels of the profiler, such as those of DataParallel, compute nothing.
        is_query=name.rsplit(".", 1)[0] in private_torch.QUERIES or op.namespace == "profiler",
        aliases=tuple(_alias(schema, result, is_view=op.is_view) for result in schema.returns),
        written=_written(schema),
        of_torch=op.namespace == "aten",
    )


def _marked(schema: Any) -> dict[str, tuple[int, str]]:
    """Alias mark in the schema -> (position, name) of the argument."""
    return {
        mark: (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        for mark in (argument.alias_info.before_set if argument.alias_info else ())
    }


def _alias(schema: Any, result: Any, *, is_view: bool) -> tuple[int, str, bool] | None:
    """The argument that a result aliases, and whether it is that argument written in place."""
    marked = _marked(schema)
    for mark in result.alias_info.before_set if result.alias_info else ():
        if mark in marked:
            return (*marked[mark], bool(result.alias_info.is_write))
    # The alias of a list of views (split, unbind) is in the list's element type, which schemas do not expose.
    return (0, schema.arguments[0].name, False) if is_view else None


def _written(schema: Any) -> tuple[tuple[int, str], ...]:
    """The arguments that are overwritten but not returned."""
    returned = {mark for result in schema.returns if result.alias_info for mark in result.alias_info.before_set}
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        if argument.alias_info and argument.alias_info.is_write and not argument.alias_info.before_set & returned
    )
