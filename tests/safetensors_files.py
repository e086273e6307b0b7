"""Files in the safetensors format, written by hand: the length of the header, the header, the bytes of the tensors."""

import json
import struct


def header(*tensors, metadata=None):
    """The header of tensors (name, type, shape, bytes) that lie one behind the other."""
    found = {} if metadata is None else {"__metadata__": metadata}
    place = 0
    for name, kind, shape, size in tensors:
        found[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [place, place + size]}
        place += size
    return found


def write(path, entries, size=None):
    """A file with this header, a dictionary or bytes, and `size` bytes behind it, by default as many as it asks for."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    if size is None:
        size = max((value["data_offsets"][1] for name, value in entries.items() if name != "__metadata__"), default=0)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))
    return path


def index(path, file_of, total_size=None):
    """An index that says in which file each tensor stands."""
    metadata = {} if total_size is None else {"metadata": {"total_size": total_size}}
    path.write_text(json.dumps({**metadata, "weight_map": file_of}), encoding="utf-8")
    return path


# A small network: 8*4 + 8 elements in float32, and 3*8 in bfloat16; 4*(32 + 8) + 2*24 = 208 bytes.
SMALL = header(
    ("body.0.weight", "F32", (8, 4), 4 * 8 * 4),
    ("body.0.bias", "F32", (8,), 4 * 8),
    ("head.weight", "BF16", (3, 8), 2 * 3 * 8),
)
ELEMENTS, BYTES = 8 * 4 + 8 + 3 * 8, 4 * (8 * 4 + 8) + 2 * 3 * 8
