"""Everything of torch that its documentation does not promise, in one place: a new version of torch touches this file.

Each entry says what it is for and what happens without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeGuard

import torch
from torch import nn
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_structure, tree_unflatten
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["TorchDispatchMode", "WeakTensorKeyDictionary", "flop_registry", "tree_structure", "tree_unflatten"]
# TorchDispatchMode: sees every op that runs. Without it there is no trace.
# WeakTensorKeyDictionary: knows tensors without keeping them alive. Without it, memory is not that of a run by itself.
# flop_registry: torch's own formulas, behind FlopCounterMode. Without it the counter `torch` has nothing to say.
# tree_structure, tree_unflatten: how torch.export writes down the arguments of a program. Without them, no archive
# has inputs of its own.

QUERIES = {
    "aten.sym_size", "aten.sym_stride", "aten.sym_numel", "aten.sym_storage_offset", "aten.size", "aten.stride",
    "aten.numel", "aten.dim", "aten.storage_offset", "aten.is_contiguous", "aten.is_non_overlapping_and_dense",
    "aten.is_strides_like_format", "aten.sym_is_contiguous", "prim.layout", "prim.device",
}  # fmt: skip
"""Ops that answer a question about a tensor. One that is not listed would be a row of its own."""

READ_INDICES = {
    "aten.index.Tensor", "aten.index_select.default", "aten.gather.default", "aten.take.default",
    "aten.index_add.default", "aten.index_add_.default", "aten.index_copy.default", "aten.index_copy_.default",
    "aten.index_fill.int_Scalar", "aten.index_fill_.int_Scalar", "aten.index_fill.int_Tensor",
    "aten.index_fill_.int_Tensor", "aten.put.default", "aten.put_.default", "aten.lift_fresh.default",
    "aten._pack_padded_sequence.default",
}  # fmt: skip
"""Ops that read or write where an index tensor, or one of lengths, says; `lift_fresh` makes one of a list.

With another op the receptive field is unknown wherever the numbers of the index matter.
"""

SCALAR_READ = "aten._local_scalar_dense"
"""The op behind `Tensor.item`. Under another name, what Python does with the number would be taken for certain."""

WHOLE_COMPARISON = "aten.equal"
"""The op behind `torch.equal`, which tells Python code something about all elements."""


# -- ops -------------------------------------------------------------------------------------------------------------


def is_overload(op: Any) -> TypeGuard[OpOverload]:
    """Whether this is an ATen op, which has a schema, rather than an operator that takes functions."""
    return isinstance(op, OpOverload)


def name_of(op: Any) -> str:
    """`aten.convolution.default`, as it stands in every trace and report."""
    return f"{op.namespace}.{op._opname}.{op._overloadname}" if is_overload(op) else str(op)


def packet_of(op: Any) -> str:
    """`aten.convolution`: the op's name without its overload."""
    return f"{op.namespace}.{op._opname}"


def schema_of(op: OpOverload) -> Any:
    """The op's schema: which arguments it writes and which results alias them. Without it nothing is known of views."""
    return op._schema


def stands_for_others(op: OpOverload) -> bool:
    """Whether the op is a name for other ops. If it ran as one, what they do would have no formula.

    Some ops (nearest upsampling) have a kernel of their own beside a decomposition in Python: those run whole.
    """
    return torch._C._dispatch_has_kernel_for_dispatch_key(op._name, "CompositeImplicitAutograd")


def _cond(condition: Any, if_true: Callable[..., Any], if_false: Callable[..., Any], operands: Any = ()) -> Any:
    """The branch that is taken; torch's own kernel refuses to run while anything watches."""
    return (if_true if condition else if_false)(*operands)


def kernel_of(op: Any) -> Callable[..., Any] | None:
    """What runs an operator that takes functions, such as flex attention and cond, op by op.

    None for any other op, and for one that has no such kernel: it is then an op without a formula.
    """
    if not isinstance(op, HigherOrderOperator):
        return None
    if op.name() == "cond":
        return _cond
    kernel: Callable[..., Any] | None = op.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return kernel


# -- tensors ---------------------------------------------------------------------------------------------------------


def unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor inside all wrappers of function transforms: of `torch.vmap` the whole batch, which is what ops see."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def in_transform() -> bool:
    """Whether `torch.vmap` or another function transform is at work: formulas would see one sample of many."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def storage_key(storage: torch.UntypedStorage) -> int:
    """Which memory this is, the same for tensors that share it. Without it every view would have memory of its own."""
    return int(storage._cdata)


def functions_unseen() -> AbstractContextManager[Any]:
    """Our own look at a tensor calls no torch function mode. Without it the look would be a call of the model's."""
    return torch._C.DisableTorchFunction()


# -- modules ---------------------------------------------------------------------------------------------------------


def contents(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The tables of a module: attributes, parameters, buffers, submodules. What a forward changes there is put back."""
    return iter((vars(module), module._parameters, module._buffers, module._modules))


def forward_hooks(module: nn.Module) -> Iterator[dict[int, Any]]:
    """The tables of a module's hooks; fvcore leaves its own behind when tracing fails."""
    return iter((module._forward_pre_hooks, module._forward_hooks))


# -- autograd --------------------------------------------------------------------------------------------------------


def is_own_gradient(node: Any) -> bool:
    """Whether a node of autograd's graph is of a `torch.autograd.Function` of the model's own."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def leaf_of(node: Any) -> torch.Tensor | None:
    """The tensor in which a node accumulates a gradient; None for other nodes. Without it gradients would be left."""
    return getattr(node, "variable", None)


# -- torch.jit's tracer ----------------------------------------------------------------------------------------------


def tracing_state() -> Any:
    """The tracer at work, or None; it stamps each node with the scopes that are open. Without it fvcore has no rows."""
    return torch._C._get_tracing_state()
