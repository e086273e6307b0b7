"""Reports built by hand: no model runs here, and every number is worked out beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Shape, Status, Unit, Verdict, in_flops
from cnninspect.report.rows import ReceptiveField, Row, Uncounted

TOOL = {"name": "cnninspect", "version": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "fvcore": "0.1.5"}


def agreed(value: Any, unit: Unit, *counters: str) -> Quantity:
    """A number on which the formula and every counter agree."""
    return Quantity(value, unit, Status.EXACT, value, dict.fromkeys(counters, value), Verdict.MATCH)


def row(
    path: str,
    kind: str,
    shape: Shape,
    *,
    params: int = 0,
    macs: int | Quantity = 0,
    parent: int | None = 0,
    neurons: int | None = None,
    field: ReceptiveField | None = None,
    **changes: Any,
) -> Row:
    """A row that matches in everything; `changes` replace its fields."""
    macs = macs if isinstance(macs, Quantity) else agreed(macs, Unit.MACS, "torch")
    functional = "." in kind
    neurons = neurons if neurons is not None else _elements(shape[1:])
    numbers: dict[str, Any] = {
        "path": path,
        "call": 0,
        "kind": kind,
        "depth": (path.count(".") + 1 if path else 0) + functional,
        "leaf": True,
        "functional": functional,
        "hyperparameters": {},
        "input_shapes": (),
        "output_shape": agreed((shape,), Unit.SHAPE, "hooks"),
        "params": agreed(params, Unit.PARAMS, "storage"),
        "macs": macs,
        "flops": in_flops(macs),
        "neurons": agreed(neurons, Unit.ELEMENTS, "hooks"),
        "receptive_field": field or ReceptiveField(),
        "parent": parent,
    }
    return Row(**{**numbers, **changes})


def _elements(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def tiny(**changes: Any) -> Report:
    """A network with a container, functional calls and a view; input 1x3x8x8, everything agrees.

    params: 3*3*3*8 + 8 = 224, 3*3*8*8 = 576, 8 + 8 = 16, 128*10 + 10 = 1290; together 2106, of which 2106*4 bytes.
    MACs:   8*8*8 * 3*3*3 = 13824, 8*8*8 * 3*3*8 = 36864, 128*10 = 1280; together 51968.
    neurons: 512 each for stem, relu, block.0, block.1; 128 for the pool, 10 for fc; together 2186.
    activations: 2 * 4 bytes * (512 + 512 + 512 + 10) = 12368.
    """
    rows = (
        row("", "Net", (1, 10), params=2106, macs=51968, parent=None, neurons=2186, leaf=False),
        row("stem", "Conv2d", (1, 8, 8, 8), params=224, macs=13824, hyperparameters={"kernel_size": (3, 3)}),
        row("", "F.relu", (1, 8, 8, 8)),
        row("block", "Sequential", (1, 8, 8, 8), params=592, macs=36864, neurons=1024, leaf=False),
        row("block.0", "Conv2d", (1, 8, 8, 8), params=576, macs=36864, parent=3),
        row("block.1", "BatchNorm2d", (1, 8, 8, 8), params=16, parent=3),
        row("", "F.max_pool2d", (1, 8, 4, 4)),
        row("", "Tensor.view", (1, 128), neurons=0, computes=False, layer_like=False),
        row("fc", "Linear", (1, 10), params=1290, macs=1280),
    )
    return report(rows, params=2106, macs=51968, neurons=2186, activation_bytes=12368, **changes)


def wider():
    """tiny with 16 channels in `stem` (3*3*3*16 + 16 = 448 params, 8*8*16 * 27 = 27648 MACs) and without `fc`."""
    rows = list(tiny().rows)[:-1]
    rows[1] = row("stem", "Conv2d", (1, 16, 8, 8), params=448, macs=27648, hyperparameters={"kernel_size": (3, 3)})
    return report(tuple(rows), params=1040, macs=64512, neurons=2688, activation_bytes=12288)


def doubtful(**changes: Any) -> Report:
    """A report with everything that can be wrong.

    conv:  declares stride 1 and uses 2, so that the formula says 8*8*8 * 27 = 13824 MACs and torch 8*4*4 * 27 = 3456.
    mix:   an op without a formula makes its row unknown and the total a lower bound.
    lstm:  8*4*4 = 128 inputs, 4 hidden: 4 * (128*4 + 4*4) = 2112 MACs that torch has no formula for.
    state: has no tensor output.
    shared, second use: no parameters of its own; the path holds wide characters and every sort of markup.
    Total: 13824 + 2112 + 100 = 16036 MACs at least, of which torch counts 3456 + 100 = 3556.
    """
    whole, halved = ((1, 8, 8, 8),), ((1, 8, 4, 4),)
    stride = Quantity(13824, Unit.MACS, Status.EXACT, 13824, {"torch": 3456}, Verdict.DIFFER)
    uncovered = Quantity(
        2112, Unit.MACS, Status.EXACT, 2112, {"torch": 0}, Verdict.NOT_COUNTED, {"torch": "torch does not count lstm"}
    )
    unknown = Quantity(None, Unit.MACS, Status.UNKNOWN, None, {"torch": 0}, Verdict.UNKNOWN)
    least = Quantity(16036, Unit.MACS, Status.LOWER_BOUND, 16036, {"torch": 3556}, Verdict.UNKNOWN)
    nothing = dict.fromkeys(("output_shape", "params", "macs", "flops", "neurons", "receptive_field"))
    rows = (
        row("", "Net", (1, 8, 4, 4), params=2472, parent=None, leaf=False, macs=least),
        row(
            "conv", "Conv2d", halved[0], params=224,
            output_shape=Quantity(whole, Unit.SHAPE, Status.EXACT, whole, {"hooks": halved}, Verdict.DIFFER),
            neurons=512, macs=stride, where="nets.py:41",
        ),
        row(
            "mix", "torch.fft.rfft2", (1, 8, 4, 3), parent=0, macs=unknown,
            output_shape=Quantity(None, Unit.SHAPE, Status.UNKNOWN, None, {"hooks": ((1, 8, 4, 3),)}, Verdict.UNKNOWN),
        ),
        row("lstm", "LSTM", (1, 1, 4), params=2144, macs=uncovered),
        replace(row("state", "State", ()), **nothing),
        row('特徴.a|b_c <i>"&"</i>', "Linear", (1, 10), call=1, macs=100),
    )  # fmt: skip
    fields = {"uncounted": (Uncounted("aten._fft_r2c", 2, ("mix",)),), "notes": ("torch does not count lstm.",)}
    whole_report = report(rows, params=2472, macs=16036, neurons=522, **{**fields, **changes})
    totals = {**whole_report.totals, "macs": least, "flops": in_flops(least)}
    return replace(whole_report, totals=totals, verdict=Verdict.DIFFER)


def report(
    rows: tuple[Row, ...], *, params: int, macs: int, neurons: int, activation_bytes: int = 0, **changes: Any
) -> Report:
    """A summary of `rows` with these totals."""
    work = agreed(macs, Unit.MACS, "torch")
    inputs = 3 * 8 * 8 * 4
    fields: dict[str, Any] = {
        "command": "summary",
        "tool": TOOL,
        "target": {"spec": "zoo:tiny", "provider": "zoo", "name": "tiny", "arguments": {}},
        "run": {
            "device": "meta",
            "dtype": "float32",
            "training": False,
            "inputs": [{"name": "0", "shape": [1, 3, 8, 8], "dtype": "float32"}],
        },
        "totals": {
            "params": agreed(params, Unit.PARAMS, "storage"),
            "trainable_params": agreed(params, Unit.PARAMS, "storage"),
            "buffers": agreed(17, Unit.ELEMENTS, "storage"),
            "macs": work,
            "flops": in_flops(work),
            "neurons": agreed(neurons, Unit.ELEMENTS, "hooks"),
            "params_bytes": agreed(4 * params, Unit.BYTES, "storage"),
            "activation_bytes": agreed(activation_bytes, Unit.BYTES, "hooks"),
            "input_bytes": agreed(inputs, Unit.BYTES, "hooks"),
            "total_bytes": agreed(4 * params + activation_bytes + inputs, Unit.BYTES, "storage"),
            "receptive_field": ReceptiveField(),
        },
        "rows": rows,
        "verdict": Verdict.MATCH,
    }
    return Report(**{**fields, **changes})
