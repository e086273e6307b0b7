"""The usual slips in counting one layer. Each is a function: layer -> its numbers with the slip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from cnninspect.claims.cell import Cell
from cnninspect.claims.evidence import Alternative, Evidence, Layer, Numbers, in_both_units
from cnninspect.report.quantities import Quantity
from cnninspect.report.rows import Row


@dataclass(frozen=True)
class Slip:
    """A slip in words, and a function: layer -> its numbers with the slip; empty if the slip does not apply."""

    words: str
    numbers: Callable[[Layer], Numbers]


COUNTS = ("params", "macs", "flops", "neurons")
"""Columns in which the number of a container is a sum."""


def propose(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The value of the cell with each slip; for a sum, with the same slip in every layer."""
    rows = evidence.below(cell.row)
    for slip in SLIPS:
        parts = [(row, _numbers(slip, row)) for row in rows]
        if not any(cell.column in numbers for _, numbers in parts):
            continue
        if cell.row is not None and cell.row.leaf:
            yield Alternative(slip.words, parts[0][1][cell.column])
        elif cell.column in COUNTS:
            values = [numbers.get(cell.column, _true(row, cell.column)) for row, numbers in parts]
            if None not in values:
                yield Alternative(slip.words, sum(values))


def _numbers(slip: Slip, row: Row) -> Numbers:
    layer = Layer.of(row)
    return {} if layer is None else slip.numbers(layer)


def _true(row: Row, column: str) -> int | None:
    number = getattr(row, column)
    return number.value if isinstance(number, Quantity) else 0


# --- parameters ---------------------------------------------------------------------------------------------------


def _without_bias(layer: Layer) -> Numbers:
    """Weights alone, for layers with MACs; the `bias` of a normalisation layer is not left out here."""
    return {"params": layer.roles["weight"]} if layer.macs and "weight" in layer.roles and _has_params(layer) else {}


def _with_bias(layer: Layer) -> Numbers:
    return {"params": sum(layer.roles.values())} if "bias" in layer.roles and _has_params(layer) else {}


def _has_bias(layer: Layer) -> bool:
    """Whether the row's params include a bias; not if they are shared and counted in an earlier row."""
    return (
        "bias" in layer.roles and layer.row.params is not None and layer.row.params.value == sum(layer.roles.values())
    )


def _has_params(layer: Layer) -> bool:
    return layer.row.params is not None and bool(layer.row.params.value)


def _counted_again(layer: Layer) -> Numbers:
    return {"params": sum(layer.roles.values())} if layer.roles and not _has_params(layer) else {}


def _without_norm(layer: Layer) -> Numbers:
    return {"params": 0} if "track_running_stats" in layer.use.hyper or "eps" in layer.use.hyper else {}


def _weights_alone(layer: Layer) -> Numbers:
    return _without_norm(layer) or _without_bias(layer)


def _with_statistics(layer: Layer) -> Numbers:
    if not layer.use.hyper.get("track_running_stats") or layer.row.params is None:
        return {}
    return {"params": layer.row.params.value + 2 * layer.use["num_features"]}


# --- kernels and channels -----------------------------------------------------------------------------------------


def _kernel(size: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Callable[[Layer], Numbers]:
    """Params and MACs with another kernel size on the same output."""

    def numbers(layer: Layer) -> Numbers:
        weight = layer.roles.get("weight")
        if not layer.kernel or not weight:
            return {}
        area, wrong = prod(layer.kernel), prod(size(layer.kernel))
        bias = (layer.row.params.value or 0) - weight if layer.row.params is not None and _has_params(layer) else 0
        altered = weight * wrong // area
        return {**in_both_units(layer.macs * wrong // area), "params": altered + bias, "weight": altered}

    return numbers


def _altered_cost(**hyper: int) -> Callable[[Layer], Numbers]:
    """Params, MACs and FLOPs, but not the shape, with other hyper-parameters."""
    return lambda layer: {name: value for name, value in layer.altered(**hyper).items() if name in _COST}


_COST = ("params", "weight", "macs", "flops")


_CHANNELS = (("in_channels", "out_channels"), ("in_features", "out_features"))


def _channels_twice(wrong: int) -> Callable[[Layer], Numbers]:
    """Params, MACs and FLOPs with the same channels in and out; the `wrong` ones, 0 in or 1 out, are the others."""

    def numbers(layer: Layer) -> Numbers:
        pair = next((pair for pair in _CHANNELS if pair[0] in layer.use.hyper), None)
        if pair is None or layer.use.hyper.get("groups", 1) != 1:
            return {}
        into, out = (layer.use[name] for name in pair)
        weight, kept = layer.roles.get("weight", 0), (into, out)[1 - wrong]
        altered = weight * kept // (into, out)[wrong]
        bias = kept if wrong else out
        counted = altered + (bias if _has_bias(layer) else 0)
        params = {"params": counted, "weight": altered} if weight and _has_params(layer) else {}
        # Of a transposed convolution, too: its MACs are those of each weight at each input position.
        return {**in_both_units(layer.macs * kept // (into, out)[wrong]), **params} if layer.macs else params

    return numbers


def _bias_of_inputs(layer: Layer) -> Numbers:
    """Params with one bias for each input channel."""
    into = next((layer.use[name] for name, _ in _CHANNELS if name in layer.use.hyper), None)
    if into is None or not _has_bias(layer):
        return {}
    return {"params": layer.roles["weight"] + into}


def _without_padding(layer: Layer) -> Numbers:
    padding = layer.use.hyper.get("padding", 0)
    return layer.altered(padding=(0,) * len(padding) if isinstance(padding, (tuple, list)) else 0)


def _weights_once(layer: Layer) -> Numbers:
    return in_both_units(layer.roles["weight"]) if layer.macs and "weight" in layer.roles else {}


# --- maps ---------------------------------------------------------------------------------------------------------


def _on_output_map(layer: Layer) -> Numbers:
    if "output_padding" not in layer.use.hyper:
        return {}
    return _on_map(layer, layer.use.input, layer.output)


def _on_input_map(layer: Layer) -> Numbers:
    if "output_padding" in layer.use.hyper or not layer.kernel:
        return {}
    return _on_map(layer, layer.output, layer.use.input)


def _on_map(layer: Layer, right: tuple[int, ...], wrong: tuple[int, ...]) -> Numbers:
    axes = len(layer.kernel)
    return in_both_units(layer.macs * prod(wrong[-axes:]) // prod(right[-axes:])) if layer.macs else {}


def _bias_as_mac(layer: Layer) -> Numbers:
    if not layer.macs or not _has_bias(layer):
        return {}
    additions = prod(layer.output)
    return {"macs": layer.macs + additions, "flops": in_both_units(layer.macs)["flops"] + additions}


def _rounded_up(layer: Layer) -> Numbers:
    """The size with ceil for floor: ceil(n / s) = floor((n + s - 1) / s), so the input gets s - 1 more pixels."""
    if not layer.kernel or "stride" not in layer.use.hyper or layer.use.hyper.get("ceil_mode"):
        return {}
    if "ceil_mode" in layer.use.hyper:
        return layer.altered(ceil_mode=True)
    return _fed_more(layer, *(stride - 1 for stride in layer.per_axis("stride")))


def _rounded_down(layer: Layer) -> Numbers:
    return layer.altered(ceil_mode=False)


def _padding_rounded(layer: Layer) -> Numbers:
    """The numbers with half a pixel less padding on both sides, which is one pixel less input."""
    return _fed_more(layer, *(-1 for _ in layer.kernel)) if _is_padding_rounded(layer) else {}


def _is_padding_rounded(layer: Layer) -> bool:
    """Whether the map would keep its size, divided by the stride, with half a pixel less padding.

    That takes (d (k - 1) + 1 - s)/2 on both sides, rounded up where it is no integer.
    """
    padding = layer.use.hyper.get("padding")
    if not layer.kernel or not padding or isinstance(padding, str) or "stride" not in layer.use.hyper:
        return False
    dilation = layer.per_axis("dilation") if "dilation" in layer.use.hyper else (1,) * len(layer.kernel)
    axes = zip(layer.kernel, dilation, layer.per_axis("stride"), layer.per_axis("padding"), strict=True)
    return any(2 * p == d * (k - 1) + 1 - s + 1 for k, d, s, p in axes)


def _without_one(layer: Layer) -> Numbers:
    """The numbers of a map that is one smaller along each axis: floor((n + 2p - d (k - 1) - 1)/s) without + 1.

    Half a pixel of padding comes to the same number, and is the likelier slip where there is half a pixel too much.
    """
    axes = len(layer.kernel)
    output = (*layer.output[:-axes], *(size - 1 for size in layer.output[-axes:])) if axes else ()
    if not output or 0 in output or "stride" not in layer.use.hyper or _is_padding_rounded(layer):
        return {}
    follows = layer.macs and "output_padding" not in layer.use.hyper
    counts = in_both_units(layer.macs * prod(output) // prod(layer.output)) if follows else {}
    sizes = {name: output[-axis] for name, axis in (("width", 1), ("height", 2)) if axis <= axes}
    return {"output_shape": (output,), **sizes, "neurons": prod(output), **counts}


def _fed_more(layer: Layer, *pixels: int) -> Numbers:
    axes = len(pixels)
    sizes = (size + more for size, more in zip(layer.use.input[-axes:], pixels, strict=True))
    return layer.fed((*layer.use.input[:-axes], *sizes))


SLIPS = (
    Slip("the bias is left out", _without_bias),
    Slip("a bias is counted, and the layer has none", _with_bias),
    Slip("shared parameters are counted again; they count at their first use", _counted_again),
    Slip("running statistics are counted, and they are buffers", _with_statistics),
    Slip("the parameters of normalisation layers are left out", _without_norm),
    Slip("biases and the parameters of normalisation layers are left out", _weights_alone),
    Slip("groups are ignored", _altered_cost(groups=1)),
    Slip("the area of the kernel is left out", _kernel(lambda kernel: (1,) * len(kernel))),
    Slip("one side of the kernel is counted, not its area", _kernel(lambda kernel: kernel[:1])),
    Slip("the input channels are left out", _altered_cost(in_channels=1, groups=1)),
    Slip("the input channels are taken as those that go out, too", _channels_twice(1)),
    Slip("the output channels are taken as those that go in, too", _channels_twice(0)),
    Slip("a bias is counted for each input channel; there is one for each output channel", _bias_of_inputs),
    Slip("weights are counted once, not at every position of the map", _weights_once),
    Slip("counted on the output map; a transposed convolution's MACs follow its input map", _on_output_map),
    Slip("counted on the input map; a convolution's MACs follow its output map", _on_input_map),
    Slip("additions of the bias are counted, and they are no multiply-accumulates", _bias_as_mac),
    Slip("the padding is left out", _without_padding),
    Slip("the size is rounded up; it is rounded down", _rounded_up),
    Slip("the size is rounded down; with ceil_mode it is rounded up", _rounded_down),
    Slip("the stride is left out", lambda layer: layer.altered(stride=1)),
    Slip("the dilation is left out", lambda layer: layer.altered(dilation=1)),
    Slip("the + 1 is left out", _without_one),
    Slip("calculated with half a pixel less padding; padding is an integer and was rounded up", _padding_rounded),
)
"""The slips in the order in which they are tried; for a sum, each is applied to all layers."""
