"""The names nearest to a misspelt one."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable

_NEAR = 0.6


def nearest(wrong: str, names: Iterable[str], count: int = 3) -> list[str]:
    """At most `count` of `names` that are spelt like `wrong`, best first and in the given order among equals.

    Case, separators and the provider before a colon do not count.
    """
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(_folded(wrong))

    def score(name: str) -> float:
        matcher.set_seq1(_folded(name))
        # The cheap bounds spare most names the real comparison.
        if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
            return 0.0
        return matcher.ratio()

    scored = [(score(name), -position, name) for position, name in enumerate(names)]
    return [name for ratio, _, name in heapq.nlargest(count, scored) if ratio >= _NEAR]


def _folded(name: str) -> str:
    return name.rpartition(":")[2].lower().replace("_", "").replace("-", "").replace(".", "")
