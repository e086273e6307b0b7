"""How a JSON document of ours is laid out: for people and for `diff`, one line per row, total and check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def laid_out(document: Mapping[str, Any], *, sort_keys: bool = False) -> str:
    """The document as text that ends in a newline."""

    def text(value: Any) -> str:
        return json.dumps(value, allow_nan=False, sort_keys=sort_keys)

    def lines(value: Any) -> str:
        """A value on one line, or on one line for each of the objects that it holds."""
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return "[\n" + ",\n".join(f"    {text(item)}" for item in value) + "\n  ]"
        if isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
            named = sorted(value.items()) if sort_keys else value.items()
            return "{\n" + ",\n".join(f"    {text(name)}: {text(item)}" for name, item in named) + "\n  }"
        return text(value)

    named = sorted(document.items()) if sort_keys else document.items()
    return "{\n" + ",\n".join(f"  {text(name)}: {lines(value)}" for name, value in named) + "\n}\n"
