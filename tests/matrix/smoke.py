"""What every environment of the matrix must do; run by its own Python, prints one JSON object: check -> results.

A result is [what was run, None or what went wrong]. Every command line runs in this process, through the same function
as the console script.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

Result = tuple[str, str | None]

TORCHVISION = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "inception_v3", "mobilenet_v3_small", "resnet18",
    "shufflenet_v2_x1_0", "swin_t", "vit_b_16",
)  # fmt: skip
"""One model of each of ten families."""

CLAIMS = {"lenet5": "lenet5.csv", "small-cnn": "small-cnn.md", "ciresan": "ciresan.json", "nethw": "nethw.csv"}
"""Tables of hand calculations without slips."""

FORMATS = ("table", "json", "csv", "markdown", "html", "github", "junit")


def main() -> None:
    """Run every check and print what came of it."""
    checks = {
        "zoo": zoo(),
        "torchvision": torchvision(),
        "compare": compare(),
        "claims": claims(),
        "formats": formats(),
        "devices": devices(),
    }
    print(json.dumps({name: list(results) for name, results in checks.items()}))


def zoo() -> Iterator[Result]:
    """Every built-in network, its formulas against torch's counter."""
    from cnninspect.zoo import ENTRIES

    for name in ENTRIES:
        yield command("compare", f"zoo:{name}", "--no-probe")


def torchvision() -> Iterator[Result]:
    """A complete summary of ten models, whose params are the number that torchvision publishes with the weights."""
    from cnninspect import inspect_model
    from cnninspect.targets.torchvision_ops import import_torchvision

    for name in TORCHVISION:
        with quiet():
            weights = import_torchvision().models.get_model_weights(name).DEFAULT
            found = inspect_model(f"torchvision:{name}").totals["params"].value
        expected = weights.meta["num_params"]
        yield name, None if found == expected else f"{found:,} params, {expected:,} are published"
        yield command("summary", f"torchvision:{name}", "--strict")


def compare() -> Iterator[Result]:
    """Formulas against both counters, and fields against NaN, on networks that share few layers."""
    for name in (
        "lenet5",
        "unet-small",
        "resnet32",
        "conv-separable",
        "pool-upsample",
        "torchvision:mobilenet_v3_small",
    ):
        yield command("compare", name)


def claims() -> Iterator[Result]:
    """Hand calculations against the networks that they are about."""
    for name, file in CLAIMS.items():
        yield command("compare", name, "--claims", str(files("cnninspect.zoo") / "claims" / file))


def formats() -> Iterator[Result]:
    """One file of each format, none of them empty."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS:
            path = Path(folder) / name
            words = "compare" if name == "junit" else "summary"
            what, wrong = command(words, "lenet5", "--format", name, "-o", str(path))
            yield what, wrong or (None if path.stat().st_size else "the file is empty")


def devices() -> Iterator[Result]:
    """The run on the CPU, other accounts, and a model in training mode."""
    yield command("summary", "lenet5", "--device", "cpu", "--strict")
    yield command("flops", "lenet5", "--backward", "--memory", "--elementwise")
    yield command("summary", "unet-small", "--train")
    yield command("rf", "unet-small")


def command(*words: str) -> Result:
    """One command line, which must end with 0."""
    from cnninspect.cli.app import run

    with quiet() as said:
        code = run(list(words))
    lines = said.getvalue().strip().splitlines() or ["it said nothing"]
    return " ".join(words), None if code == 0 else f"exit code {code}: {lines[-1]}"


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Keep stdout free for the one JSON object; gives what stderr got."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        yield said


def failures(results: Iterable[Result]) -> list[str]:
    """`what: why` for each result that is wrong."""
    return [f"{what}: {why}" for what, why in results if why is not None]


if __name__ == "__main__":
    sys.exit(main())
