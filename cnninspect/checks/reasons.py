"""Why a row is not what it was, in words: from its hyper-parameters, its kind or its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnninspect.checks.tree import settings
from cnninspect.ops.declared import same_setting
from cnninspect.report.document import Row


def reason(expected: Row, found: Row) -> str | None:
    """`out_channels 64 -> 96`, `MaxPool2d -> AvgPool2d`, `its bias is gone`, `input 1x64x8x8 -> 1x96x8x8`, or None."""
    if expected.kind != found.kind:
        return f"{expected.kind} -> {found.kind}"
    changed = changed_settings(expected, found)
    if changed:
        return ", ".join(f"{name} {_text(one)} -> {_text(other)}" for name, (one, other) in changed.items())
    if expected.input_shapes != found.input_shapes:
        return f"input {_shapes(expected)} -> {_shapes(found)}"
    return _about_sharing(expected, found) or _about_bias(expected, found)


def changed_settings(expected: Row, found: Row) -> Mapping[str, tuple[Any, Any]]:
    """The hyper-parameters that differ, by name; one that was written per axis is the same as one for all axes."""
    first, second = settings(expected), settings(found)
    both = [name for name in second if name in first]
    return {name: (first[name], second[name]) for name in both if not same_setting(first[name], second[name])}


def _about_sharing(expected: Row, found: Row) -> str | None:
    """A layer that is the same but for all of its parameters has them from another, where they are counted."""
    counts = [row.params.value if row.params is not None else None for row in (expected, found)]
    if None in counts or not any(counts) or all(counts):
        return None
    return "its parameters are its own now" if counts[1] else "its parameters are counted elsewhere: they are shared"


def _about_bias(expected: Row, found: Row) -> str | None:
    """Parameters that come or go by exactly one per output channel are a bias."""
    if expected.params is None or found.params is None:
        return None
    channels = settings(found).get("out_channels", settings(found).get("out_features"))
    change = (found.params.value or 0) - (expected.params.value or 0)
    words = {-channels: "its bias is gone", channels: "it has a bias now"} if channels else {}
    return words.get(change)


def _shapes(row: Row) -> str:
    """The shapes that go in, each once: the two sides of an addition are usually the same."""
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in dict.fromkeys(row.input_shapes)) or "none"


def _text(value: Any) -> str:
    """A hyper-parameter, once if it is the same for all axes."""
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
