"""Random layers, each as an expression that fits the [C, *spatial] input it is drawn for."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

Shape = tuple[int, ...]
"""[C, *spatial], without the batch."""

Draw = Callable[[st.SearchStrategy[int]], int]
Layer = Callable[[Draw, Shape], str]


def _each(draw: Draw, shape: Shape, low: int, high: Callable[[int], int] | int) -> Shape:
    """One integer per spatial axis; the upper limit may depend on the axis's size."""
    limits = [high(n) if callable(high) else high for n in shape[1:]]
    return tuple(draw(st.integers(low, max(low, limit))) for limit in limits)


def _groups(draw: Draw, channels: int) -> int:
    return draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))


def _kernel(draw: Draw, shape: Shape, padding: Shape) -> tuple[Shape, Shape]:
    """Kernel and dilation per axis that fit into the padded input."""
    dilation = _each(draw, shape, 1, 3)
    room = [(n + 2 * p - 1) // d + 1 for n, p, d in zip(shape[1:], padding, dilation, strict=True)]
    return tuple(draw(st.integers(1, min(4, limit))) for limit in room), dilation


def _conv(draw: Draw, shape: Shape) -> str:
    mode = draw(st.sampled_from(["zeros", "zeros", "zeros", "reflect", "replicate", "circular"]))
    padding = _each(draw, shape, 0, lambda n: 3 if mode in ("zeros", "replicate") else min(3, n - 1))
    kernel, dilation = _kernel(draw, shape, padding)
    groups = _groups(draw, shape[0])
    width = groups * draw(st.integers(1, max(1, 6 // groups)))
    return (
        f"nn.Conv{len(kernel)}d({shape[0]}, {width}, {kernel}, stride={_each(draw, shape, 1, 3)}, padding={padding}, "
        f"dilation={dilation}, groups={groups}, padding_mode={mode!r})"
    )


def _same_conv(draw: Draw, shape: Shape) -> str:
    kernel, dilation = _each(draw, shape, 1, 4), draw(st.integers(1, 2))
    return f"nn.Conv{len(kernel)}d({shape[0]}, 3, {kernel}, padding='same', dilation={dilation})"


def _conv_transpose(draw: Draw, shape: Shape) -> str:
    stride, dilation, kernel = _each(draw, shape, 1, 3), _each(draw, shape, 1, 2), _each(draw, shape, 1, 4)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(
        draw(st.integers(0, max(0, min(2, ((n - 1) * s + d * (k - 1) + e) // 2))))
        for n, s, d, k, e in zip(shape[1:], stride, dilation, kernel, extra, strict=True)
    )
    groups = _groups(draw, shape[0])
    return (
        f"nn.ConvTranspose{len(kernel)}d({shape[0]}, {groups * draw(st.integers(1, 2))}, {kernel}, stride={stride}, "
        f"padding={padding}, output_padding={extra}, groups={groups}, dilation={dilation})"
    )


def _max_pool(draw: Draw, shape: Shape) -> str:
    kernel, dilation = _kernel(draw, shape, (0,) * (len(shape) - 1))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return (
        f"nn.MaxPool{len(kernel)}d({kernel}, {_each(draw, shape, 1, 3)}, {padding}, {dilation}, "
        f"ceil_mode={draw(st.booleans())})"
    )


def _avg_pool(draw: Draw, shape: Shape) -> str:
    kernel = _each(draw, shape, 1, lambda n: min(4, n))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return (
        f"nn.AvgPool{len(kernel)}d({kernel}, {_each(draw, shape, 1, 3)}, {padding}, "
        f"ceil_mode={draw(st.booleans())}, count_include_pad={draw(st.booleans())})"
    )


def _adaptive_pool(draw: Draw, shape: Shape) -> str:
    size = _each(draw, shape, 1, lambda n: n + 3)
    return f"nn.Adaptive{draw(st.sampled_from(['Avg', 'Max']))}Pool{len(size)}d({size})"


def _upsample(draw: Draw, shape: Shape) -> str:
    linear = {2: "linear", 3: "bilinear", 4: "trilinear"}[len(shape)]
    modes = ["nearest", "nearest-exact", linear, linear, *(["bicubic"] if len(shape) == 3 else [])]
    mode = draw(st.sampled_from(modes))
    align = draw(st.booleans()) if mode in (linear, "bicubic") else None
    if draw(st.booleans()):
        return f"nn.Upsample({_each(draw, shape, 1, lambda n: 2 * n + 1)}, mode={mode!r}, align_corners={align})"
    scale = tuple(draw(st.sampled_from([2, 2, 3, 0.5, 1.5, 0.7])) for _ in shape[1:])
    scale = tuple(float(max(s, 1)) if n * s < 1 else float(s) for n, s in zip(shape[1:], scale, strict=True))
    return f"nn.Upsample(scale_factor={scale}, mode={mode!r}, align_corners={align})"


def _pad(draw: Draw, shape: Shape) -> str:
    kind = draw(st.sampled_from(["Zero", "Reflection", "Replication", "Circular", "Constant"]))
    limit = {"Reflection": lambda n: min(3, n - 1), "Circular": lambda n: min(3, n)}.get(kind, lambda n: 3)
    low = -1 if kind in ("Zero", "Constant") and min(shape[1:]) > 2 else 0
    sides = [draw(st.integers(low, limit(n))) for n in reversed(shape[1:]) for _ in range(2)]
    value = ", 0.5" if kind == "Constant" else ""
    return f"nn.{kind}Pad{len(shape) - 1}d({tuple(sides)}{value})"


def _crop(draw: Draw, shape: Shape) -> str:
    windows = []
    for n in shape[1:]:
        start = draw(st.integers(0, min(3, n - 1)))
        windows.append((start, draw(st.integers(max(start + 1, n - 3), n)), draw(st.integers(1, 2))))
    return f"Crop({', '.join(map(str, windows))})"


def _movement(draw: Draw, shape: Shape) -> str:
    axis = draw(st.integers(2, len(shape)))
    other = draw(st.integers(2, len(shape)))
    return draw(
        st.sampled_from(
            [
                f"Method('flip', {axis})",
                f"Method('roll', {draw(st.integers(-3, 3))}, {axis})",
                f"Method('transpose', {axis}, {other})",
                f"Method('repeat_interleave', 2, {axis})",
                f"Method('narrow', 1, {draw(st.integers(0, shape[0] - 1))}, 1)",
                f"nn.ChannelShuffle({_groups(draw, shape[0])})",
            ]
        )
    )


def _pointwise(draw: Draw, shape: Shape) -> str:
    simple = ["nn.ReLU()", "nn.ReLU(inplace=True)", "nn.GELU()", "nn.Sigmoid()", "nn.Dropout(0.5)"]
    return draw(st.sampled_from([*simple, f"nn.BatchNorm{len(shape) - 1}d({shape[0]})"]))


def _mixing(draw: Draw, shape: Shape) -> str:
    """Layers that mix all of one axis, or the prefix of it."""
    axis = draw(st.integers(2, len(shape)))
    return draw(
        st.sampled_from(
            [
                f"nn.Linear({shape[-1]}, {draw(st.integers(1, 6))})",
                f"nn.LayerNorm({shape[-1]})",
                f"nn.Softmax({axis})",
                f"Method('cumsum', {axis})",
                f"Method('mean', {axis}, True)",
            ]
        )
    )


def _pixel_shuffle(draw: Draw, shape: Shape) -> str:
    factor = draw(st.integers(2, 3))
    width = factor * factor * draw(st.integers(1, 16 // (factor * factor)))
    return f"nn.Sequential(nn.Conv2d({shape[0]}, {width}, 1), nn.PixelShuffle({factor}))"


def _pixel_unshuffle(draw: Draw, shape: Shape) -> str:
    factor = draw(st.integers(1, 3))
    windows = [f"(0, {max(1, n // factor) * factor}, 1)" for n in shape[1:]]
    pad = tuple(side for n in reversed(shape[1:]) for side in (0, max(0, factor - n)))
    return f"nn.Sequential(nn.ZeroPad2d({pad}), Crop({', '.join(windows)}), nn.PixelUnshuffle({factor}))"


def _windows(draw: Draw, shape: Shape) -> str:
    size = draw(st.integers(1, min(3, shape[-1])))
    return f"Patches({size}, {draw(st.integers(1, 3))})"


def _unfold(draw: Draw, shape: Shape) -> str:
    padding = draw(st.integers(0, 1))
    kernel = draw(st.integers(1, min(2, min(shape[1:]) + 2 * padding)))
    return f"Unfold({kernel}, 1, {padding}, {draw(st.integers(1, 2))})"


def _double(draw: Draw, shape: Shape) -> str:
    mode = draw(st.sampled_from(["nearest", "linear"]))
    return f"nn.Upsample(scale_factor={draw(st.integers(2, 3))}, mode={mode!r})"


def _antialiased(draw: Draw, shape: Shape) -> str:
    # torch 2.13 mixes up rows and channels where a map is one pixel wide.
    if min(shape[1:]) == 1:
        return _pointwise(draw, shape)
    return f"Antialiased({_each(draw, shape, 2, lambda n: n + 3)}, {draw(st.sampled_from(['bilinear', 'bicubic']))!r})"


def _gate(draw: Draw, shape: Shape) -> str:
    return f"Gate({shape[0]})"


def _statistics(draw: Draw, shape: Shape) -> str:
    if max(shape[1:]) == 1:
        return _pointwise(draw, shape)
    instance = f"nn.InstanceNorm{len(shape) - 1}d({shape[0]})"
    return draw(st.sampled_from([f"nn.GroupNorm({_groups(draw, shape[0])}, {shape[0]})", instance]))


_ANY = [
    _conv, _conv, _conv, _same_conv, _conv_transpose, _conv_transpose, _max_pool, _avg_pool, _adaptive_pool, _upsample,
    _upsample, _pad, _pad, _crop, _movement, _movement, _pointwise, _pointwise, _mixing, _windows,
]  # fmt: skip
LAYERS = {1: _ANY, 2: [*_ANY, _pixel_shuffle, _pixel_unshuffle, _unfold, _antialiased], 3: _ANY}
GLOBAL = [_gate, _statistics]
REPEATING = [_conv, _conv, _same_conv, _conv_transpose, _max_pool, _avg_pool, _double, _pad, _crop, _pointwise]
