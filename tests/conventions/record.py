"""Runs every library on every model and writes down what it prints, into `tests/data/counters.json`.

    python -m pip install thop ptflops torchinfo torchscan fvcore calflops accelerate transformers deepspeed
    python -m tests.conventions.record [LIBRARY]...

Libraries that are not installed keep the numbers that the file has.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

from cnninspect.inspection.other_process import LibraryFailedError, Request, ask
from cnninspect.measure.libraries import LIBRARIES
from tests.conventions.nets import INPUTS

FILE = Path(__file__).parents[1] / "data" / "counters.json"
MODELS = [
    "resnet18", "resnet50", "vgg16_bn", "googlenet", "inception_v3", "densenet121", "mobilenet_v2", "efficientnet_b0",
    "vit_b_16", "swin_t", "convnext_tiny",
]  # fmt: skip
"""Eleven torchvision models of as many families."""

NETS = {kind.__name__: shape for kind, shape in INPUTS.items()}


def request(name: str) -> Request:
    """The request for a model of torchvision, or for a small network."""
    if name in NETS:
        return Request(f"{Path(__file__).parent / 'nets.py'}:{name}", inputs=(NETS[name],))
    return Request(f"torchvision:{name}")


def recorded() -> dict:
    return json.loads(FILE.read_text()) if FILE.exists() else {"versions": {}, "printed": {}}


def main(libraries: list[str]) -> None:
    found = recorded()
    for library, entry in LIBRARIES.items():
        if not entry.is_installed or (libraries and library not in libraries):
            continue
        found["versions"][library] = {"version": entry.version, "date": date.today().isoformat()}
        numbers = found["printed"].setdefault(library, {})
        for name in [*MODELS, *NETS]:
            try:
                numbers[name] = ask(library, request(name))
            except LibraryFailedError as error:
                numbers[name] = {"error": str(error)}
            print(library, name, numbers[name], flush=True)
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
