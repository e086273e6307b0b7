"""Counters of other libraries, run for real: what each prints for a model.

Some leave hooks or replaced functions behind, most of all when the model fails. So they run in a process of their own
(`inspection/other_process.py`), and nothing here is called in the process of the report.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from torch import nn

Printed = dict[str, int]
"""Name of a convention, or "params" -> the number that the library gives for it."""

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


@dataclass(frozen=True)
class Library:
    """A library: the module that it is imported as, its name on PyPI, what else it needs, and how it is called."""

    module: str
    package: str
    run: Callable[[nn.Module, Args, Kwargs], Printed]
    needs: tuple[str, ...] = ()

    @property
    def is_installed(self) -> bool:
        """Whether it, and what it needs, can be imported."""
        return all(find_spec(name) is not None for name in (self.module, *self.needs))

    @property
    def version(self) -> str | None:
        """The installed version; None if there is none."""
        with suppress(PackageNotFoundError):
            return version(self.package)
        return None

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"python -m pip install {' '.join((self.package, *self.needs))}"


def _thop(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from thop import profile

    if kwargs:
        raise ValueError("thop.profile takes positional inputs only")
    macs, params = profile(model, inputs=args, verbose=False)
    return {"thop": int(macs), "params": int(params)}


def _ptflops(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from ptflops import get_model_complexity_info

    if len(args) > 1 or (args and kwargs):
        raise ValueError("ptflops takes one positional input, or named ones")
    found: Printed = {}
    for name, functions in (("ptflops up to 0.6.9", False), ("ptflops", True)):
        macs, params = get_model_complexity_info(
            model, (1,), as_strings=False, print_per_layer_stat=False,
            backend_specific_config={"count_functional": functions},
            input_constructor=lambda _: args[0] if args else dict(kwargs),
        )  # fmt: skip
        if macs is None:
            raise ValueError("the model failed in ptflops")
        found |= {name: int(macs), "params": int(params)}
    return found


def _torchinfo(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from torchinfo import summary

    found = summary(model, input_data=list(args), verbose=0, **kwargs)
    return {"torchinfo": int(found.total_mult_adds), "params": int(found.total_params)}


def _calflops(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from calflops import calculate_flops

    flops, macs, params = calculate_flops(
        model, args=list(args), kwargs=dict(kwargs), print_results=False, output_as_string=False
    )
    return {"calflops MACs": int(macs), "calflops FLOPs": int(flops), "params": int(params)}


def _deepspeed(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from deepspeed.profiling.flops_profiler import get_model_profile

    flops, macs, params = get_model_profile(
        model, args=list(args), kwargs=dict(kwargs), print_profile=False, detailed=False, as_string=False, warm_up=0
    )
    return {"DeepSpeed MACs": int(macs), "DeepSpeed FLOPs": int(flops), "params": int(params)}


def _fvcore(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    if kwargs:
        raise ValueError("FlopCountAnalysis takes positional inputs only")
    analysis = FlopCountAnalysis(model, args).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {"fvcore": int(analysis.total()), "params": int(parameter_count(model)[""])}


def _torchscan(model: nn.Module, args: Args, kwargs: Kwargs) -> Printed:
    from torchscan import crawl_module

    totals = crawl_module(model, args=args, kwargs=dict(kwargs))["totals"]
    # `value` is None where a module has no rule; `known_value` then is what the others add up to.
    return {"torch-scan": int(totals["macs"]["known_value"] or 0), "params": int(totals["parameters"]["value"])}


LIBRARIES = {
    "thop": Library("thop", "thop", _thop),
    "ptflops": Library("ptflops", "ptflops", _ptflops),
    "torchinfo": Library("torchinfo", "torchinfo", _torchinfo),
    # It imports transformers without naming it among its requirements.
    "calflops": Library("calflops", "calflops", _calflops, ("transformers",)),
    "deepspeed": Library("deepspeed", "deepspeed", _deepspeed),
    "fvcore": Library("fvcore", "fvcore", _fvcore),
    "torchscan": Library("torchscan", "torchscan", _torchscan),
}
"""Every library by the name that the command line takes, which is that of its module."""


def printed(name: str, model: object, args: Args, kwargs: Kwargs) -> Printed:
    """What the library prints for the model, which is put into eval mode; ValueError for a function."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"{name} takes modules, not functions")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LIBRARIES[name].run(model.eval(), args, kwargs)
