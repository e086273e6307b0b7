"""Run a model with all its work in sight, and restore everything afterwards: modes, hooks, gradients, RNG.

Other threads of the process notice nothing; work that the forward gives to threads of its own is noticed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.lazy import LazyModuleMixin

from cnninspect.trace.private_torch import TorchDispatchMode, contents
from cnninspect.trace.trees import leaves


@contextmanager
def isolated(
    model: nn.Module | None, training: bool, *, gradients: bool = False, inputs: Any = (), onednn: bool = False
) -> Iterator[None]:
    """Run without a trace left behind and with all work in sight: `restored` and `unfused` at once."""
    with restored(model, training, gradients=gradients, inputs=inputs), unfused(onednn=onednn):
        yield


@contextmanager
def restored(model: nn.Module | None, training: bool, *, gradients: bool = False, inputs: Any = ()) -> Iterator[None]:
    """Run in the wanted mode, and restore modes, attributes, buffers, gradients and RNG.

    So the next run does what this one did, also where a forward keeps what it computed for the one after it. Nothing is
    kept for a backward pass unless `gradients` says so; tensors in `inputs` get back what they said about theirs.
    """
    with ExitStack() as stack:
        cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
        stack.enter_context(torch.random.fork_rng(devices=cuda))
        stack.enter_context(torch.set_grad_enabled(gradients))
        own = [*model.parameters(), *model.buffers()] if model is not None else []
        stack.enter_context(gradients_kept([*own, *leaves(inputs, torch.Tensor)]))
        if model is not None:
            stack.enter_context(_attributes_kept(model))
            stack.enter_context(_mode(model, training))
        yield


@contextmanager
def gradients_kept(tensors: Sequence[torch.Tensor]) -> Iterator[None]:
    """Run without the gradients that leaves of autograd's graph hold; give back those, and whether they want any."""
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
def unfused(*, onednn: bool = False) -> Iterator[None]:
    """Switch off the fused paths (encoder layer, attention, oneDNN and cuDNN recurrent nets, torch.compile).

    They hide their work from every counter that watches ATen ops. `onednn` keeps oneDNN, whose convolutions are fast,
    for a run in which nothing is counted.
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
    """Run what torch.compile was or is asked to compile as it is written: compiled code calls no module and no op.

    Nothing can have been compiled before dynamo was imported, which takes a second.
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
    """What stands for torch.compile: the model or function itself; without one, a decorator that changes nothing."""
    return model if model is not None else lambda function: function


@contextmanager
def _switched_off(backend: Any) -> Iterator[None]:
    """Set only `enabled`: the backends' own `flags()` also touch switches that warn on machines without a GPU."""
    enabled = backend.enabled
    backend.enabled = False
    try:
        yield
    finally:
        backend.enabled = enabled


@contextmanager
def encoder_fast_path_off() -> Iterator[None]:
    """Make encoder layers and MultiheadAttention run op by op, also where nothing needs a gradient."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def _attributes_kept(model: nn.Module) -> Iterator[None]:
    """Give back to every module the attributes, parameters, buffers and submodules that it had.

    A lazy module becomes another one in its first forward, for good; a scripted one has no attributes in Python.
    """
    fixed = [module for module in model.modules() if not isinstance(module, (LazyModuleMixin, torch.jit.ScriptModule))]
    kept: list[dict[str, Any]] = [items for module in fixed for items in contents(module)]
    saved = [dict(items) for items in kept]
    try:
        yield
    finally:
        for items, before in zip(kept, saved, strict=True):
            items.clear()
            items.update(before)


@contextmanager
def _mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Put every submodule in the wanted mode; give back each one's own flag, and the buffers that training changes."""
    flags = [(module, module.training) for module in model.modules()]
    saved = [(buffer, buffer.clone()) for buffer in model.buffers() if training and not buffer.is_meta]
    try:
        for module, _ in flags:
            # A model's own `train` may do anything, start a training run included; torch's would call it.
            module.training = training
        yield
    finally:
        for module, flag in flags:
            module.training = flag
        for buffer, content in saved:
            buffer.copy_(content)


@contextmanager
def noticing_threads(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` when an op runs in a thread that this one starts or gives work to: no mode can watch that op."""
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


class _Noticing(TorchDispatchMode):
    """Calls `tell` at each op, and runs the op."""

    supports_higher_order_operators = True

    def __init__(self, tell: Callable[[], None]):
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._tell()
        return func(*args, **(kwargs or {}))
