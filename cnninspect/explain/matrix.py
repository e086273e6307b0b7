"""A convolution as the sparse matrix that it is: y = C x, with x and y written out channel by channel, row by row.

A transposed convolution is the transpose of the matrix of the convolution that leads back from its output to its input.

Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", sections 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy.typing as npt

from cnninspect.explain.document import Explanation, LayerDerivation, Matrix, Place
from cnninspect.ops.rules import each
from cnninspect.report.document import Report
from cnninspect.report.rows import Row, RowId

MOST = 64
"""Rows and columns of a matrix that can be read."""


def with_matrices(
    document: Explanation, report: Report, weights: Mapping[RowId, npt.NDArray[Any]] | None = None
) -> Explanation:
    """The explanation with the matrix of every convolution, its entries as symbols or as the numbers of `weights`.

    Raises ValueError if no layer is a convolution, with the first ones that the network has.
    """
    rows = {row.id: row for row in report.rows}
    layers = [_with_matrix(layer, rows[layer.row], weights) for layer in document.layers]
    if all(layer.matrix is None for layer in layers):
        others = [row.label for row in report.rows if matrix_of(row) is not None][:3]
        hint = f"Name one: {', '.join(others)}" if others else "The network has none: leave --matrix out"
        raise ValueError(f"none of the layers is a convolution with zero padding. {hint}")
    return replace(document, layers=tuple(layers))


def _with_matrix(layer: LayerDerivation, row: Row, weights: Mapping[RowId, npt.NDArray[Any]] | None) -> LayerDerivation:
    found = matrix_of(row)
    if found is not None and weights is not None and row.id in weights:
        values = weights[row.id]
        found = replace(found, values={place: float(values[index]) for place, index in found.entries.items()})
    return replace(layer, matrix=found)


def matrix_of(row: Row) -> Matrix | None:
    """The matrix of a convolution's row; None for other layers and other paddings than zeros.

    Of one that is too large to read only the size is given.
    """
    settings = row.hyperparameters
    known = "kernel_size" in settings and "in_channels" in settings and row.output_shape is not None
    if not known or settings.get("padding_mode", "zeros") != "zeros" or row.output_shape is None:
        return None
    axes = len(settings["kernel_size"])
    inner, outer = row.input_shapes[0][-axes:], row.output_shape.value[0][-axes:]
    is_transposed = "output_padding" in settings
    size = settings["out_channels"] * prod(outer), settings["in_channels"] * prod(inner)
    entries = dict(_entries(settings, inner, outer, is_transposed)) if max(size) <= MOST else {}
    return Matrix(*size, entries, is_transposed)


Settings = Mapping[str, Any]


def _entries(
    settings: Settings, inner: Sequence[int], outer: Sequence[int], is_transposed: bool
) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """Each place of the matrix that is not 0, and the index of the weight that stands there."""
    axes = [_taps(settings, axis, inner[axis], outer[axis], is_transposed) for axis in range(len(inner))]
    for out, into, channel in _channels(settings, is_transposed):
        for along in product(*axes):
            row = _flat([out, *(tap[0] for tap in along)], outer)
            column = _flat([into, *(tap[1] for tap in along)], inner)
            yield (row, column), (*channel, *(tap[2] for tap in along))


def _taps(settings: Settings, axis: int, inner: int, outer: int, is_transposed: bool) -> list[tuple[int, int, int]]:
    """(output position, input position, tap) wherever a window lies inside the map along one axis."""
    axes = len(settings["kernel_size"])
    k, s, d = (each(settings[name], axes)[axis] for name in ("kernel_size", "stride", "dilation"))
    p = _padding(settings["padding"], axes, axis, d * (k - 1))
    start, end = (inner, outer) if is_transposed else (outer, inner)
    found = []
    for position, tap in product(range(start), range(k)):
        other = position * s - p + tap * d
        if 0 <= other < end:
            found.append((other, position, tap) if is_transposed else (position, other, tap))
    return sorted(found)


def _padding(given: Any, axes: int, axis: int, reach: int) -> int:
    """Zeros before the map; `same` puts the smaller half of what the kernel reaches there."""
    if isinstance(given, str):
        return reach // 2 if given == "same" else 0
    return int(each(given, axes)[axis])


def _channels(settings: Settings, is_transposed: bool) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """(output channel, input channel, the first two indices of the weight) for all that are connected."""
    groups = settings["groups"]
    outs, ins = settings["out_channels"] // groups, settings["in_channels"] // groups
    for group, out, into in product(range(groups), range(outs), range(ins)):
        index = (group * ins + into, out) if is_transposed else (group * outs + out, into)
        yield group * outs + out, group * ins + into, index


def _flat(indices: Sequence[int], sizes: Sequence[int]) -> int:
    """Where an element stands when a map is written out."""
    place = indices[0]
    for index, size in zip(indices[1:], sizes, strict=True):
        place = place * size + index
    return place
