"""One tool on one model, as the tool's documentation says: prints its report, then a line of JSON for peers.py.

    python tests/benchmarks/one_peer.py TOOL MODEL [WARM_ROUNDS]

Only the tool and torchvision are imported. With WARM_ROUNDS, the same model is analysed again in this process.
"""

from __future__ import annotations

import ast
import gc
import json
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

SIZE = (1, 3, 224, 224)

Found = dict[str, Any]
"""`params`, `macs`, and `field`: the receptive field of the last map of more than one position; None if none."""


def torchvision_model(name: str, device: str = "cpu") -> Any:
    """The model in eval mode."""
    import torch

    try:
        import torchvision
    except RuntimeError:  # A CPU torch beside a torchvision that was built for CUDA: declaring its operators is enough.
        for module in [module for module in sys.modules if module.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        source = Path(__file__).parents[2] / "cnninspect" / "targets" / "torchvision_ops.py"
        named = (node for node in ast.parse(source.read_text()).body if isinstance(node, ast.Assign))
        schemas = next(node.value for node in named if getattr(node.targets[0], "id", "") == "SCHEMAS")
        torchvision_model.library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[attr-defined]
        for schema in ast.literal_eval(schemas):
            torchvision_model.library.define(schema)  # type: ignore[attr-defined]
        import torchvision
    with torch.device(device):
        return torchvision.models.get_model(name).eval()


def cnninspect(model: Any) -> Found:
    """The Python API; the command line is timed by peers.py."""
    from cnninspect import inspect_model

    report = inspect_model(model, SIZE)
    print(report)
    field = report.totals["receptive_field"]
    found = None if field.is_global or not field.size else field.size[0]
    return {"params": report.total("params").value, "macs": report.total("macs").value, "field": found}


def flop_counter(model: Any) -> Found:
    """torch.utils.flop_counter: two FLOPs a MAC."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode() as counter, torch.no_grad():
        model(torch.empty(SIZE, device="meta"))
    return {"params": sum(each.numel() for each in model.parameters()), "macs": counter.get_total_flops() / 2}


def torchinfo(model: Any, device: str = "cpu") -> Found:
    from torchinfo import summary

    found = summary(model, input_size=SIZE, device=device, verbose=1)
    return {"params": found.total_params, "macs": found.total_mult_adds}


def torchinfo_meta(model: Any) -> Found:
    return torchinfo(model, "meta")


def fvcore(model: Any) -> Found:
    """Its FLOPs are MACs, by its documentation."""
    import torch
    from fvcore.nn import FlopCountAnalysis, flop_count_table, parameter_count

    found = FlopCountAnalysis(model, torch.randn(SIZE))
    print(flop_count_table(found))
    return {"params": parameter_count(model)[""], "macs": found.total()}


def ptflops(model: Any) -> Found:
    from ptflops import get_model_complexity_info

    macs, params = get_model_complexity_info(model, SIZE[1:], as_strings=False, backend="pytorch", verbose=False)
    return {"params": params, "macs": macs}


def thop(model: Any) -> Found:
    import torch
    from thop import clever_format, profile

    macs, params = profile(model, inputs=(torch.randn(SIZE),))
    print(clever_format([macs, params], "%.3f"))
    return {"params": params, "macs": macs}


def calflops(model: Any) -> Found:
    from calflops import calculate_flops

    _, macs, params = calculate_flops(model=model, input_shape=SIZE, output_as_string=False)
    return {"params": params, "macs": macs}


def torchscan(model: Any) -> Found:
    """Its fields are those of each layer on its own input."""
    from torchscan import summary

    found = summary(model, SIZE[1:], receptive_field=True)
    totals = found["totals"]
    macs = totals["macs"]["value"] if totals["macs"]["value"] is not None else totals["macs"]["known_value"]
    return {"params": totals["parameters"]["value"], "macs": macs}


def torchlens(model: Any) -> Found:
    import torch
    import torchlens as tl

    log = tl.trace(model, torch.randn(SIZE))
    print(log.summary())
    fields = [(layer.shape, _size(layer.receptive_field)) for layer in log.layer_list]
    return {"params": log.num_params, "macs": log.total_macs_forward, "field": _last_field(fields)}


def _size(view: Any) -> int | None:
    """The size of a field in torchlens; None where it says that it has none."""
    try:
        return int(view.size[0])
    except Exception:
        return None


def torchview(model: Any) -> Found:
    """It draws, and counts nothing."""
    from torchview import draw_graph

    print(len(draw_graph(model, input_size=SIZE, device="meta").visual_graph.source))
    return {"params": None, "macs": None}


def _last_field(fields: Iterable[tuple[Any, Any]]) -> Any:
    """The field of the last map of more than one position, of (shape, field) in order."""
    maps = [field for shape, field in fields if shape is not None and len(shape) == 4 and shape[-1] > 1]
    return maps[-1] if maps else None


META = (flop_counter, torchinfo_meta, torchview, cnninspect)
TOOLS: dict[str, Callable[[Any], Found]] = {
    each.__name__: each
    for each in (
        cnninspect, flop_counter, torchinfo, torchinfo_meta, fvcore, ptflops, thop, calflops, torchscan, torchlens,
        torchview,
    )
}  # fmt: skip
PACKAGES = {"flop_counter": "torch", "torchinfo_meta": "torchinfo"}
"""Tool -> its package, where the names differ."""


def main(tool: str, name: str, rounds: int = 0) -> None:
    """Print the report of the tool, and what was found."""
    warnings.simplefilter("ignore")
    count = TOOLS[tool]
    model = torchvision_model(name, "meta" if count in META else "cpu")
    found = count(model)
    times = []
    for _ in range(rounds):
        gc.collect()
        start = process_time()
        count(model)
        times.append(process_time() - start)
    if tool != "cnninspect":
        found["version"] = version(PACKAGES.get(tool, tool))
    print("\n" + json.dumps({**found, "warm": median(times) if times else None}, default=float))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
