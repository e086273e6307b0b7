"""What a line of the totals is."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.render.sheet import Tone


@dataclass(frozen=True)
class Fact:
    """One line of the totals: a label, what it says, and a figure beside it."""

    label: str
    text: str
    aside: str = ""
    tone: Tone = Tone.PLAIN
