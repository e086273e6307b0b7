"""One network: the report of cnninspect beside torch's FlopCounterMode and a plain sum of the parameters."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from time import monotonic
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from cnninspect import inspect_model
from cnninspect.errors import CnninspectError
from cnninspect.report.document import Report
from cnninspect.report.quantities import Status
from cnninspect.targets.grammar import InputSpec, parse_argument
from cnninspect.targets.input_values import tensors
from cnninspect.targets.resolve import resolve

from .networks import Network


def measured(network: Network) -> dict[str, Any]:
    """What the table shows of one network, as plain data; `why` is the message of one that does not run."""
    arguments = dict(map(parse_argument, network.arguments))
    start = monotonic()
    try:
        report = inspect_model(network.target, arguments=arguments, inputs=network.inputs)
    except CnninspectError as error:
        return {"ran": False, "why": str(error)}
    seconds, peak = monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    params, macs = oracle(network.target, arguments, report)
    found = report.total("params"), report.total("macs")
    fields = [each.receptive_field for each in report.rows if each.receptive_field is not None]
    unknown = [field for field in fields if field.status is Status.UNKNOWN]
    return {
        "ran": True,
        "device": report.run["device"],
        "params": [found[0].value, params],
        "macs": [found[1].value, macs],
        "status": found[1].status.value,
        "verdict": report.verdict.value,
        "rows": len(report.rows),
        "unknown_fields": len(unknown),
        "why_unknown": sorted({reason.text for field in unknown for reason in field.why}),
        "attention": sum(
            each.macs.value or 0 for each in report.rows if each.macs is not None and _is_attention(each.kind)
        ),
        "not_compared": [note for note in report.notes if "not compared" in note],
        "uncounted": [each["op"] for each in report.to_dict()["uncounted"]],
        "seconds": round(seconds, 1),
        "peak": peak,
    }


def _is_attention(kind: str) -> bool:
    return kind.endswith("scaled_dot_product_attention")


def oracle(target: str, arguments: Mapping[str, Any], report: Report) -> tuple[int, int | str]:
    """(elements of all parameters, MACs by FlopCounterMode or why it fails), of a network that is built once more."""
    device = report.run["device"]
    model: Any = resolve(target, arguments).build(device)
    model.eval()
    specs = [
        InputSpec(tuple(each["shape"]), each["dtype"], None if each["name"][0].isdigit() else each["name"])
        for each in report.run["inputs"]
    ]
    given = tensors(specs, device, torch.float32)
    params = sum(each.numel() for each in model.parameters())
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(*given.args, **given.kwargs)
    except Exception as error:
        return params, f"{type(error).__name__}: {error}"[:200]
    return params, counter.get_total_flops() // 2
