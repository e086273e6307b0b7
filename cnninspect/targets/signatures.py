"""Reads signatures: tells factories from functions of tensors, and checks arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cnninspect.errors import UsageError, nearest

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PLAIN = ("int", "float", "bool", "str", "complex", "list", "tuple", "dict", "Sequence", "Path", "type")


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """The parameters of a callable; None for a builtin without a signature."""
    try:
        return list(inspect.signature(function).parameters.values())
    except Exception:  # a lazily imported object may raise any error
        return None


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that a call may leave out, with their defaults."""
    return {one.name: one.default for one in parameters_of(function) or [] if one.default is not one.empty}


def required(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that a call cannot leave out."""
    parameters = parameters_of(function) or []
    return [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind not in _VARIADIC
    ]


def tensor_parameters(function: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """The parameters not in `arguments` that must be tensors; empty for a class or a factory.

    These are the parameters annotated as tensors; if there are none, the required parameters, unless one of them is
    annotated as something else. A builtin without a signature takes `input`.
    """
    if inspect.isclass(function):
        return []
    parameters = parameters_of(function)
    if parameters is None:
        return ["input"]
    annotated = [p.name for p in parameters if p.name not in arguments and _annotation(p) == "Tensor"]
    needed = [p for p in required(function) if p.name not in arguments]
    if annotated or any(_annotation(parameter) in _PLAIN for parameter in needed):
        return annotated
    return [parameter.name for parameter in needed]


def doubt(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Advice in case a function of tensors is really a factory; empty if its annotations are clear."""
    names = tensor_parameters(function, arguments)
    by_name = {parameter.name: parameter for parameter in parameters_of(function) or []}
    if not names or any(name not in by_name or _annotation(by_name[name]) == "Tensor" for name in names):
        return ""
    return f"If it builds a model instead, give --arg {names[0]}=VALUE."


def fixed(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with `arguments` filled in; positional arguments go to the parameters that are left, in order."""
    left = [p.name for p in parameters_of(function) or [] if p.kind in _BY_NAME and p.name not in arguments]

    @functools.wraps(function)
    def call(*tensors: Any, **named: Any) -> Any:
        return function(**dict(zip(left, tensors, strict=False)), **arguments, **named)

    return call


def check_arguments(function: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> None:
    """Raises UsageError, with the nearest names, for an argument that `function` does not take."""
    parameters = parameters_of(function)
    if parameters is None or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.kind in _BY_NAME]
    for argument in (key.partition(".")[0] for key in arguments):
        if argument not in known:
            if holder := _holder(parameters, argument):
                raise UsageError(f"{name} takes no --arg {argument}. Write --arg {holder}.{argument}=VALUE.")
            near = nearest(argument, known)
            hint = f" Nearest: {', '.join(near)}." if near else takes(function)
            raise UsageError(f"{name} takes no --arg {argument}.{hint}")


def _holder(parameters: list[inspect.Parameter], name: str) -> str | None:
    """The parameter whose default, an object or a dictionary, has a member of this name."""
    for each in parameters:
        default = None if each.default is each.empty else each.default
        own = default if isinstance(default, Mapping) else getattr(default, "__dict__", {})
        if name in own and not callable(default):
            return each.name
    return None


def check_complete(function: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> None:
    """Raises UsageError if required arguments of a factory are missing."""
    missing = [parameter.name for parameter in required(function) if parameter.name not in arguments]
    if missing:
        wanted = " ".join(f"--arg {parameter}=VALUE" for parameter in missing)
        others = takes(function) if len(missing) < len(_named(function)) else ""
        raise UsageError(f"{name} needs {wanted}.{others}")


def _named(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [parameter for parameter in parameters_of(function) or [] if parameter.kind in _BY_NAME]


def check_call(function: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises UsageError if the inputs do not fit the parameters of the forward."""
    try:
        signature = inspect.signature(function)
    except Exception:
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        parameters = ", ".join(str(parameter) for parameter in signature.parameters.values())
        raise UsageError(
            f"the inputs do not fit the forward of {name}, which takes ({parameters}): {error}. "
            f"Give --input once for each of them{_first_input(signature)}."
        ) from None


def _first_input(signature: inspect.Signature) -> str:
    """`, as --input x=SHAPE` for the first parameter; empty for a forward without one."""
    first = next(iter(signature.parameters.values()), None)
    return "" if first is None or first.kind not in _BY_NAME else f", in this order or as --input {first.name}=SHAPE"


def takes(function: Callable[..., Any]) -> str:
    """A sentence, after a space, that lists the arguments: ` It takes --arg width=8, depth.`; empty if unknown."""
    parameters = parameters_of(function)
    if parameters is None:
        return ""
    shown = [
        p.name if p.default is p.empty else f"{p.name}={_short(p.default)}" for p in parameters if p.kind in _BY_NAME
    ]
    if shown:
        return f" It takes --arg {', '.join(shown)}."
    return "" if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters) else " It takes no --arg."


def _short(default: Any) -> str:
    """The repr of a default, or its type if that is long."""
    text = repr(default)
    return text if len(text) <= 60 and "\n" not in text else f"{type(default).__name__}(...)"


def _annotation(parameter: inspect.Parameter) -> str:
    """The last word of the annotation without its type arguments: `torch.Tensor` is `Tensor`, `list[int]` is `list`."""
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return text.split("[")[0].split("|")[0].strip().rpartition(".")[2]
