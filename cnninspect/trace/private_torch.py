"""All private names of torch that cnninspect uses: a new version of torch should need changes only in this file.

Each entry says what it is for and what fails without it.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from threading import Lock, get_ident
from types import FunctionType, SimpleNamespace
from typing import Any, ClassVar, TypeGuard

import torch
from torch import nn
from torch._compile import _disable_dynamo
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._ops import HigherOrderOperator, OpOverload
from torch.autograd import forward_ad
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    is_traceable_wrapper_subclass,
)
from torch.utils._pytree import tree_leaves, tree_structure, tree_unflatten
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

OPS_ROOM = "torch._ops."
"""What stands before the name of an op that code calls by itself."""

READ_INDICES = {
    "aten.index.Tensor", "aten.index_select.default", "aten.gather.default", "aten.take.default",
    "aten.index_add.default", "aten.index_add_.default", "aten.index_copy.default", "aten.index_copy_.default",
    "aten.index_fill.int_Scalar", "aten.index_fill_.int_Scalar", "aten.index_fill.int_Tensor",
    "aten.index_fill_.int_Tensor", "aten.put.default", "aten.put_.default", "aten.lift_fresh.default",
    "aten._pack_padded_sequence.default", "aten.max_unpool2d.default", "aten.max_unpool3d.default",
    "aten.index_put.default", "aten.index_put_.default", "aten._index_put_impl_.default",
    "aten._jagged_to_padded_dense_forward.default", "aten._padded_dense_to_jagged_forward.default",
    "aten._unsafe_index_put.default", "aten.index_reduce.default", "aten.index_reduce_.default",
    "aten.scatter_add.default", "aten.scatter_add_.default", "aten.scatter_reduce.two", "aten.scatter_reduce_.two",
    *(f"aten.{op}.{form}" for op in ("scatter", "scatter_") for form in ("src", "value", "reduce", "value_reduce")),
}  # fmt: skip
"""Ops that read or write at the positions in an index tensor, or use a tensor of lengths; `lift_fresh` makes one.

The values of these tensors are recorded. For other ops, a field that depends on index values is unknown.
"""

NUMBERS = "_cnninspect_numbers"
"""The attribute of a tensor on meta that holds the numbers that it stands for, where they are known."""

MAKES_NUMBERS = {f"aten.{name}" for name in ("arange", "eye", "full", "linspace", "logspace", "ones", "range", "zeros",
                                             "scalar_tensor", "tril_indices", "triu_indices")}  # fmt: skip
MAKES_NUMBERS_LIKE = {
    "aten.full_like", "aten.ones_like", "aten.zeros_like", "aten.new_full", "aten.new_ones", "aten.new_zeros",
}  # fmt: skip
FILLS = {"aten.fill_.Scalar", "aten.zero_.default"}
"""Ops whose results hold the same numbers whatever is in the tensors that they are given."""

MAKES_MASKS = {f"aten.{name}" for name in ("tril", "triu", "tril_", "triu_", "where", "masked_fill", "masked_fill_",
                                           "lt", "le", "gt", "ge")}  # fmt: skip
"""Ops that masks are made with."""

HIDES = {
    "aten.masked_fill", "aten.masked_fill_", "aten.where", "aten.add", "aten.add_", "aten.sub", "aten.mul", "aten.mul_",
    "aten.div", "aten.div_", "aten.fill_", "aten.copy_", "aten.index_put", "aten.index_put_",
    "aten.mm", "aten.bmm", "aten.mv", "aten.dot", "aten.addmm", "aten.addmm_", "aten.addmv", "aten.addbmm",
    "aten.baddbmm", "aten._grouped_mm", "aten.convolution", "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_efficient_attention", "aten._scaled_dot_product_cudnn_attention",
}  # fmt: skip
"""Ops to which a constant mask, or zeros, may be given, which decides what a result sees."""

READ_LAYOUT = {"aten.as_strided", "aten.as_strided_", "aten.resize_"}
"""Ops that read elements by their place in memory: strides and offset of their first argument are recorded."""

GROUPED_PRODUCT = "aten._grouped_mm.default"
"""A product whose kernel for meta takes bfloat16 alone. Without its name, experts of other types run on the CPU."""

SCALAR_READ = "aten._local_scalar_dense"
"""The op of `Tensor.item`. Without its name, code that depends on the number would be treated as data-independent."""

FOREIGN_WRITE = "what NumPy wrote.in_place"
"""Stands for what another library wrote into the memory of a tensor: no rule knows what it computed."""

ALIAS = "aten.detach.default"
"""The op that is recorded for `tensor.data`, for which torch runs none. Without it, its result would be a constant."""

WHOLE_COMPARISONS = {"aten.equal": "torch.equal", "aten.allclose": "torch.allclose"}
"""The ops of functions whose result in Python depends on all elements."""


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


def _scan(combine: Callable[..., Any], init: Any, xs: Any, additional_inputs: Any = ()) -> Any:
    """Runs a scan step by step and stacks what the steps put out; torch's own kernel fails under a dispatch mode.

    That kernel writes each step into memory that holds no values yet, in which a probe would see NaN of another tensor.
    """
    carry, steps = [*init], []
    for step in range(len(xs[0])):
        made = tree_leaves(combine(*carry, *(x.select(0, step) for x in xs), *additional_inputs))
        carry = made[: len(init)]
        steps.append(made[len(init) :])
    return (*carry, *(None if column[0] is None else torch.stack(column) for column in zip(*steps, strict=True)))


_CONTROL_FLOW = ("cond", "while_loop", "scan", "map_impl", "associative_scan")
"""Operators that only decide which functions of the model's code run, and how often."""


def control_flow_of(op: Any) -> Callable[..., Any] | None:
    """A function that runs what is given to `torch.cond`, a scan or a loop as plain Python; None for other ops."""
    return kernel_of(op) if isinstance(op, HigherOrderOperator) and op.name() in _CONTROL_FLOW else None


def kernel_of(op: Any) -> Callable[..., Any] | None:
    """A function that runs a higher-order operator, such as flex attention or cond, op by op.

    None for any other op, and for an operator without such a kernel: it is then an op without a formula.
    """
    if not isinstance(op, HigherOrderOperator):
        return None
    if op.name() in ("cond", "scan"):
        return _cond if op.name() == "cond" else _scan
    kernel: Callable[..., Any] | None = op.py_kernels.get(torch._C.DispatchKey.CompositeExplicitAutograd)
    return kernel


# -- tensors ---------------------------------------------------------------------------------------------------------


def is_jagged(tensor: torch.Tensor) -> bool:
    """Whether this is a nested tensor in the jagged layout, a Python object around a dense tensor of values."""
    return type(tensor) is not torch.Tensor and tensor.is_nested and tensor.layout is torch.jagged


def values_of(jagged: Any) -> torch.Tensor:
    """The values of a jagged nested tensor: the rows of all sequences, one after the other."""
    values: torch.Tensor = jagged._values
    return values


def parts_of(nested: torch.Tensor) -> tuple[tuple[int, ...], ...]:
    """The shapes of the tensors in a nested tensor of the strided layout."""
    return tuple(tuple(sizes) for sizes in nested._nested_tensor_size().tolist())


def runs_inside(types: Sequence[type]) -> bool:
    """Whether an op takes jagged nested tensors: torch then runs ops on their values, which a dispatch mode sees.

    A mode that returns NotImplemented for such an op is shown these.
    """
    module = sys.modules.get("torch.nested._internal.nested_tensor")
    return module is not None and any(issubclass(cls, module.NestedTensor) for cls in types)


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


def ops_unseen() -> AbstractContextManager[Any]:
    """No dispatch mode sees the ops inside, such as a counter that the run is under."""
    return _disable_current_modes()


def storage_key(storage: torch.UntypedStorage) -> int:
    """A key of the memory, the same for tensors that share it. Without it, views would count as memory of their own."""
    return int(storage._cdata)


def functions_unseen() -> AbstractContextManager[Any]:
    """Disables torch function modes. Without it, tensor accesses of the recorder would be recorded as the model's."""
    return torch._C.DisableTorchFunction()


# -- the compiler ----------------------------------------------------------------------------------------------------


@contextmanager
def compiler_not_imported() -> Iterator[None]:
    """Lets functions of torch that import the compiler or sympy, in this thread, do without, unless they are imported.

    Kernels for meta import them: sizes may be symbols, and many kernels are hidden from the compiler at their first
    call. That takes longer than most runs, and here all sizes are numbers and nothing is compiled. Whoever else
    imports them gets the real ones. Without it, all works, but starts later.
    """
    with _lock:
        if not _threads:
            _Imports.of_python, builtins.__import__ = builtins.__import__, _import
        _threads.append(get_ident())
    try:
        yield
    finally:
        with _lock:
            _threads.remove(get_ident())
            if not _threads:
                _show_again()
                if builtins.__import__ is _import:
                    builtins.__import__ = _Imports.of_python


class _Imports:
    """`__import__` as it was, and the functions that stand in their own hidden form's place."""

    of_python = builtins.__import__
    shown: ClassVar[list[Any]] = []


_lock = Lock()
_threads: list[int] = []
_HIDDEN_FORM = "__dynamo_disable"
"""The attribute in which torch keeps the hidden form of a function after its first call."""


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """Replaces `__import__`: the substitute for a module if the caller is known to need no more, else the module."""
    if name in _MODULES and name not in sys.modules and get_ident() in _threads:
        importer, function = (globals or {}).get("__name__", ""), sys._getframe(1).f_code.co_name
        found = _OF_ONE_FUNCTION.get((name, importer, function))
        # A module that imports a substitute at its top would keep it; `import a.b.c` binds `a`.
        by_a_kernel = importer.partition(".")[0] == "torch" and function != "<module>"
        if found is None and by_a_kernel and (fromlist or "." not in name):
            found = _OF_KERNELS.get(name)
        if found is not None and all(wanted in vars(found) for wanted in fromlist or ()):
            return found
    return _Imports.of_python(name, globals, locals, fromlist, level)


def _show(function: Any, *_: Any, **__: Any) -> Any:
    """Replaces `torch._dynamo.disable`: the function as it is, which its caller keeps as its hidden form."""
    _Imports.shown.append(function)
    return function


def _show_again() -> None:
    """Lets torch hide these functions from the compiler when they are called next."""
    while _Imports.shown:
        function = _Imports.shown.pop()
        if getattr(function, _HIDDEN_FORM, None) is function:
            delattr(function, _HIDDEN_FORM)


def _for_numbers(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """torch's function of symbolic shapes; `plain` knows the result for numbers, and NotImplemented for the rest."""

    def function(*args: Any) -> Any:
        result = plain(*args)
        return getattr(import_module(_SHAPES), name)(*args) if result is NotImplemented else result

    return function


def _condition(value: Any) -> Any:
    return value if type(value) is bool else NotImplemented


def _size(value: Any) -> Any:
    return value if type(value) is int else NotImplemented


def _equal(a: Any, b: Any) -> Any:
    """Whether two sizes, or two shapes, are the same."""
    if type(a) is int and type(b) is int:
        return a == b
    alike = any(isinstance(a, kind) and isinstance(b, kind) for kind in (tuple, list))
    return list(a) == list(b) if alike and all(type(n) is int for n in (*a, *b)) else NotImplemented


def _both(*conditions: Any) -> Any:
    return all(conditions) if all(type(each) is bool for each in conditions) else NotImplemented


def _either(*conditions: Any) -> Any:
    return any(conditions) if all(type(each) is bool for each in conditions) else NotImplemented


def _disable(function: Any, recursive: bool = True, **options: Any) -> Any:
    """Replaces `torch._dynamo.disable` for functions of timm: they are hidden at their first call, as torch's are."""
    if isinstance(function, FunctionType) and function.__module__.startswith("timm."):
        return _disable_dynamo(function, recursive)
    return import_module("torch._dynamo").disable(function, recursive, **options)


def _is_compile_supported(device: str) -> bool:
    """Replaces the function of that name until its first call, as torchvision does with functions that it compiles."""
    roi_align = sys.modules["torchvision.ops.roi_align"]
    roi_align.is_compile_supported = import_module("torch._dynamo.utils").is_compile_supported  # type: ignore[attr-defined]
    return bool(roi_align.is_compile_supported(device))


_SHAPES = "torch.fx.experimental.symbolic_shapes"
_CONDITIONS = (
    "expect_true", "guard_bool", "guard_or_false", "guard_or_true", "guard_size_oblivious", "definitely_true",
    "statically_known_true",
)  # fmt: skip
_IF_NUMBERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_CONDITIONS, _condition),
    "_advise_is_size": lambda size: None if type(size) is int and size >= 0 else NotImplemented,
    "guard_int": _size,
    "guarding_hint_or_throw": _size,
    "has_guarding_hint": lambda size: type(size) is int or NotImplemented,
    "is_nested_int": lambda size: False if type(size) is int else NotImplemented,
    "sym_eq": _equal,
    "sym_and": _both,
    "sym_or": _either,
}
"""Name of a function of symbolic shapes -> its result for numbers."""


class _Part(SimpleNamespace):
    """A part of the module `of`; the module itself is imported for anything else."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(vars(self)["of"]), name)


_OF_KERNELS = {
    _SHAPES: _Part(of=_SHAPES, **{name: _for_numbers(name, plain) for name, plain in _IF_NUMBERS.items()}),
    "sympy": _Part(of="sympy", Basic=type("Basic", (), {})),
}
"""Name of a module -> what any function of torch may import instead."""

_OF_ONE_FUNCTION = {
    ("torch._dynamo", "torch._compile", "inner"): SimpleNamespace(_dynamo=SimpleNamespace(disable=_show)),
    ("torch._dynamo", "torch.compiler", "disable"): SimpleNamespace(_dynamo=SimpleNamespace(disable=_disable)),
    ("torch._dynamo.utils", "torchvision.ops.roi_align", "<module>"): SimpleNamespace(
        is_compile_supported=_is_compile_supported
    ),
}
"""(module, importer, its function) -> the substitute; `import torch._dynamo` binds the name `torch`."""

_MODULES = {*_OF_KERNELS, *(module for module, _, _ in _OF_ONE_FUNCTION)}


# -- modules ---------------------------------------------------------------------------------------------------------


def contents(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The dictionaries of a module: attributes, parameters, buffers, submodules. They are restored after a run."""
    return iter((vars(module), module._parameters, module._buffers, module._modules))


def modules_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """What `model.named_modules()` yields, in the same order; its generators in generators take five times as long.

    A module that has a method of its own for this is asked.
    """
    found, seen, waiting = [], set(), [("", model)]
    while waiting:
        path, module = waiting.pop()
        if type(module).named_modules is not nn.Module.named_modules:
            return list(model.named_modules())
        if module not in seen:
            seen.add(module)
            found.append((path, module))
            if module._modules:
                inner = [(name, child) for name, child in module._modules.items() if child is not None]
                waiting += [(f"{path}.{name}" if path else name, child) for name, child in reversed(inner)]
    return found


def is_frozen(module: nn.Module) -> bool:
    """Whether it is a scripted module after `torch.jit.freeze`, which has no mode: its weights are constants."""
    return isinstance(module, torch.jit.ScriptModule) and not hasattr(module, "training")


def state_of(model: nn.Module) -> tuple[list[nn.Parameter], list[torch.Tensor]]:
    """What `model.parameters()` and `model.buffers()` yield, in the same order, in one walk through the modules."""
    kind, modules = type(model), modules_of(model)
    own = (kind.parameters, kind.named_parameters) != (nn.Module.parameters, nn.Module.named_parameters)
    parameters = list(model.parameters()) if own else _each_once([module._parameters for _, module in modules])
    own = (kind.buffers, kind.named_buffers) != (nn.Module.buffers, nn.Module.named_buffers)
    return parameters, list(model.buffers()) if own else _each_once([module._buffers for _, module in modules])


def _each_once(tables: list[Any]) -> list[Any]:
    every = [tensor for table in tables if table for _, tensor in table.items() if tensor is not None]
    return list(dict.fromkeys(every))


def named_parameters_of(layer: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """What `layer.named_parameters(remove_duplicate=False)` yields; most layers have no module inside."""
    if layer._modules or type(layer).named_parameters is not nn.Module.named_parameters:
        return list(layer.named_parameters(remove_duplicate=False))
    return [(name, parameter) for name, parameter in layer._parameters.items() if parameter is not None]


def forward_hooks(module: nn.Module) -> Iterator[dict[int, Any]]:
    """The dictionaries of a module's hooks; fvcore does not remove its own if tracing fails."""
    return iter((module._forward_pre_hooks, module._forward_hooks))


# -- tensors that hold others ---------------------------------------------------------------------------------------

INNER = "_cnninspect_inner"
"""The attribute of a copy on meta that keeps what the wrapper held of which it is a copy."""


def inner_tensors(tensor: torch.Tensor) -> list[torch.Tensor] | None:
    """The tensors that a wrapper subclass holds (torchao); None for other tensors. Without it, its bytes are wrong."""
    kept: list[torch.Tensor] | None = tensor.__dict__.get(INNER)
    if kept is not None or not is_traceable_wrapper_subclass(tensor):
        return kept
    names: list[str] = tensor.__tensor_flatten__()[0]
    return [held for name in names if isinstance(held := getattr(tensor, name), torch.Tensor)]


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
