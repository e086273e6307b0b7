"""The runs in which `reconcile` looks for a number: of the model as it is, then with another input, batch or head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from torch import nn

from cnninspect.conventions.apply import Applied, adds_bias, apply
from cnninspect.conventions.differences import macs_by_work, own_macs, work_of
from cnninspect.conventions.search import Reading, Result, Setting, search
from cnninspect.conventions.sight import Sight
from cnninspect.conventions.table import CONVENTIONS, Params, Work
from cnninspect.errors import CnninspectError
from cnninspect.inspection.accounts.other_counters import seen
from cnninspect.inspection.run import Options, run_on_cheapest
from cnninspect.measure.base import Run
from cnninspect.ops.evaluate import Estimate, evaluate, whole_macs
from cnninspect.report.published import Published, Quantity
from cnninspect.report.quantities import Status
from cnninspect.targets.grammar import Method
from cnninspect.targets.resolve import resolve
from cnninspect.targets.target import Target
from cnninspect.trace.private_torch import compiler_not_imported
from cnninspect.trace.records import Call, State, Trace

SIDES = (32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 288, 299, 320, 384, 448, 512)
"""Sides of square images that papers use."""

COUNTERS_AT = (224, 256, 299, 384)
"""Sides at which the known counters are read as well."""

BATCHES = (2, 4, 8, 16, 32, 64, 128, 256)
"""Batch sizes that a number may have been counted for."""

SIZED = ("image_size", "img_size")
"""Arguments that fix the size of the image."""

AUXILIARY = ("aux_logits", "aux_loss")
"""Arguments that build auxiliary heads."""


def reconcile(
    target: Any,
    published: Sequence[Published],
    arguments: Mapping[str, Any] | None = None,
    method: Method | None = None,
    options: Options | None = None,
) -> Result:
    """The explanations of the published numbers of a model, best first, or the nearest numbers where there are none.

    Raises UsageError, LoadError or RunError for a model that does not run.
    """
    wanted = {each.quantity for each in published}
    settings = _Search(target, dict(arguments or {}), method, options or Options(), wanted)
    with compiler_not_imported():
        own = settings.own()
        result = search(published, [[own], settings.changed(own)])
    result.notes, result.target, result.run = tuple(settings.notes), settings.described(), settings.as_run()
    return result


@dataclass
class _Search:
    target: Any
    arguments: dict[str, Any]
    method: Method | None
    options: Options
    wanted: set[Quantity]

    def __post_init__(self) -> None:
        self.notes: list[str] = []

    def own(self) -> Setting:
        """The setting of the model as it is."""
        found = self._resolved()
        trace, run, inputs, notes = run_on_cheapest(found, self.options)
        self.notes += [*found.notes, *inputs.notes, *notes]
        self._target, self._trace, self._inputs, self._first = found, trace, inputs, _first_shape(trace)
        estimates = evaluate(trace)
        if whole_macs(trace, estimates)[1] is not Status.EXACT and self._works:
            self.notes.append(
                "some ops have no formula, so the MACs of this model are a lower bound; summary names the ops"
            )
        return setting_of(trace, run, estimates, ())

    def _resolved(self, **others: Any) -> Target:
        return resolve(self.target, {**self.arguments, **others}, self.method)

    def described(self) -> dict[str, Any]:
        """The target as in a report."""
        found = self._target
        return {
            "spec": found.spec, "provider": found.provider, "name": found.name, "arguments": dict(found.arguments),
        }  # fmt: skip

    def as_run(self) -> dict[str, Any]:
        """The run as in a report."""
        return {
            "device": self._trace.device, "training": self.options.training, "inputs": list(self._inputs.described),
        }  # fmt: skip

    @property
    def _works(self) -> bool:
        return bool(self.wanted & {Quantity.MACS, Quantity.FLOPS})

    def changed(self, own: Setting) -> Iterator[Setting]:
        """The same model with another head, another batch and other sizes of its image."""
        yield from self._other_heads(own)
        if self.wanted == {Quantity.PARAMS}:
            return
        yield from self._trained()
        yield from _batches(own)
        yield from self._other_sizes()

    def _other_heads(self, own: Setting) -> Iterator[Setting]:
        for name in set(AUXILIARY) & set(self._target.source.defaults()):
            for other in (True, False):
                words = f"{name}={other}: {'with' if other else 'without'} the auxiliary heads"
                found = self._try(self._resolved(**{name: other}), self.options, (words,), 1)
                if found is not None and found.params[0].value != own.params[0].value:
                    yield found

    def _trained(self) -> Iterator[Setting]:
        """The run in training mode, if parts of the model run only there."""
        if self._trace.never_ran and not self.options.training:
            words = ("run in training mode, with the parts that run only there",)
            found = self._try(self._target, replace(self.options, training=True), words, 2)
            if found is not None:
                yield replace(found, applied=())

    def _other_sizes(self) -> Iterator[Setting]:
        if len(self._first) != 4 or self._first[1] not in (1, 3, 4) or self.options.inputs.source is not None:
            return
        for side in SIDES:
            if self._first[2:] == (side, side):
                continue
            shape = "x".join(map(str, (*self._first[:2], side, side)))
            words = (f"an input of {shape} instead of {'x'.join(map(str, self._first))}",)
            found = self._of_size(side, words)
            if found is not None:
                yield replace(found, variants=False, applied=found.applied if side in COUNTERS_AT else ())

    def _of_size(self, side: int, words: tuple[str, ...]) -> Setting | None:
        """The setting with another image; of a model whose constructor takes the size, another model."""
        inputs = replace(self.options.inputs, sizes={"h": side, "w": side})
        options = replace(self.options, inputs=inputs)
        found = self._try(
            self._target, options, words, 2, counters=side in COUNTERS_AT or Quantity.PARAMS in self.wanted
        )
        if found is not None or side not in COUNTERS_AT or self.options.inputs.specs:
            return found
        for name in SIZED:
            with suppress(CnninspectError):
                target = self._resolved(**{name: side})
                if (found := self._try(target, self.options, (*words, f"{name}={side}"), 2)) is not None:
                    return found
        return None

    def _try(
        self, target: Target, options: Options, words: tuple[str, ...], degree: int, *, counters: bool = True
    ) -> Setting | None:
        """The setting of a changed run; None if the model does not run in this way."""
        try:
            trace, run, _, _ = run_on_cheapest(target, replace(options, device=self._trace.device))
        except CnninspectError:
            return None
        return setting_of(trace, run, evaluate(trace), words, degree, counters=counters)


def _batches(own: Setting) -> Iterator[Setting]:
    """The plain count for a batch of several samples, each as large as the first."""
    first, *rest = own.input.split("x")
    if first != "1":
        return
    for batch in BATCHES:
        shape = "x".join((str(batch), *rest))
        macs = {work: batch * number for work, number in own.macs.items()}
        words = (f"a batch of {batch}: an input of {shape}",)
        outputs = tuple(_times(reading, batch) for reading in own.activations)
        yield replace(
            own, input=shape, changes=words, degree=2, macs=macs, applied=(), variants=False, activations=outputs
        )


def _times(reading: Reading, batch: int) -> Reading:
    terms = tuple((name, batch * number) for name, number in reading.terms)
    return replace(reading, value=batch * reading.value, terms=terms)


def _first_shape(trace: Trace) -> tuple[int, ...]:
    return next((ref.shape for ref in trace.inputs.values()), ())


def setting_of(
    trace: Trace, run: Run, estimates: Sequence[Estimate], changes: tuple[str, ...], degree: int = 0,
    *, counters: bool = True,
) -> Setting:  # fmt: skip
    """What a run counts, with `changes` from the model as it is, and their degree; known counters too if wanted."""
    own = own_macs(trace, [estimate.macs for estimate in estimates])
    macs = macs_by_work(trace, own)
    sight = seen(run) if counters else Sight({}, ())
    applied = tuple(apply(convention, sight) for convention in CONVENTIONS.values()) if counters else ()
    biases = sum(prod(event.output or ()) for event in sight.events if adds_bias(event))
    head = next((own[c.index] for c in reversed(trace.calls) if "Linear" in (c.layer or "") or c.kind == "F.linear"), 0)
    return Setting(
        "x".join(map(str, _first_shape(trace))), changes, degree, macs, head, biases, applied,
        tuple(_params(trace, run, applied)), tuple(_activations(trace, estimates)),
    )  # fmt: skip


# --- parameters and activations -----------------------------------------------------------------------------------


def _params(trace: Trace, run: Run, applied: Sequence[Applied]) -> Iterator[Reading]:
    states = list(trace.parameters.values())
    total = sum(state.fresh for state in states)
    plain: tuple[tuple[str, int], ...] = (("parameters", total),)
    yield Reading(total, "parameters", "every parameter once", plain)
    for words, degree, number in _fewer(trace, run):
        if 0 < number < total:
            terms = (*plain, (words.removeprefix("without "), -number))
            yield Reading(total - number, "parameters", "every parameter once", terms, (words,), degree)
    buffers = sum(state.fresh for state in trace.buffers.values())
    for words, degree, number in (("with tied weights at every use", 1, _tied(run)), ("with buffers", 2, buffers)):
        if number:
            terms = (*plain, (words.removeprefix("with "), number))
            yield Reading(total + number, "parameters", "every parameter once", terms, (words,), degree)
    for each in applied:
        if each.convention.params is not Params.ALL and each.params is not None and each.params != total:
            terms = (*plain, (f"what {each.convention.name} leaves out or counts again", each.params - total))
            counts = f"{each.convention.name} counts {each.convention.params.value}"
            yield Reading(each.params, "parameters", each.convention.name, terms, (counts,), 1)


def _fewer(trace: Trace, run: Run) -> Iterator[tuple[str, int, int]]:
    """What is left out of the parameters, in words, with its degree and number."""
    states = trace.parameters

    def those(test: Callable[[str, State], bool]) -> int:
        return sum(state.fresh for name, state in states.items() if test(name, state))

    unused = set(trace.unread)
    yield "without frozen parameters", 1, those(lambda _, state: not state.trainable)
    yield "without the parts that do not run, such as auxiliary heads", 1, those(lambda name, _: name in unused)
    modules = dict(run.model.named_modules()) if isinstance(run.model, nn.Module) else {}
    linear = [name for name, module in modules.items() if isinstance(module, nn.Linear) and _ran(trace, name)]
    head = linear[-1] if linear else None
    if head is not None:
        yield "without the last linear layer, the head", 2, those(lambda name, _: name.rpartition(".")[0] == head)
    tables = {name for name, module in modules.items() if isinstance(module, nn.Embedding)}
    yield "without embeddings", 2, those(lambda name, _: name.rpartition(".")[0] in tables)
    norms = {name for name, module in modules.items() if "Norm" in type(module).__name__}
    yield "without normalisation", 2, those(lambda name, _: name.rpartition(".")[0] in norms)
    yield "without biases", 2, those(lambda name, _: name.rpartition(".")[2].endswith("bias"))


def _ran(trace: Trace, path: str) -> bool:
    return any(call.path == path for call in trace.calls)


def _tied(run: Run) -> int:
    """Elements of parameters that modules share, for each further module."""
    if not isinstance(run.model, nn.Module):
        return 0
    every = [parameter for module in run.model.modules() for parameter in module._parameters.values()]
    known = [parameter for parameter in every if parameter is not None]
    unique = {id(parameter): parameter for parameter in known}
    return sum(p.numel() for p in known) - sum(p.numel() for p in unique.values())


def _activations(trace: Trace, estimates: Sequence[Estimate]) -> Iterator[Reading]:
    """Elements of outputs: of convolutions, of all that multiplies, or of every layer that computes."""
    leaves = [call for call in trace.calls if not trace.children.get(call.index)]
    sizes = {call.index: sum(prod(ref.shape) for ref in call.outputs[:1]) for call in leaves}

    def of(words: str, calls: Iterable[Call], degree: int) -> Reading:
        number = sum(sizes[call.index] for call in calls)
        return Reading(number, "elements", words, ((words, number),), (), degree)

    convs = [call for call in leaves if work_of(call) is Work.CONVOLUTION and estimates[call.index].macs]
    yield of("outputs of convolutions", convs, 0)
    multiply = [call for call in leaves if estimates[call.index].macs]
    if len(multiply) > len(convs):
        yield of("outputs of all layers that multiply", multiply, 0)
    yield of("outputs of all layers that compute", [c for c in leaves if estimates[c.index].computes], 1)
