"""The call tracker: open calls of a run, with their paths and numbers. Recorder and reruns are subclasses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.module_calls import Args, Kwargs, watched_modules
from cnninspect.trace.names import SHAPE_QUERIES, public_name
from cnninspect.trace.private_torch import control_flow_of, modules_of
from cnninspect.trace.records import Call, Layer, Op

Site = tuple[str, str | None]
"""The module's path, and the public name of a function that it calls, or None for the module itself."""


class CallTracker:
    """Numbers the calls of modules and of torch functions while attached; subclasses define hooks for start and end.

    Calls inside a known layer or inside a torch function are not followed. A call whose exception the model catches is
    taken back: it gets the number -1, and the next call gets its number.
    """

    def __init__(self, model: nn.Module | None):
        self.model = model
        self.calls: list[Call] = []
        self.open_calls: list[Call] = []
        self.uses: Counter[Site] = Counter()
        self.failed_in: Call | None = None
        self._failure: BaseException | None = None
        self._paths = {id(m): path for path, m in modules_of(model)} if model is not None else {}
        self.modules = frozenset(self._paths)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Follows the calls inside; removes every hook and wrapper afterwards."""
        with watched_modules(self, self.model), _FunctionWatch(self):
            yield

    # -- what subclasses decide ----------------------------------------------------------------------------------

    def declare(self, module: nn.Module) -> None:
        """A module is about to be used for the first time."""

    def layer_of(self, path: str, module: nn.Module) -> Layer:
        """The Layer of a module whose call begins; if it has a name, calls inside the module are not followed."""
        raise NotImplementedError

    def started(self, call: Call, module: nn.Module | None, args: Args, kwargs: Kwargs) -> None:
        """A call starts: of the module `module`, or of a function."""

    def receive(self, call: Call, args: Args, kwargs: Kwargs) -> None:
        """The hooks of an open call have changed its arguments."""

    def ended(self, call: Call, output: Any) -> None:
        """A call ends with its output."""

    def raised(self, call: Call) -> None:
        """A call ends with an exception."""

    def in_other_thread(self, module: nn.Module) -> None:
        """A module of the model is called in another thread."""

    def asked(self, kind: str, args: Args) -> None:
        """The model's code calls a torch function, which is perhaps not recorded."""

    def counts(self, call: Call, output: Any) -> bool:
        """Whether a functional call that ended is kept."""
        raise NotImplementedError

    # -- calls ---------------------------------------------------------------------------------------------------

    def hidden(self) -> bool:
        """Whether the innermost open call is a known layer or a torch function: calls inside are not followed."""
        return bool(self.open_calls) and (self.open_calls[-1].functional or self.open_calls[-1].layer is not None)

    def open_module(self, module: nn.Module, args: Args, kwargs: Kwargs) -> Call:
        """A module's forward begins."""
        path = self._paths.get(id(module))
        if path is None:
            above = self.open_calls[-1].path if self.open_calls else ""
            path = self._paths[id(module)] = f"{above}.({type(module).__name__})".lstrip(".")
        layer = self.layer_of(path, module)
        call = self._new(path, type(module).__name__, functional=False)
        call.layer, call.base, call.hyperparameters = layer.name, layer.base, layer.hyperparameters
        return self._open(call, module, args, kwargs)

    def open_function(self, kind: str, args: Args, kwargs: Kwargs) -> Call:
        """Opens the call of a torch function, with the path of the module whose forward calls it."""
        path = self.open_calls[-1].path if self.open_calls else ""
        return self._open(self._new(path, kind, functional=True), None, args, kwargs)

    def open_root(self, kind: str, args: Args, kwargs: Kwargs) -> Call:
        """Opens the root call of a model that is a plain function."""
        return self._open(self._new("", kind, functional=False), None, args, kwargs)

    def close(self, call: Call, output: Any) -> None:
        """Closes a call; calls inside that are still open were left by an exception, and failed."""
        for left in self._leave(call):
            if left is not call:
                self._fail(left)
        self.ended(call, output)
        if call.functional and not self.counts(call, output):
            self._take_back(call)

    def abandon(self, call: Call, error: BaseException) -> None:
        """Closes a call that raised; `failed_in` is the innermost call that the exception passed through."""
        if error is not self._failure:
            self._failure, self.failed_in = error, call
        for left in self._leave(call):
            self._fail(left)

    def run(self, call: Call, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs `function` as the body of an open call, closes the call, and returns the result."""
        try:
            output = function(*args, **kwargs)
        except BaseException as error:
            self.abandon(call, error)
            raise
        self.close(call, output)
        return output

    def on_function(self, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs a torch function that the model's code calls, and follows it as a call.

        Of `torch.cond`, scans and loops, the functions of the model's code that they run are followed.
        """
        if self.hidden():
            return function(*args, **kwargs)
        if (control_flow := control_flow_of(function)) is not None:
            with _FunctionWatch(self):
                return control_flow(*args, **kwargs)
        kind = public_name(function)
        self.asked(kind, args)
        if kind in SHAPE_QUERIES:
            return function(*args, **kwargs)
        call = self.open_function(kind, args, kwargs)
        return self.run(call, function, args, kwargs)

    def _new(self, path: str, kind: str, *, functional: bool) -> Call:
        parent = self.open_calls[-1].index if self.open_calls else None
        return Call(len(self.calls), path, self.uses[path, kind if functional else None], kind, parent, functional)

    def _open(self, call: Call, module: nn.Module | None, args: Args, kwargs: Kwargs) -> Call:
        self.uses[site_of(call)] += 1
        self.calls.append(call)
        self.started(call, module, args, kwargs)
        self.open_calls.append(call)
        return call

    def _leave(self, call: Call) -> Iterator[Call]:
        """Removes the call, and all calls inside it, from the open ones; returns them, the innermost first."""
        left = []
        while self.open_calls:
            left.append(self.open_calls.pop())
            if left[-1] is call:
                break
        return iter(left)

    def _fail(self, call: Call) -> None:
        self.raised(call)
        self._take_back(call)

    def _take_back(self, call: Call) -> None:
        """Gives the call's number to the next call of the same site."""
        if call.number == self.uses[site_of(call)] - 1:
            self.uses[site_of(call)] -= 1
        call.number = -1


def site_of(call: Call) -> Site:
    """The site of a call."""
    return call.path, call.kind if call.functional else None


def renumbered(calls: Sequence[Call], ops: Sequence[Op], uses: Counter[Site]) -> list[Call]:
    """The calls without those that raised, with new indices; each op of a call that raised becomes its own call.

    `ops` are the ops of the run; their `call` is updated. `uses` counts the calls of each site.
    """
    if all(call.number >= 0 for call in calls):
        return list(calls)
    kept: list[Call] = []
    moved: dict[int, int | None] = {}
    for call in calls:
        parent = None if call.parent is None else moved[call.parent]
        moved[call.index] = parent if call.number < 0 else len(kept)
        for op in call.ops:
            ops[op].call = moved[call.index] or 0
        for made in [call] if call.number >= 0 else _left_over(call, ops, uses):
            made.index, made.parent = len(kept), parent
            kept.append(made)
            for op in made.ops:
                ops[op].call = made.index
    return kept


def _left_over(call: Call, ops: Sequence[Op], uses: Counter[Site]) -> Iterator[Call]:
    """The ops of a call that raised, each as a call, because counters of ops have counted them. Views are left out."""
    for op in (ops[index] for index in call.ops if not ops[index].is_view):
        made = Call(0, call.path, 0, op.packet, None, True, args=op.args, kwargs=op.kwargs, outputs=op.outputs)
        made.number, made.ops = uses[site_of(made)], [op.index]
        made.training, made.where = call.training, call.where
        uses[site_of(made)] += 1
        yield made


class _FunctionWatch(TorchFunctionMode):
    """Passes every torch function to the tracker."""

    def __init__(self, tracker: CallTracker):
        super().__init__()
        self.tracker = tracker

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.tracker.on_function(func, args, kwargs or {})
