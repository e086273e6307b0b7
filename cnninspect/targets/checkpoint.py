"""The headers of safetensors files: which tensors a checkpoint holds. No tensor is read, whatever the file's size.

A file is 8 bytes with the length of its header (little endian), the header, which is a JSON object, and the bytes of
the tensors. An index, `model.safetensors.index.json`, says in which file each tensor of a larger checkpoint stands.

Source: https://huggingface.co/docs/safetensors, "Format".
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from cnninspect.errors import LoadError, NoSuchTarget, UsageError
from cnninspect.files import cause_of
from cnninspect.report.quantities import Shape
from cnninspect.targets.grammar import CONFIG, INDEX, PIPELINE, SAFETENSORS

DTYPES = {
    "BOOL": ("bool", 8), "U8": ("uint8", 8), "I8": ("int8", 8), "U16": ("uint16", 16), "I16": ("int16", 16),
    "U32": ("uint32", 32), "I32": ("int32", 32), "U64": ("uint64", 64), "I64": ("int64", 64),
    "F16": ("float16", 16), "BF16": ("bfloat16", 16), "F32": ("float32", 32), "F64": ("float64", 64),
    "C64": ("complex64", 64), "F8_E4M3": ("float8_e4m3fn", 8), "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2": ("float8_e5m2", 8), "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "F8_E8M0": ("float8_e8m0fnu", 8),
    "F6_E2M3": ("float6_e2m3fn", 6), "F6_E3M2": ("float6_e3m2fn", 6), "F4": ("float4_e2m1fn", 4),
}  # fmt: skip
"""Name of a type in a header -> torch's name, and the bits of one element."""

MOST_BYTES = 100_000_000
"""The longest header that the format allows."""

LARGEST = 2**63
"""No size, offset or number of elements of a tensor reaches this; it keeps hostile products short."""

LENGTH = 8
"""Bytes of the length at the start of a file."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a header: its name, type and shape, and where its bytes begin and end behind the header."""

    name: str
    type: str
    shape: Shape
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """What the header of a file says, its own length in bytes, and the size of the file on the disk."""

    tensors: tuple[Entry, ...]
    length: int
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> int:
        """The bytes of all tensors, up to the end of the last."""
        return max((tensor.end for tensor in self.tensors), default=0)


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint by name, in order; with an index, the file of each tensor and the bytes of all."""

    spec: str
    folder: Path
    files: tuple[str, ...]
    index: str | None = None
    file_of: Mapping[str, str] = field(default_factory=dict)
    total_size: int | None = None
    others: tuple[str, ...] = ()


def checkpoint_at(spec: str) -> CheckpointFiles | None:
    """The checkpoint that a target names: a file, an index, or a folder without a config.json; else None.

    A bare word is a folder only if nothing else has the name, which only the providers know: it is left to them.
    Raises NoSuchTarget, UsageError or LoadError.
    """
    text, path = spec.strip(), Path(spec.strip())
    name = text.lower()
    if not text or (":" in text and not path.exists()):
        return None
    if path.is_dir():
        is_path = not re.fullmatch(r"[\w.\-]+", text) or not text.strip(".") or name.endswith(SAFETENSORS)
        return in_folder(spec, path) if is_path else None
    if not name.endswith((SAFETENSORS, INDEX)):
        return None
    if not path.is_file():
        raise NoSuchTarget(f"there is no file {text!r}.{_there_is(path.parent)}")
    return _indexed(spec, path) if name.endswith(INDEX) else CheckpointFiles(spec, path.parent, (path.name,))


def in_folder(spec: str, folder: Path) -> CheckpointFiles | None:
    """The checkpoint of a folder: by its index, else all its files; None if it holds a network's configuration."""
    if (folder / CONFIG).is_file() or (folder / PIPELINE).is_file():
        return None
    found = _files_in(folder)
    indices = [name for name in found if name.endswith(INDEX)]
    files = tuple(name for name in found if not name.endswith(INDEX))
    if len(indices) > 1:
        shown = ", ".join(str(folder / name) for name in indices)
        raise UsageError(f"{folder} holds {len(indices)} checkpoints. Name the index of one: {shown}.")
    if indices:
        return _indexed(spec, folder / indices[0])
    return CheckpointFiles(spec, folder, files) if files else None


def _files_in(folder: Path) -> list[str]:
    try:
        names = [each.name for each in folder.iterdir() if each.is_file()]
    except OSError:
        return []
    return sorted((each for each in names if each.lower().endswith((SAFETENSORS, INDEX))), key=in_order)


def _there_is(folder: Path) -> str:
    """A sentence, after a space: a file of a checkpoint in the folder."""
    found = _files_in(folder)
    return f" Did you mean {str(folder / found[0])!r}?" if found else " Check the path."


def in_order(name: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts `layers.2` before `layers.10`."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((len(part.lstrip("0")), part.lstrip("0")) if place % 2 else (0, part)
                 for place, part in enumerate(parts))  # fmt: skip


def _indexed(spec: str, path: Path) -> CheckpointFiles:
    """The checkpoint that an index describes; LoadError for an index that is damaged."""
    read = _json(path, _bytes_of(path))
    file_of = read.get("weight_map")
    if not isinstance(file_of, dict) or not all(isinstance(file, str) for file in file_of.values()):
        raise LoadError(f"{path} is no index of a checkpoint: it has no weight_map of names to files. {_AGAIN}")
    for file in file_of.values():
        if Path(file).name != file or file in ("", ".", "..") or "\\" in file or "\0" in file:
            raise LoadError(f"{path} names {file!r}, which is no file beside it. Mend the index.")
    about = read.get("metadata")
    total = about.get("total_size") if isinstance(about, dict) else None
    whole = total if _is_size(total) else int(total) if isinstance(total, float) and total.is_integer() else None
    files = tuple(sorted(set(file_of.values()), key=in_order))
    others = tuple(name for name in _files_in(path.parent) if not name.endswith(INDEX) and name not in files)
    return CheckpointFiles(spec, path.parent, files, path.name, file_of, whole, others)


_AGAIN = "Fetch or copy it again."


def read_header(path: Path) -> Header:
    """The header of a safetensors file; LoadError, with what is wrong, for any other file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(LENGTH)
            length = int.from_bytes(start, "little")
            if len(start) < LENGTH or length > min(MOST_BYTES, size - LENGTH):
                _refuse(path, start + file.read(40), length, size)
            text = file.read(length)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {cause_of(error)}. Name a file that can be read.") from error
    read = _json(path, text)
    metadata = read.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise LoadError(f"{path} is damaged: its __metadata__ holds other things than texts. {_AGAIN}")
    return Header(tuple(_entry(path, *item) for item in read.items()), length, size, metadata)


def _refuse(path: Path, start: bytes, length: int, size: int) -> NoReturn:
    """Raises LoadError for a file that cannot hold the header whose length its first bytes give."""
    known = ((b"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` fetches the file"),
             (b"PK\x03\x04", "a zip archive, as torch.save writes"), (b"GGUF", "a GGUF file"))  # fmt: skip
    for sign, what in known:
        if start.startswith(sign):
            raise LoadError(f"{path} is no safetensors file but {what}.")
    if len(start) < LENGTH:
        raise LoadError(f"{path} is no safetensors file: it has {size} bytes, fewer than its first number. {_AGAIN}")
    if length > MOST_BYTES:
        most = f"the format allows {MOST_BYTES:,}"
        raise LoadError(f"{path} is no safetensors file: its header would take {length:,} bytes, {most}. {_AGAIN}")
    left = size - LENGTH
    raise LoadError(f"{path} is cut off inside its header: of {length:,} bytes {left:,} are there. {_AGAIN}")


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {cause_of(error)}. Name a file that can be read.") from error
    if len(found) > MOST_BYTES:
        raise LoadError(f"{path} is no index of a checkpoint: it has more than {MOST_BYTES:,} bytes. {_AGAIN}")
    return found


def _json(path: Path, text: bytes) -> dict[str, Any]:
    """The JSON object in the text; LoadError for anything else, and where a name stands twice."""
    try:
        read = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())[:120] or type(error).__name__
        raise LoadError(f"{path} is damaged: its JSON cannot be read ({cause}). {_AGAIN}") from error
    if not isinstance(read, dict):
        raise LoadError(f"{path} is damaged: its JSON is a {type(read).__name__}, not an object. {_AGAIN}")
    return read


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        raise ValueError(f"{times.most_common(1)[0][0]!r} stands twice")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number in JSON")


def _entry(path: Path, name: str, value: Any) -> Entry:
    """One tensor of a header; LoadError if a part of it is missing or cannot be."""

    def refused(why: str) -> LoadError:
        return LoadError(f"{path} is damaged: tensor {name!r} {why}. {_AGAIN}")

    if not isinstance(value, dict) or {"dtype", "shape", "data_offsets"} - value.keys():
        raise refused("has no dtype, shape and data_offsets")
    type_, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(type_, str):
        raise refused("has a dtype that is no text")
    if not isinstance(shape, list) or not all(map(_is_size, shape)) or _elements(shape) is None:
        raise refused("has a shape that is no list of sizes")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)) or offsets[0] > offsets[1]:
        raise refused("has data_offsets that are no place in the file")
    return Entry(name, type_, tuple(shape), *offsets)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST


def _elements(shape: Sequence[int]) -> int | None:
    """The number of elements; None where it reaches LARGEST before a size of 0 does."""
    if 0 in shape:
        return 0
    elements = 1
    for size in shape:
        elements *= size
        if elements >= LARGEST:
            return None
    return elements
