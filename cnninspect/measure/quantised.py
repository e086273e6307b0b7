"""The weights of quantised layers, which parameters do not tell: their true number, and the bytes that they take.

Four ways to keep them: packed objects of C++ (torch.ao), wrapper subclasses of a tensor (torchao), integers that hold
two weights each beside a `quant_state` (bitsandbytes), and buffers of integers (GPTQ, AWQ).

Source: torch.ao.nn.quantized, `__tensor_flatten__` of torch, bitsandbytes.nn.Params4bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.trace.private_torch import inner_tensors, modules_of
from cnninspect.trace.trees import leaves
from cnninspect.trace.values import is_made

_HOLDERS = ("LinearPackedParams", "EmbeddingPackedParams", "PackedParameter")
"""Modules of torch.ao that only hold the packed weights of the layer above them."""

_MAY_BE_PACKED = (torch.uint8, torch.int32)
"""Types in which packings keep several weights in one element; others hold one each, or indices."""

_INTEGERS = "qweight"
"""The buffer in which GPTQ and AWQ keep a layer's weights."""


@dataclass(frozen=True)
class Quantised:
    """The weights that a module keeps quantised: how many, in how many bytes; None where that is not known.

    `parameters` is the number of elements that a registered parameter shows in their place, `shown` their bytes. `how`
    says how they are kept, `why` why they are unknown.
    """

    name: str
    how: str
    elements: int | None
    nbytes: int | None
    parameters: int = 0
    shown: int = 0
    why: str = ""


def quantised(model: Any) -> dict[str, list[Quantised]]:
    """Path of a module -> the weights that it keeps quantised."""
    found: dict[str, list[Quantised]] = {}
    for path, module in modules_of(model) if isinstance(model, nn.Module) else ():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        if held := [*_packed(module), *_of_parameters(module), *_of_buffers(module)]:
            found.setdefault(_owner(path, model), []).extend(held)
    return found


def _owner(path: str, model: nn.Module) -> str:
    """The path of the layer whose weights a module holds."""
    while path and type(model.get_submodule(path)).__name__ in (*_HOLDERS, "ModuleList"):
        path = path.rpartition(".")[0]
    return path


def _packed(module: nn.Module) -> Iterator[Quantised]:
    """The weights in objects of C++ among the module's attributes."""
    for name, value in vars(module).items():
        if isinstance(value, torch.ScriptObject):
            held = _unpacked(value)
            if held is None:
                kind = value._type().qualified_name().rpartition(".")[2]
                yield Quantised(name, "packed", None, None, why=f"an object of {kind} cannot be unpacked")
            else:
                yield Quantised(name, "packed", sum(map(Tensor.numel, held)), sum(map(_nbytes, held)))


def _unpacked(value: Any) -> list[Tensor] | None:
    """The weight and the bias of a packed object; of a recurrent layer those of both directions of the signal."""
    try:
        if hasattr(value, "unpack"):
            found = value.unpack()
            return leaves(found, Tensor)
        (_, biases, _, _, weights), _ = value.__getstate__()
        # The packed weights of a recurrent layer hold its biases again.
        return [*biases, *(weight.unpack()[0] for weight in weights)]
    except Exception:
        return None


def _nbytes(tensor: Tensor) -> int:
    """Bytes of the elements, and of the scales and zero points of a weight with one for each channel."""
    size = tensor.numel() * tensor.element_size()
    if tensor.is_quantized and tensor.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams):
        scales = (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
        size += sum(each.numel() * each.element_size() for each in scales)
    return size


def _of_parameters(module: nn.Module) -> Iterator[Quantised]:
    """The parameters that are not what they seem: wrappers, packed integers, integers that say nothing more."""
    for name, parameter in module._parameters.items():
        if parameter is None or not is_made(parameter) or _is_usual(parameter):
            continue
        count, shown = parameter.numel(), parameter.numel() * parameter.element_size()
        state, inner = getattr(parameter, "quant_state", None), inner_tensors(parameter)
        if state is not None and hasattr(state, "shape"):
            beside = {id(each): each for each in _tensors_of(state)}.values()
            size = _plain_bytes(parameter) + sum(map(_plain_bytes, beside))
            yield Quantised(name, f"{_dtype(parameter)} with a quant_state", prod(state.shape), size, count, shown)
        elif inner is not None:
            kind = type(parameter).__name__
            yield Quantised(name, kind, count, sum(map(_plain_bytes, inner)), count, shown)
        elif parameter.dtype in _MAY_BE_PACKED:
            why = f"nothing says how many weights an element of {_dtype(parameter)} holds"
            yield Quantised(name, _dtype(parameter), None, _plain_bytes(parameter), count, shown, why)


def _is_usual(parameter: Tensor) -> bool:
    """Whether a parameter is a plain one of floating numbers, as nearly all are."""
    return type(parameter) is nn.Parameter and parameter.dtype.is_floating_point and not parameter.__dict__


def _of_buffers(module: nn.Module) -> Iterator[Quantised]:
    """The integers that hold the weights of a layer as a buffer, by the bits that the layer states."""
    integers = module._buffers.get(_INTEGERS)
    if integers is None or integers.is_floating_point():
        return
    bits = next((value for each in ("bits", "w_bit") if isinstance(value := getattr(module, each, None), int)), None)
    held = [each for each in module._buffers.values() if each is not None]
    size = sum(map(_plain_bytes, held))
    how = f"{_dtype(integers)} in a buffer"
    if bits:
        yield Quantised(_INTEGERS, how, 8 * _plain_bytes(integers) // bits, size)
    else:
        why = f"nothing says how many weights an element of {_dtype(integers)} holds"
        yield Quantised(_INTEGERS, how, None, size, why=why)


def _tensors_of(state: Any, depth: int = 2) -> Iterator[Tensor]:
    """The tensors among the attributes of a quant_state, and of the state of its own scales."""
    for value in vars(state).values() if hasattr(state, "__dict__") else ():
        if isinstance(value, Tensor):
            yield value
        elif depth > 1 and hasattr(value, "__dict__") and not isinstance(value, type):
            yield from _tensors_of(value, depth - 1)


def _plain_bytes(tensor: Tensor) -> int:
    """Bytes of the elements; of a wrapper in a wrapper those of what it holds."""
    inner = inner_tensors(tensor)
    return tensor.numel() * tensor.element_size() if inner is None else sum(map(_plain_bytes, inner))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
