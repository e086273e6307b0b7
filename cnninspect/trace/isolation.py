"""Runs a model so that all its ops can be seen, and restores modes, hooks, gradients and RNG afterwards.

Other threads of the process are not affected. Ops in threads that the forward starts are detected.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer

from cnninspect.trace.private_torch import (
    OpWatch,
    contents,
    functions_unseen,
    is_frozen,
    modules_of,
    state_of,
    storage_key,
)
from cnninspect.trace.trees import leaves

T = TypeVar("T")


def with_room(run: Callable[[], T]) -> T:
    """The result of `run()`, for whose calls there is room in one piece of memory.

    CPython keeps the frames of Python functions in pieces of 16 KiB. Where a call that is made again and again needs a
    new piece, it is taken and given back each time: that made a recorded run up to half as slow again, depending on
    how deep the modules are nested. A frame that asks for much gets a large piece, and leaves the rest to its calls.
    """
    return run()


with_room.__code__ = with_room.__code__.replace(co_stacksize=33_000)


@contextmanager
def uncollected() -> Iterator[None]:
    """Lets no garbage collection run, since each would walk through all objects of torch while a trace grows.

    Only for work without real tensors: their memory might wait for a collection.
    """
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()


@contextmanager
def isolated(
    model: nn.Module | None, training: bool, *, gradients: bool = False, inputs: Any = (), onednn: bool = False
) -> Iterator[None]:
    """Combines `restored` and `unfused`."""
    with restored(model, training, gradients=gradients, inputs=inputs), unfused(onednn=onednn):
        yield


@contextmanager
def restored(model: nn.Module | None, training: bool, *, gradients: bool = False, inputs: Any = ()) -> Iterator[None]:
    """Runs in train or eval mode, and restores modes, attributes, buffers, gradients and RNG.

    So the next run does the same, even if a forward stores results in the module. Autograd is off unless `gradients`;
    `requires_grad`, `grad`, shape and memory of tensors in `inputs` are restored, too.
    """
    with ExitStack() as stack:
        cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
        stack.enter_context(torch.random.fork_rng(devices=cuda))
        stack.enter_context(torch.set_grad_enabled(gradients))
        modules = [module for _, module in modules_of(model)] if model is not None else []
        parameters, buffers = state_of(model) if model is not None else ([], [])
        held = [*parameters, *buffers, *leaves(inputs, torch.Tensor)]
        stack.enter_context(gradients_kept(held))
        stack.enter_context(_attributes_kept(modules))
        stack.enter_context(_mode(modules, buffers, training))
        stack.enter_context(_layouts_kept(held))  # Restored first: contents are copied back into the old shape.
        yield


@contextmanager
def gradients_kept(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Removes the gradients of autograd's leaf tensors; restores `grad` and `requires_grad` afterwards."""
    found = {id(tensor): tensor for tensor in tensors if tensor.is_leaf}.values()
    before = [(tensor, tensor.requires_grad, tensor.grad) for tensor in found]
    try:
        for tensor, _, gradient in before:
            if gradient is not None:
                tensor.grad = None
        yield
    finally:
        for tensor, wanted, gradient in before:
            if tensor.requires_grad is not wanted and tensor.is_leaf:
                tensor.requires_grad_(wanted)
            if tensor.grad is not gradient:
                tensor.grad = gradient


@contextmanager
def _layouts_kept(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Restores shape, strides and memory of tensors: a forward may call `unsqueeze_`, `resize_` or `set_` on them."""
    strided = [tensor for tensor in tensors if type(tensor) in (torch.Tensor, nn.Parameter)]
    # A torch function mode of the caller is not to see what is done here.
    with functions_unseen():
        before = [(tensor, tensor.detach(), _layout(tensor)) for tensor in strided if tensor.layout is torch.strided]
    try:
        yield
    finally:
        with functions_unseen():
            for tensor, as_it_was, layout in before:
                if _layout(tensor) != layout:
                    tensor.data = as_it_was


def _layout(tensor: torch.Tensor) -> tuple[object, ...]:
    return tensor.dtype, tensor.shape, tensor.stride(), tensor.storage_offset(), storage_key(tensor.untyped_storage())


@contextmanager
def unfused(*, onednn: bool = False) -> Iterator[None]:
    """Switches off fused kernels (encoder layer, attention, oneDNN and cuDNN recurrent nets) and torch.compile.

    Fused kernels hide work from counters of ATen ops. `onednn` keeps oneDNN, whose convolutions are fast, for runs in
    which nothing is counted.
    """
    backends = torch.backends
    with (
        sdpa_kernel(SDPBackend.MATH),
        encoder_fast_path_off(),
        as_written(),
        nullcontext() if onednn else _switched_off(backends.mkldnn),
        _switched_off(backends.cudnn),
    ):
        yield


@contextmanager
def as_written() -> Iterator[None]:
    """Runs compiled models eagerly, since compiled code calls no modules and no ATen ops.

    The stance is set only if dynamo is imported already: importing it takes a second, and without it nothing is
    compiled.
    """
    compiled = "torch._dynamo" in sys.modules
    compile_ = torch.compile
    torch.compile = _not_compiled
    try:
        with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            yield
    finally:
        torch.compile = compile_


def _not_compiled(model: Any = None, **_: Any) -> Any:
    """Replaces torch.compile: returns the model or function unchanged; without one, such a decorator."""
    return model if model is not None else lambda function: function


@contextmanager
def _switched_off(backend: Any) -> Iterator[None]:
    """Sets only `enabled`: the backends' own `flags()` also set switches that warn on machines without a GPU."""
    enabled = backend.enabled
    backend.enabled = False
    try:
        yield
    finally:
        backend.enabled = enabled


@contextmanager
def encoder_fast_path_off() -> Iterator[None]:
    """Lets encoder layers and MultiheadAttention run op by op, also without gradients."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def _attributes_kept(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Restores the attributes, parameters, buffers and submodules of every module.

    Lazy modules are left out, because their first forward changes them for good; scripted modules have no attributes
    in Python.
    """
    changing = (LazyModuleMixin, torch.jit.ScriptModule)
    fixed = [module for module in modules if not isinstance(module, changing)]
    kept: list[dict[str, Any]] = [items for module in fixed for items in contents(module)]
    saved = [dict(items) for items in kept]
    try:
        yield
    finally:
        for items, before in zip(kept, saved, strict=True):
            items.clear()
            items.update(before)


@contextmanager
def _mode(modules: Sequence[nn.Module], buffers: Sequence[torch.Tensor], training: bool) -> Iterator[None]:
    """Sets the mode of every module that is not frozen; restores each one's own flag, and the contents of buffers.

    A forward may write into buffers in eval mode too. Copies stand on the CPU: no peak is measured there.
    """
    flags = [(module, module.training) for module in modules if not is_frozen(module)]
    real = [buffer for buffer in buffers if not (buffer.is_meta or isinstance(buffer, UninitializedBuffer))]
    with functions_unseen():
        saved = [(buffer, buffer.detach().to("cpu", copy=True)) for buffer in real]
    try:
        for module, _ in flags:
            # `module.train()` is not called: a model may override it with anything, even a training run.
            module.training = training
        yield
    finally:
        for module, flag in flags:
            module.training = flag
        with functions_unseen():
            for buffer, content in saved:
                buffer.copy_(content)


@contextmanager
def noticing_threads(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` for each op in threads that this thread starts or gives work to, which dispatch modes do not see."""
    ours = {threading.get_ident()}
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            known = threading.get_ident() in ours
            ours.add(threading.get_ident())
            try:
                with _Noticing(tell):
                    return work(*args, **kwargs)
            finally:
                if not known:
                    ours.discard(threading.get_ident())

        return run

    def start_watched(thread: threading.Thread) -> None:
        if threading.get_ident() in ours:
            thread.run = watched(thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_watched(pool: Any, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(pool, watched(work) if threading.get_ident() in ours else work, *args, **kwargs)

    threading.Thread.start = start_watched  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = submit_watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]


class _Noticing(OpWatch):
    """Calls `tell` at each op, and runs the op."""

    def __init__(self, tell: Callable[[], None]):
        super().__init__()
        self._tell = tell

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._tell()
        return func(*args, **(kwargs or {}))
