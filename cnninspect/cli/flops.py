"""The options of `flops`: selection of rows, and accounts beyond multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnninspect.cli.options import RunOptions
from cnninspect.errors import UsageError, nearest
from cnninspect.report.quantities import parse_count, parse_memory
from cnninspect.report.selection import TEXT_KEYS, By, View
from cnninspect.targets.grammar import dtype_name, parameter_dtype, parse_arguments

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account

_VIEW = "View"
LIBRARIES = ("thop", "ptflops", "torchinfo", "calflops", "deepspeed", "fvcore", "torchscan")
_ACCOUNTS = "Accounts"


class Optimizer(str, Enum):
    """Optimizers with known state."""

    SGD = "sgd"
    MOMENTUM = "momentum"
    ADAGRAD = "adagrad"
    RMSPROP = "rmsprop"
    ADAM = "adam"
    ADAMW = "adamw"


@dataclass(frozen=True)
class WorkOptions:
    """Rows, their order, and accounts."""

    by: Annotated[
        By,
        typer.Option(
            metavar="|".join(each.value for each in By),
            case_sensitive=False,
            help="What a row sums.",
            rich_help_panel=_VIEW,
        ),
    ] = By.LAYER
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Show the first N rows; sorted by MACs unless --sort is given.",
            rich_help_panel=_VIEW,
        ),
    ] = None
    elementwise: Annotated[
        bool,
        typer.Option("--elementwise", help="Operations that are no MACs, by class of work.", rich_help_panel=_ACCOUNTS),
    ] = False
    backward: Annotated[
        bool,
        typer.Option("--backward", help="MACs of gradients of inputs and weights.", rich_help_panel=_ACCOUNTS),
    ] = False
    input_grad: Annotated[
        bool,
        typer.Option("--input-grad", help="With --backward: gradients of the inputs too.", rich_help_panel=_ACCOUNTS),
    ] = False
    nonzero: Annotated[
        bool,
        typer.Option(
            "--nonzero",
            help="Weights that are not 0, masks applied, and the MACs in which they take part.",
            rich_help_panel=_ACCOUNTS,
        ),
    ] = False
    memory: Annotated[
        bool,
        typer.Option("--memory", help="Bytes of outputs, and peak memory in training.", rich_help_panel=_ACCOUNTS),
    ] = False
    optimizer: Annotated[
        Optimizer | None,
        typer.Option(
            metavar="|".join(each.value for each in Optimizer),
            case_sensitive=False,
            help="Add the state of this optimizer to training memory; sgd has none.",
            rich_help_panel=_ACCOUNTS,
        ),
    ] = None
    time: Annotated[
        bool,
        typer.Option(
            "--time", help="Measure the latency of every row, on the CPU or --device.", rich_help_panel=_ACCOUNTS
        ),
    ] = False
    repeats: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of timed runs.", rich_help_panel=_ACCOUNTS)
    ] = 20
    warmup: Annotated[
        int, typer.Option(metavar="N", min=0, help="Number of runs before the timed ones.", rich_help_panel=_ACCOUNTS)
    ] = 3
    counters: Annotated[
        str | None,
        typer.Option(
            metavar="all|NAME,..",
            help=f"Counters of other libraries beside ours, by class of work: {', '.join(LIBRARIES)}.",
            rich_help_panel=_ACCOUNTS,
        ),
    ] = None
    peak_flops: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="FLOPs per second of a machine, such as 19.5T.", rich_help_panel=_ACCOUNTS),
    ] = None
    bandwidth: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Its bytes per second, such as 1.5TB.", rich_help_panel=_ACCOUNTS),
    ] = None

    @property
    def wants_memory(self) -> bool:
        """Whether memory is asked for, also by naming an optimizer."""
        return self.memory or self.optimizer is not None

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries whose counters are asked for; UsageError for one that is not known."""
        asked = [name.strip().lower() for name in (self.counters or "").split(",")]
        if self.counters is None or asked == ["all"]:
            return LIBRARIES if asked == ["all"] else ()
        for name in asked:
            if name not in LIBRARIES:
                near = nearest(name, LIBRARIES)
                hint = f"Nearest: {', '.join(near)}." if near else f"Write all, or some of {', '.join(LIBRARIES)}."
                raise UsageError(f"--counters: no counter is called {name!r}. {hint}")
        return tuple(dict.fromkeys(asked))

    def arranged(self, view: View) -> View:
        """The view with these rows in this order; UsageError for a sort key that the rows will not have."""
        if view.sort is not None:
            self._check_sort(view.sort)
        return replace(view, by=self.by, top=view.top if self.top is None else self.top)

    def accounts(self, target: str, run: RunOptions) -> Callable[[], Sequence[Account]]:
        """A function that makes the accounts, after torch is imported; UsageError for incompatible options."""
        if self.libraries and (run.train or run.call is not None):
            option = "--train" if run.train else "--call"
            raise UsageError(f"--counters counts a forward pass in eval mode. Leave {option} out.")
        if self.input_grad and not self.backward:
            raise UsageError("--input-grad needs --backward. Give both.")
        machine = self._machine()
        return lambda: [*_accounts(self, machine), *_other_counters(self.libraries, target, run)]

    def _check_sort(self, name: str) -> None:
        if name in TEXT_KEYS:
            return
        if name not in _SORTABLE:
            known = (*TEXT_KEYS, *_SORTABLE)
            near = nearest(name, known)
            hint = f"Nearest: {', '.join(near)}." if near else f"Names: {', '.join(known)}."
            raise UsageError(f"--sort: there is no number {name!r}. {hint}")
        advice, is_there = _SORTABLE[name]
        if not is_there(self):
            raise UsageError(f"--sort {name}: these rows do not have this number. {advice}.")

    def _machine(self) -> dict[str, Any]:
        """The limits of the machine; empty if the options give none."""
        if (self.peak_flops is None) != (self.bandwidth is None):
            raise UsageError(
                "--peak-flops and --bandwidth are needed together to tell what bounds a layer. Give both or neither."
            )
        if self.peak_flops is None or self.bandwidth is None:
            return {}
        return {
            "peak_flops": _parsed("--peak-flops", parse_count, self.peak_flops),
            "bandwidth": _parsed("--bandwidth", parse_memory, self.bandwidth),
        }


_Asked = Callable[[WorkOptions], bool]


def _of_layers(option: str, asked: _Asked) -> tuple[str, _Asked]:
    advice = f"Give {option}, with --by layer, module or kind"
    return advice, lambda options: asked(options) and options.by is not By.OP


_SORTABLE: dict[str, tuple[str, _Asked]] = {
    **dict.fromkeys(("macs", "flops", "bytes_moved", "intensity"), ("", lambda _: True)),
    **dict.fromkeys(
        ("params", "neurons"), ("Give --by layer, module or kind", lambda options: options.by is not By.OP)
    ),
    **dict.fromkeys(("latency", "flops_per_second"), _of_layers("--time", lambda options: options.time)),
    "calls": ("Give --by module, kind or op", lambda options: options.by is not By.LAYER),
    "operations": ("Give --by op", lambda options: options.by is By.OP),
    "element_operations": _of_layers("--elementwise", lambda options: options.elementwise),
    "backward_macs": _of_layers("--backward", lambda options: options.backward),
    **dict.fromkeys(("nonzero", "effective_macs"), _of_layers("--nonzero", lambda options: options.nonzero)),
    "output_bytes": _of_layers("--memory", lambda options: options.wants_memory),
}
"""Sort key -> (advice on the options that it needs, function: options -> whether they are given)."""


def _accounts(options: WorkOptions, machine: dict[str, Any]) -> list[Account]:
    from cnninspect.inspection.accounts.sparsity import NonZeros
    from cnninspect.inspection.accounts.training import Backward, Memory
    from cnninspect.inspection.accounts.work import ByOp, Conventions, Operations, Time, Traffic

    optimizer = options.optimizer or Optimizer.SGD
    asked: list[tuple[bool, Account]] = [
        (True, Conventions()),
        (True, Traffic(**machine)),
        (options.by is By.OP, ByOp()),
        (options.elementwise, Operations()),
        (options.backward, Backward(options.input_grad)),
        (options.nonzero, NonZeros()),
        (options.wants_memory, Memory(optimizer.value)),
        (options.time, Time(options.warmup, options.repeats)),
    ]
    return [account for wanted, account in asked if wanted]


def _other_counters(libraries: Sequence[str], target: str, run: RunOptions) -> Sequence[Account]:
    if not libraries:
        return ()
    from cnninspect.inspection.accounts.other_counters import OtherCounters
    from cnninspect.inspection.other_process import Request

    dtype = None if run.dtype is None else parameter_dtype(dtype_name(run.dtype))
    request = Request(target, parse_arguments(run.arg), inputs_from=run.inputs_from, dtype=dtype)
    return [OtherCounters(libraries, request)]


def _parsed(option: str, parse: Callable[[str], int], text: str) -> int:
    try:
        found = parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}.") from None
    if not found:
        raise UsageError(f"{option} must be more than 0. Give the limit of the machine, such as 19.5T.")
    return found
