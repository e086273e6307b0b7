"""All private names of torch that cnninspect uses: a new version of torch should need changes only in this file.

Each entry says what it is for and what fails without it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from types import FunctionType
from typing import Any, TypeGuard

import torch
from torch import nn
from torch._compile import _disable_dynamo
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._ops import HigherOrderOperator, OpOverload
from torch.autograd import forward_ad
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_structure, tree_unflatten
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["DeviceContext", "OpWatch", "WeakTensorKeyDictionary", "flop_registry", "tree_structure", "tree_unflatten"]
# DeviceContext: what `with torch.device(...)` enters. Without it, building a model on meta would take longer.
# WeakTensorKeyDictionary: maps tensors without keeping them alive. Without it, the run would need more memory.
# flop_registry: torch's own formulas, used by FlopCounterMode. Without it there is no counter `torch`.
# tree_structure, tree_unflatten: the format in which torch.export stores the arguments of a program. Without them,
# the inputs of an archive cannot be checked.


class OpWatch(TorchDispatchMode):
    """A dispatch mode, which sees every op that runs. Without it there is no trace."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False: torch would hide `__torch_dispatch__` from its compiler, and import the compiler for that."""
        return False


QUERIES = {
    "aten.sym_size", "aten.sym_stride", "aten.sym_numel", "aten.sym_storage_offset", "aten.size", "aten.stride",
    "aten.numel", "aten.dim", "aten.storage_offset", "aten.is_contiguous", "aten.is_non_overlapping_and_dense",
    "aten.is_strides_like_format", "aten.sym_is_contiguous", "prim.layout", "prim.device",
}  # fmt: skip
"""Ops that only query properties of a tensor. An op that is not listed here becomes a row."""

READ_INDICES = {
    "aten.index.Tensor", "aten.index_select.default", "aten.gather.default", "aten.take.default",
    "aten.index_add.default", "aten.index_add_.default", "aten.index_copy.default", "aten.index_copy_.default",
    "aten.index_fill.int_Scalar", "aten.index_fill_.int_Scalar", "aten.index_fill.int_Tensor",
    "aten.index_fill_.int_Tensor", "aten.put.default", "aten.put_.default", "aten.lift_fresh.default",
    "aten._pack_padded_sequence.default", "aten.max_unpool2d.default", "aten.max_unpool3d.default",
    "aten.index_put.default", "aten.index_put_.default", "aten._index_put_impl_.default",
    "aten._unsafe_index_put.default", "aten.index_reduce.default", "aten.index_reduce_.default",
    "aten.scatter_add.default", "aten.scatter_add_.default", "aten.scatter_reduce.two", "aten.scatter_reduce_.two",
    *(f"aten.{op}.{form}" for op in ("scatter", "scatter_") for form in ("src", "value", "reduce", "value_reduce")),
}  # fmt: skip
"""Ops that read or write at the positions in an index tensor, or use a tensor of lengths; `lift_fresh` makes one.

The values of these tensors are recorded. For other ops, a field that depends on index values is unknown.
"""

READ_LAYOUT = {"aten.as_strided", "aten.as_strided_", "aten.resize_"}
"""Ops that read elements by their place in memory: strides and offset of their first argument are recorded."""

SCALAR_READ = "aten._local_scalar_dense"
"""The op of `Tensor.item`. Without its name, code that depends on the number would be treated as data-independent."""

ALIAS = "aten.detach.default"
"""The op that is recorded for `tensor.data`, for which torch runs none. Without it, its result would be a constant."""

WHOLE_COMPARISON = "aten.equal"
"""The op of `torch.equal`, whose result in Python depends on all elements."""


# -- ops -------------------------------------------------------------------------------------------------------------


def is_overload(op: Any) -> TypeGuard[OpOverload]:
    """Whether this is an ATen op, which has a schema, and not a higher-order operator, which takes functions."""
    return isinstance(op, OpOverload)


def name_of(op: Any) -> str:
    """The op's full name, used in traces and reports: `aten.convolution.default`."""
    return f"{op.namespace}.{op._opname}.{op._overloadname}" if is_overload(op) else str(op)


def packet_of(op: Any) -> str:
    """The op's name without its overload: `aten.convolution`."""
    return f"{op.namespace}.{op._opname}"


def schema_of(op: OpOverload) -> Any:
    """The op's schema: the arguments that it writes, and the results that alias them. Without it, views are unknown."""
    return op._schema


def stands_for_others(op: OpOverload) -> bool:
    """Whether the op only calls other ops. Without this test it would be recorded as one op without a formula.

    Ops with both a kernel and a decomposition in Python (nearest upsampling) are not decomposed.
    """
    of_torch = op.namespace != "prim"  # Its ops are queries that the dispatcher does not know by name.
    return of_torch and torch._C._dispatch_has_kernel_for_dispatch_key(op._name, "CompositeImplicitAutograd")


def _cond(condition: Any, if_true: Callable[..., Any], if_false: Callable[..., Any], operands: Any = ()) -> Any:
    """Runs the branch that is taken; torch's own kernel of `cond` fails under a dispatch mode."""
    return (if_true if condition else if_false)(*operands)


def kernel_of(op: Any) -> Callable[..., Any] | None:
    """A function that runs a higher-order operator, such as flex attention or cond, op by op.

    None for any other op, and for an operator without such a kernel: it is then an op without a formula.
    """
    if not isinstance(op, HigherOrderOperator):
        return None
    if op.name() == "cond":
        return _cond
    kernel: Callable[..., Any] | None = op.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return kernel


# -- tensors ---------------------------------------------------------------------------------------------------------


def unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without the wrappers of function transforms: for `torch.vmap` the batch, as ops see it."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def in_transform() -> bool:
    """Whether `torch.vmap` or another function transform is active: calls then see one sample, ops the whole batch.

    In forward-mode differentiation each op also works out tangents, which no call shows.
    """
    return torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def outside_transforms() -> AbstractContextManager[Any]:
    """Leaves `torch.vmap` and other function transforms: inside, every op on a plain tensor would be wrapped again."""
    inside = torch._C._functorch.peek_interpreter_stack() is not None
    return temporarily_clear_interpreter_stack() if inside else nullcontext()


def storage_key(storage: torch.UntypedStorage) -> int:
    """A key of the memory, the same for tensors that share it. Without it, views would count as memory of their own."""
    return int(storage._cdata)


def functions_unseen() -> AbstractContextManager[Any]:
    """Disables torch function modes. Without it, tensor accesses of the recorder would be recorded as the model's."""
    return torch._C.DisableTorchFunction()


# -- the compiler ----------------------------------------------------------------------------------------------------


@contextmanager
def compiler_not_imported() -> Iterator[None]:
    """Calls the functions that torch hides from its compiler as they are, unless the compiler is imported already.

    Many meta kernels are hidden at their first call, for which torch imports the compiler. That takes a second, and
    nothing is compiled while a model is traced. Afterwards the functions can be hidden as before.
    Without it, all works, but starts later.
    """
    plain = [] if "torch._dynamo" in sys.modules else [f for f in _hidden_functions() if not hasattr(f, _HIDDEN_FORM)]
    for function in plain:
        setattr(function, _HIDDEN_FORM, function)
    try:
        yield
    finally:
        for function in plain:
            if getattr(function, _HIDDEN_FORM, None) is function:
                delattr(function, _HIDDEN_FORM)


_HIDDEN_FORM = "__dynamo_disable"
"""The attribute in which torch keeps the hidden form of a function after its first call."""


@cache
def _hidden_functions() -> tuple[FunctionType, ...]:
    """The functions that are decorated with `torch._disable_dynamo`; its wrappers share one code object."""
    codes = (constant for constant in _disable_dynamo.__code__.co_consts if getattr(constant, "co_name", "") == "inner")
    wrappers = [user for code in codes for user in gc.get_referrers(code) if isinstance(user, FunctionType)]
    decorated = (cell.cell_contents for wrapper in wrappers for cell in wrapper.__closure__ or ())
    return tuple(function for function in decorated if isinstance(function, FunctionType))


# -- modules ---------------------------------------------------------------------------------------------------------


def contents(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The dictionaries of a module: attributes, parameters, buffers, submodules. They are restored after a run."""
    return iter((vars(module), module._parameters, module._buffers, module._modules))


def forward_hooks(module: nn.Module) -> Iterator[dict[int, Any]]:
    """The dictionaries of a module's hooks; fvcore does not remove its own if tracing fails."""
    return iter((module._forward_pre_hooks, module._forward_hooks))


# -- autograd --------------------------------------------------------------------------------------------------------


def is_own_gradient(node: Any) -> bool:
    """Whether a node of autograd's graph belongs to a `torch.autograd.Function` that the model defines."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def leaf_of(node: Any) -> torch.Tensor | None:
    """The tensor in which a node accumulates a gradient; None for other nodes. Without it, gradients would remain."""
    return getattr(node, "variable", None)


# -- torch.jit's tracer ----------------------------------------------------------------------------------------------


def tracing_state() -> Any:
    """The active tracer or None; it stores the open scopes in each node. Without it, fvcore has no counts per row."""
    return torch._C._get_tracing_state()
