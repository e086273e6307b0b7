"""By which names the code of a run reaches torch's functions, as a library meets them that has replaced them.

`F.conv2d` and `torch.conv2d` are one function in two places, and `x @ y` and `x.matmul(y)` ask for one op by two
attributes. So the model runs once more, with a function in each of these places that notes the call and passes it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from cnninspect.errors import error_text
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Declined
from cnninspect.trace.isolation import isolated
from cnninspect.trace.module_calls import Args, Kwargs
from cnninspect.trace.names import public_name
from cnninspect.trace.private_torch import functions_unseen
from cnninspect.trace.records import Call, Layer, Trace
from cnninspect.trace.rerun import Watcher
from cnninspect.trace.tracker import renumbered
from cnninspect.trace.trees import leaves

_OWNERS = {"F": F, "torch": torch, "torch.linalg": torch.linalg, "Tensor": torch.Tensor}


@dataclass(slots=True)
class Reached:
    """A call of a torch function by its `name`, such as `F.relu` or `Tensor.__matmul__`.

    `call` is the index of the trace's call that this is (`own`), or inside which it runs. `args` and `kwargs` hold
    TensorRefs of which only the shapes are meant; `output` is the shape of the first tensor that it returns, None if
    there is none. `inside` is the name by which the function around it was reached, empty if there is none.
    """

    name: str
    call: int
    own: bool
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Shape | None = None
    inside: str = ""


def reached(model: nn.Module, args: Args, kwargs: Kwargs, trace: Trace, names: Sequence[str]) -> list[Reached]:
    """Every call by one of these names in a second run of the traced model, in the order in which they start.

    Declined if the second run fails or makes other calls than the first.
    """
    follower = _Follower(model, trace)
    with isolated(model, trace.training, gradients=trace.gradients, inputs=(args, kwargs)):
        try:
            with _replaced(names, follower.noting):
                follower.run_model(model, args, kwargs)
        except Exception as error:
            raise Declined(f"with functions of torch replaced, the model fails: {error_text(error)}") from error
    return follower.found()


@contextmanager
def _replaced(names: Sequence[str], noting: Callable[[str, Any], Any]) -> Iterator[None]:
    """Puts `noting(name, function)` in the place of each function, and puts all back afterwards."""
    places = [(name, _OWNERS[name.rpartition(".")[0]], name.rpartition(".")[2]) for name in names]
    places = [place for place in places if hasattr(*place[1:])]
    before = [(owner, attribute, vars(owner).get(attribute)) for _, owner, attribute in places]
    substitutes = [noting(name, getattr(owner, attribute)) for name, owner, attribute in places]
    try:
        for (_, owner, attribute), substitute in zip(places, substitutes, strict=True):
            setattr(owner, attribute, substitute)
        yield
    finally:
        for owner, attribute, own in before:
            if own is not None:
                setattr(owner, attribute, own)
            elif attribute in vars(owner):  # `torch.Tensor` inherits its methods.
                delattr(owner, attribute)


class _Follower(Watcher):
    """Notes calls of replaced functions, and follows the same calls as the trace."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model, lambda _: Layer(), lambda *_: None, None)
        self._trace = trace
        self._layers_at = {c.path: Layer(c.layer, c.base, c.hyperparameters) for c in trace.calls if not c.functional}
        self._thread = get_ident()
        self._originals: dict[Any, Any] = {}
        self._noted: list[tuple[Reached, Call]] = []
        self._inside: list[str] = []
        self._runs_op = False

    def declare(self, module: nn.Module) -> None:
        """Nothing: the layers are those of the trace."""

    def layer_of(self, _: str, module: nn.Module) -> Layer:
        """The layer that the trace has at the module's path."""
        return self._layers_at.get(self._paths[id(module)], Layer())

    def on_function(self, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Follows the function itself, where torch passes on the one that stands in its place."""
        return super().on_function(self._originals.get(function, function), args, kwargs)

    def on_op(self, op: Any, args: Args, kwargs: Kwargs) -> Any:
        """Runs an op; functions that its kernel calls, as those in Python for meta do, are not the model's."""
        before, self._runs_op = self._runs_op, True
        try:
            return super().on_op(op, args, kwargs)
        finally:
            self._runs_op = before

    def noting(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """The function that stands in the place of `original` and notes each call by `name`."""
        public_name(original)  # It finds the name by the place, and remembers it.

        def substitute(*args: Any, **kwargs: Any) -> Any:
            if get_ident() != self._thread or self._runs_op or self._paused or not self.open_calls:
                return original(*args, **kwargs)
            return self._note(name, original, args, kwargs)

        self._originals[substitute] = original
        return substitute

    def _note(self, name: str, original: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        made, around, hidden = len(self.calls), self.open_calls[-1], self.hidden()
        with self.paused(), functions_unseen():
            plain = self.values.plain(tuple(args)), self.values.plain(dict(kwargs))
        noted = Reached(name, 0, False, *plain, inside=self._inside[-1] if self._inside else "")
        place = len(self._noted)
        self._noted.append((noted, around))
        self._inside.append(name)
        try:
            output = original(*args, **kwargs)
        finally:
            self._inside.pop()
        with self.paused(), functions_unseen():
            noted.output = next((tuple(tensor.shape) for tensor in leaves(output, torch.Tensor)), None)
        if not hidden and len(self.calls) > made and self.calls[made].number >= 0:
            noted.own, self._noted[place] = True, (noted, self.calls[made])
        return output

    def found(self) -> list[Reached]:
        """What was noted, with the trace's calls. Declined if the calls are not those of the trace."""
        kept = [(noted, self._kept(call)) for noted, call in self._noted]
        calls = renumbered(self.calls, self.ops, self.uses)
        if [call.kind for call in calls] != [call.kind for call in self._trace.calls]:
            raise Declined("a second run of the model makes other calls than the first")
        for noted, call in kept:
            noted.call = call.index
        return [noted for noted, _ in kept]

    def _kept(self, call: Call) -> Call:
        """The call itself, or the nearest around it that the trace has too."""
        while call.number < 0 and call.parent is not None:
            call = self.calls[call.parent]
        return call
