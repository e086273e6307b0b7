"""Inputs of a network by the names of its forward's parameters, with the sizes that its configuration states.

No model is known by name here: `pixel_values` is an image wherever it stands, and `image_size` is its side.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from cnninspect.report.quantities import Shape
from cnninspect.targets.grammar import InputSpec

TOKENS = 16
"""Length of a text where no configuration states a shorter one."""
SECOND = 16_000
"""Samples of a recording: one second at 16 kHz."""
SPECTRA = 3_000
"""Frames of a spectrogram where no configuration states a number."""
FRAMES = 8
"""Frames of a video where no configuration states a number."""
SIDE = 224
"""Side of an image where no configuration states one."""


class Sizes:
    """The numbers of a configuration, which may hold further configurations, such as `vision_config`."""

    def __init__(self, config: Mapping[str, Any]):
        self._levels = list(_levels(config))

    def get(self, *names: str, near: str = "") -> Any:
        """The value of the first of these names that is set; parts called like `near` are asked first."""
        levels = sorted(self._levels, key=lambda level: not near or near not in level[0])
        for name in names:
            for _, level in levels:
                if level.get(name) not in (None, [], ()):
                    return level[name]
        return None

    def number(self, *names: str, near: str = "", default: int) -> int:
        """The same as an integer; of a list the first, else the default."""
        found = self.get(*names, near=near)
        while isinstance(found, (list, tuple)):
            found = found[0]
        return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else default


def _levels(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, configuration) of the configuration itself, "", and of all within, the outer ones first."""
    waiting: deque[tuple[str, Mapping[str, Any]]] = deque([("", config)])
    while waiting:
        name, level = waiting.popleft()
        yield name, level
        waiting += ((f"{name}.{key}", value) for key, value in level.items() if isinstance(value, Mapping))


def _image(sizes: Sizes) -> Shape:
    """[N, C, H, W]."""
    channels = sizes.number("num_channels", "in_channels", "in_chans", "channels", near="vision", default=3)
    return (1, channels, *_sides(sizes.get("image_size", "img_size", "input_size", "crop_size", near="vision")))


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        size = (size.get("height", SIDE), size.get("width", SIDE)) if "height" in size else list(size.values())
    if isinstance(size, (list, tuple)) and len(size) >= 2:
        return int(size[-2]), int(size[-1])
    while isinstance(size, (list, tuple)) and size:
        size = size[0]
    return (size, size) if isinstance(size, int) and size > 0 else (SIDE, SIDE)


def _video(sizes: Sizes) -> Shape:
    """[N, frames, C, H, W]."""
    frames = sizes.number("num_frames", "frames_per_clip", "num_image_with_embedding", near="vision", default=FRAMES)
    return (1, frames, *_image(sizes)[1:])


def _text(sizes: Sizes) -> Shape:
    """[N, tokens]."""
    return (1, min(TOKENS, sizes.number("max_position_embeddings", "n_positions", near="text", default=TOKENS)))


def _recording(sizes: Sizes) -> Shape:
    """[N, samples], [N, channels, samples] for a codec, [N, frames, bins] for a network that takes spectra."""
    if (frames := sizes.get("max_length", "spec_size", near="audio")) and (bins := sizes.get("num_mel_bins")):
        return (1, int(frames), int(bins))
    if channels := sizes.get("audio_channels"):
        return (1, int(channels), SECOND)
    return (1, SECOND)


def _spectra(sizes: Sizes) -> Shape:
    """[N, bins, frames] for a network that convolves them, else [N, frames, bins]."""
    if side := sizes.get("spec_size", near="audio"):
        return (1, 1, int(side) * sizes.number("freq_ratio", near="audio", default=1), 64)
    bins = sizes.number("num_mel_bins", "mel_bins", near="audio", default=80)
    if frames := sizes.get("max_source_positions", near="audio"):
        per_frame = sizes.get("input_feat_per_channel")
        if per_frame is not None:
            return (1, SPECTRA // 2, per_frame * sizes.number("input_channels", default=1))
        return (1, bins, 2 * int(frames))
    wide = sizes.number("feature_projection_input_dim", "input_dim", near="audio", default=bins)
    return (1, SPECTRA // 10, wide)


def _series(sizes: Sizes) -> Shape:
    """[N, steps, channels], or [N, steps] for a series of one number; with the past that lagged values reach."""
    lags = sizes.get("lags_sequence") or [0]
    steps = sizes.number("context_length", "prediction_length", default=64) + max(lags)
    channels = sizes.number("num_input_channels", "input_size", default=1)
    return (1, steps, channels) if sizes.get("num_input_channels") or channels > 1 else (1, steps)


Shapes = dict[str, tuple[str, Callable[[Sizes], Shape | None], str | None]]

KNOWN: Shapes = {
    "input_ids": ("text", _text, "int64"),
    "decoder_input_ids": ("decoder", _text, "int64"),
    "pixel_values": ("image", _image, None),
    "pixel_values_videos": ("video", _video, None),
    "input_values": ("audio", _recording, None),
    "input_features": ("audio", _spectra, None),
    "past_values": ("time", _series, None),
    "bbox": ("boxes", lambda sizes: (*_text(sizes), 4), "int64"),
}
"""Parameter of a forward -> what it is, its shape, its dtype (None: that of the parameters)."""


def inputs_by_name(
    forward: Callable[..., Any], config: Mapping[str, Any], main: str, modalities: Collection[str]
) -> list[tuple[InputSpec, ...]]:
    """The inputs to try, the fullest first; empty if the forward needs one that is not known by its name.

    `main` is the parameter that the model says is its main input, `modalities` are what it says that it takes.
    """
    parameters = inspect.signature(forward).parameters
    needed = required_in(forward) | ({main} & parameters.keys())
    sizes = Sizes(config)
    if sizes.get("is_encoder_decoder") or "decoder" in config:
        needed |= {"decoder_input_ids"} & parameters.keys()
    if needed - KNOWN.keys() or not needed:
        return []
    others = {name for name in parameters if name in KNOWN and KNOWN[name][0] in modalities}
    if "pixel_values" in needed | others:
        others -= {"pixel_values_videos"}
    if "input_features" in needed | others:
        others -= {"input_values"}
    moving: Shapes = {**KNOWN, "pixel_values": ("video", _video, None)}
    # A network of videos may call them images, but then it states how many frames it takes.
    known = [moving] if "video" in modalities and "image" not in modalities else [KNOWN]
    if "pixel_values_videos" in parameters:
        known = [KNOWN]
    elif "num_frames" in config and known == [KNOWN]:
        known.append(moving)
    found = [specs_of(parameters, chosen, sizes, shapes) for shapes in known for chosen in (needed | others, needed)]
    return list(dict.fromkeys(found))


def required_in(forward: Callable[..., Any]) -> set[str]:
    """The parameters that a call of the forward cannot leave out."""
    parameters = inspect.signature(forward).parameters.items()
    return {name for name, each in parameters
            if each.default is each.empty and each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}  # fmt: skip


def specs_of(parameters: Iterable[str], chosen: Collection[str], sizes: Sizes, known: Shapes) -> tuple[InputSpec, ...]:
    """The inputs for the chosen parameters, in their order, without those that the configuration gives no size."""
    shapes = {name: known[name][1](sizes) for name in parameters if name in chosen}
    return tuple(InputSpec(shape, known[name][2], name) for name, shape in shapes.items() if shape is not None)
