"""The one call tracker: which call of a run is open, under which path and number. Recorder and reruns build on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.module_calls import Args, Kwargs, watched_modules
from cnninspect.trace.names import SHAPE_QUERIES, public_name
from cnninspect.trace.records import Call, Layer, Op

Site = tuple[str, str | None]
"""What is called where: the module's path, and the public name of the function or None for the module itself."""


class CallTracker:
    """Numbers the calls of modules and of torch functions while attached; subclasses act when one starts and ends.

    What happens inside a known layer or inside a torch function makes no call. A call that raises, where the model
    goes on all the same, is taken back: it has the number -1, and the next one gets its number.
    """

    def __init__(self, model: nn.Module | None):
        self.model = model
        self.calls: list[Call] = []
        self.open_calls: list[Call] = []
        self.uses: Counter[Site] = Counter()
        self.failed_in: Call | None = None
        self._failure: BaseException | None = None
        self._paths = {id(m): path for path, m in model.named_modules()} if model is not None else {}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Follow what runs inside; undo every hook and wrapper on the way out."""
        with watched_modules(self, self.model), _FunctionWatch(self):
            yield

    # -- what subclasses decide ----------------------------------------------------------------------------------

    def declare(self, module: nn.Module) -> None:
        """A module is about to be used for the first time."""

    def layer_of(self, path: str, module: nn.Module) -> Layer:
        """What is known of a module whose call begins; one with a name is followed as a whole."""
        raise NotImplementedError

    def started(self, call: Call, target: nn.Module | None, args: Args, kwargs: Kwargs) -> None:
        """A call starts: of the module `target`, or of a function."""

    def receive(self, call: Call, args: Args, kwargs: Kwargs) -> None:
        """The hooks of an open call have changed its arguments."""

    def ended(self, call: Call, output: Any) -> None:
        """A call ends with its output."""

    def raised(self, call: Call) -> None:
        """A call ends with an exception."""

    def elsewhere(self, module: nn.Module) -> None:
        """A module of the model is called in another thread, which shall not be disturbed."""

    def asked(self, kind: str, args: Args) -> None:
        """A torch function is called by the model's own code, for a row or not."""

    def counts(self, call: Call, output: Any) -> bool:
        """Whether a functional call that ended is one that is counted."""
        raise NotImplementedError

    # -- calls ---------------------------------------------------------------------------------------------------

    def hidden(self) -> bool:
        """Whether what happens now lies inside a known layer or a torch function, and so makes no call."""
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
        """A torch function is called, under the path of the module whose forward calls it."""
        path = self.open_calls[-1].path if self.open_calls else ""
        return self._open(self._new(path, kind, functional=True), None, args, kwargs)

    def open_root(self, kind: str, args: Args, kwargs: Kwargs) -> Call:
        """A plain function begins that is the whole model."""
        return self._open(self._new("", kind, functional=False), None, args, kwargs)

    def close(self, call: Call, output: Any) -> None:
        """A call ends; one in it that has not ended was left by an exception that nobody told of."""
        for left in self._leave(call):
            if left is not call:
                self._fail(left)
        self.ended(call, output)
        if call.functional and not self.counts(call, output):
            self._take_back(call)

    def abandon(self, call: Call, error: BaseException) -> None:
        """A call raised; the innermost one that this exception came through is the one that failed."""
        if error is not self._failure:
            self._failure, self.failed_in = error, call
        for left in self._leave(call):
            self._fail(left)

    def run(self, call: Call, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """What `function` returns, as the work of an open call, which this closes."""
        try:
            output = function(*args, **kwargs)
        except BaseException as error:
            self.abandon(call, error)
            raise
        self.close(call, output)
        return output

    def on_function(self, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Run a torch function that the model's own code calls."""
        if self.hidden() or not self.open_calls:
            return function(*args, **kwargs)
        kind = public_name(function)
        self.asked(kind, args)
        if kind in SHAPE_QUERIES:
            return function(*args, **kwargs)
        return self.run(self.open_function(kind, args, kwargs), function, args, kwargs)

    def _new(self, path: str, kind: str, *, functional: bool) -> Call:
        parent = self.open_calls[-1].index if self.open_calls else None
        return Call(len(self.calls), path, self.uses[path, kind if functional else None], kind, parent, functional)

    def _open(self, call: Call, target: nn.Module | None, args: Args, kwargs: Kwargs) -> Call:
        self.uses[site_of(call)] += 1
        self.calls.append(call)
        self.started(call, target, args, kwargs)
        self.open_calls.append(call)
        return call

    def _leave(self, call: Call) -> Iterator[Call]:
        """Take the call off the open ones, with any in it that never ended; those, the innermost first."""
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
        """Give the call's number to the next one."""
        if call.number == self.uses[site_of(call)] - 1:
            self.uses[site_of(call)] -= 1
        call.number = -1


def site_of(call: Call) -> Site:
    """Where a call is made, and of what."""
    return call.path, call.kind if call.functional else None


def renumbered(calls: Sequence[Call], ops: Sequence[Op], uses: Counter[Site]) -> list[Call]:
    """The calls without those that raised, with new indices; each op that ran in one that raised is a call by itself.

    `ops` are those of the run, and are told their new call; `uses` counts the calls of each site.
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
    """The ops of a call that raised, each as a call: they have run, and a counter that watches ops has seen them.

    Views compute nothing and are left out.
    """
    for op in (ops[index] for index in call.ops if not ops[index].is_view):
        made = Call(0, call.path, 0, op.packet, None, True, args=op.args, kwargs=op.kwargs, outputs=op.outputs)
        made.number, made.ops = uses[site_of(made)], [op.index]
        made.training, made.where = call.training, call.where
        uses[site_of(made)] += 1
        yield made


class _FunctionWatch(TorchFunctionMode):
    """Tells the tracker of every torch function, before any op of it runs."""

    def __init__(self, tracker: CallTracker):
        super().__init__()
        self.tracker = tracker

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.tracker.on_function(func, args, kwargs or {})
