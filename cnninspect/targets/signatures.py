"""Read a callable's signature: is it a factory or a function of tensors, and which arguments does it take?"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cnninspect.errors import UsageError
from cnninspect.targets.nearest import nearest

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_PLAIN = ("int", "float", "bool", "str", "complex", "list", "tuple", "dict", "Sequence", "Path", "type")


def tensor_parameters(function: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """The parameters left by `arguments` that can only be tensors.

    Those are the ones annotated as tensors, or else the required ones if none of them says that it is something else.
    Empty for a class or a factory, which are called without tensors. A builtin without a signature takes `input`.
    """
    parameters = None if inspect.isclass(function) else _parameters(function)
    if parameters is None:
        return [] if inspect.isclass(function) else ["input"]
    left = [parameter for parameter in parameters if parameter.name not in arguments]
    annotated = [parameter.name for parameter in left if _annotation(parameter) == "Tensor"]
    required = [parameter for parameter in left if _is_required(parameter)]
    if annotated or any(_annotation(parameter) in _PLAIN for parameter in required):
        return annotated
    return [parameter.name for parameter in required]


def fixed(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with `arguments` filled in; positional arguments go to the parameters that are left, in order."""
    left = [p.name for p in _parameters(function) or [] if p.kind in _BY_NAME and p.name not in arguments]

    @functools.wraps(function)
    def call(*tensors: Any, **named: Any) -> Any:
        return function(**dict(zip(left, tensors)), **arguments, **named)

    return call


def check_arguments(function: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> None:
    """UsageError naming an argument that `function` does not take, with the nearest ones that it does."""
    parameters = _parameters(function)
    if parameters is None or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.kind in _BY_NAME]
    for argument in arguments:
        if argument not in known:
            near = nearest(argument, known)
            hint = f"Nearest: {', '.join(near)}." if near else takes(function)
            raise UsageError(f"{name} takes no --arg {argument}. {hint}")


def check_complete(function: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> None:
    """UsageError naming the required arguments of a factory that are not there."""
    required = [parameter.name for parameter in _parameters(function) or [] if _is_required(parameter)]
    missing = [parameter for parameter in required if parameter not in arguments]
    if missing:
        raise UsageError(f"{name} needs {' '.join(f'--arg {one}=VALUE' for one in missing)}. {takes(function)}")


def takes(function: Callable[..., Any]) -> str:
    """One sentence that lists the arguments: `It takes --arg width=8, depth.`"""
    parameters = [parameter for parameter in _parameters(function) or [] if parameter.kind in _BY_NAME]
    if not parameters:
        return "It takes no --arg."
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    return f"It takes --arg {', '.join(shown)}."


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """The parameters, None for a builtin that does not tell."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in _VARIADIC


def _annotation(parameter: inspect.Parameter) -> str:
    """The last word of the annotation without its type arguments: `torch.Tensor` is `Tensor`, `list[int]` is `list`."""
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return text.split("[")[0].split("|")[0].strip().rpartition(".")[2]
