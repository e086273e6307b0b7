"""Several models behind one TARGET: a dict or list of them, or a function that returns one.

`nets.py:build_all[small]` is the model `small` of those that `build_all` holds or returns.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from cnninspect.errors import LoadError, UsageError, nearest
from cnninspect.targets.arguments import prepared
from cnninspect.targets.construct import ConstructionError, construct
from cnninspect.targets.grammar import FromFile, FromModule, parse_target
from cnninspect.targets.loading import Around, find
from cnninspect.targets.providers import names_like, providers
from cnninspect.targets.signatures import check_arguments, check_complete, required, tensor_parameters
from cnninspect.targets.target import Made, Source, source_of

_WILD = ("*", "?")


def targets_of(word: str, arguments: Mapping[str, Any], note: Callable[[str], None]) -> list[str]:
    """The targets that a word of `sweep` stands for: names that match a pattern, all members, or the word itself.

    Raises UsageError for a pattern that nothing matches, or a function that returns no models. A target that cannot be
    loaded stands for itself: it fails when it is inspected.
    """
    known = providers()
    left, colon, _ = word.partition(":")
    if any(sign in word for sign in _WILD) or ("[" in word and (not colon or left in known)):
        return names_like(word, note, [known[left]] if colon and left in known else None)
    reference = parse_target(word, known)
    if not isinstance(reference, (FromFile, FromModule)) or reference.member is not None:
        return [word]
    try:
        found, around = find(reference)
        models = _collection(found, word, arguments, around)
    except (LoadError, ConstructionError):
        return [word]
    if models is None:
        return [word]
    if not models:
        raise UsageError(f"{word} holds no model: it is empty.")
    return [f"{word}[{key}]" for key in models]


def _collection(thing: Any, name: str, arguments: Mapping[str, Any], around: Around) -> dict[str, Any] | None:
    """Key -> model of a dict or list, or of the one that a function without tensors returns; None for a model."""
    if isinstance(thing, type) or not callable(thing):
        return _by_key(thing)
    missing = [each.name for each in required(thing) if each.name not in arguments]
    if isinstance(thing, nn.Module) or missing or tensor_parameters(thing, arguments):
        return None
    with around():
        check_arguments(thing, name, arguments)
        return _by_key(construct(partial(thing, **prepared(thing, name, arguments)), "meta", None)[0])


def _by_key(thing: Any) -> dict[str, Any] | None:
    """A dict with its keys as texts, a list or tuple with the places of its items; None for anything else."""
    if isinstance(thing, Mapping):
        return {str(key): value for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return {str(place): value for place, value in enumerate(thing)}
    return None


def source_of_member(thing: Any, key: str, name: str, arguments: Mapping[str, Any], around: Around) -> Source:
    """The source of one model of a collection, or of the one that a function makes from the arguments."""
    if not callable(thing) or isinstance(thing, type):
        return source_of(_member(thing, key, name), name, arguments, around)
    check_arguments(thing, name, arguments)
    check_complete(thing, name, arguments)

    @functools.wraps(thing)
    def make(**values: Any) -> Any:
        model = _member(thing(**values), key, name)
        return model() if _is_factory(model) else model

    return Made(make, name, prepared(thing, name, arguments), around)


def _member(thing: Any, key: str, name: str) -> Any:
    """The model with this key; UsageError, with the nearest keys, if there is none."""
    models = _by_key(thing)
    whole = name.removesuffix(f"[{key}]")
    if models is None:
        raise UsageError(
            f"{whole} is of type {type(thing).__name__}, not a dict or list of models. Name it as {whole}."
        )
    if key not in models:
        near = ", ".join(nearest(key, models) or list(models)[:5])
        raise UsageError(f"{whole} has no model {key!r}. " + (f"Nearest: {near}." if near else "It is empty."))
    return models[key]


def _is_factory(model: Any) -> bool:
    """Whether it makes a model: a class, or a function that takes no tensors."""
    return callable(model) and not isinstance(model, nn.Module) and not tensor_parameters(model, {})
