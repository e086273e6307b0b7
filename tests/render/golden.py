"""The golden files: one per format and sample, whose numbers are worked out by hand in `samples.py`.

`python -m tests.render.golden` writes them again after a change of layout; the difference is then read by a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cnninspect.checks import check_formulas
from cnninspect.checks.differences import compare_models
from cnninspect.render import Format, render
from cnninspect.render.page import Screen
from cnninspect.report.document import Report
from tests.render.samples import doubtful, tiny, wider

FOLDER = Path(__file__).parent.parent / "data" / "golden"
SAMPLES: dict[str, Callable[[], Report]] = {
    "summary": tiny,
    "flops": lambda: doubtful(command="flops"),
    "compare": lambda: check_formulas(doubtful(command="compare")),
    "models": lambda: compare_models(tiny(command="compare"), wider()),
}
SCREENS = {
    "terminal-140": Screen(140, colour=True),
    "terminal-80": Screen(80, colour=True),
    "dumb-60": Screen(60, unicode=False),
}
EXTENSIONS = {
    Format.TABLE: "txt",
    Format.MARKDOWN: "md",
    Format.GITHUB: "github.txt",
    Format.JUNIT: "junit.xml",
    Format.LATEX: "tex",
}


def texts() -> dict[str, str]:
    """The text of every golden file by its name."""
    found = {}
    for name, sample in SAMPLES.items():
        for fmt in Format:
            found[f"{name}.{EXTENSIONS.get(fmt, fmt.value)}"] = _without_files(render(sample(), fmt))
        for screen in SCREENS:
            found[f"{name}.{screen}.txt"] = render(sample(), screen=SCREENS[screen])
    return found


def _without_files(text: str) -> str:
    """A page without its style and script, which are files of the package."""
    return re.sub(r"(<style>|<script>)\n.*?(</)", r"\1…\2", text, flags=re.DOTALL)


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
