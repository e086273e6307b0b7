"""The options that say what `compare` expects of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

_BASELINE = "Against a baseline"
_CLAIMS = "Against claims"
_BUDGETS = "Against budgets"


def _limit(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_BUDGETS)


@dataclass(frozen=True)
class BaselineOptions:
    """What the network was, and how far it may have moved since."""

    baseline: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Baseline, or any report saved as JSON.", rich_help_panel=_BASELINE),
    ] = None
    update_baseline: Annotated[
        bool,
        typer.Option(
            "--update-baseline", help="Write the baseline, check nothing, exit with 0.", rich_help_panel=_BASELINE
        ),
    ] = False
    tolerance: Annotated[
        str | None,
        typer.Option(
            metavar="1%|macs=1%,params=0",
            help="How far numbers may be from the baseline, or from OTHER. Shapes and fields have no tolerance.",
            rich_help_panel=_BASELINE,
        ),
    ] = None


@dataclass(frozen=True)
class ClaimOptions:
    """What somebody says that the network is."""

    claims: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Table of claims, a row a layer: CSV, Markdown, JSON or YAML.", rich_help_panel=_CLAIMS
        ),
    ] = None


@dataclass(frozen=True)
class BudgetOptions:
    """The most and the least that the network may have."""

    max_params: Annotated[str | None, _limit("SIZE", "Parameters at most, such as 5M.")] = None
    max_macs: Annotated[str | None, _limit("SIZE", "Multiply-accumulates at most, such as 600M.")] = None
    max_flops: Annotated[str | None, _limit("SIZE", "FLOPs at most, such as 1.2G.")] = None
    max_peak_memory: Annotated[str | None, _limit("BYTES", "Memory of the forward pass at most, 200MB or 190MiB.")] = (
        None
    )
    min_rf: Annotated[str | None, _limit("PIXELS", "Receptive field at least, on every axis.")] = None
    max_rf: Annotated[str | None, _limit("PIXELS", "Receptive field at most, on every axis.")] = None
    max_layer_share: Annotated[str | None, _limit("PERCENT", "Part of all MACs in one layer at most, such as 40%.")] = (
        None
    )


@dataclass(frozen=True)
class ExpectationOptions:
    """All that a network can be held against."""

    baseline: BaselineOptions
    claims: ClaimOptions
    budgets: BudgetOptions
