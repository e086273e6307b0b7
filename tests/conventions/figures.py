"""Writes what `reconcile` says of widely quoted figures into docs/published.md.

python -m tests.conventions.figures
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnninspect.inspection.reconcile import reconcile
from cnninspect.report.published import Published, Quantity

PAGE = Path(__file__).parents[2] / "docs" / "published.md"

TORCHVISION = "torchvision's metadata of the weights"
HE = "[He et al. 2016](https://arxiv.org/abs/1512.03385), table 1"
TAN = "[Tan and Le 2019](https://arxiv.org/abs/1905.11946), table 2"


@dataclass(frozen=True)
class Figure:
    """A figure: the model, the options with its numbers, and where it is printed."""

    model: str
    numbers: str
    source: str

    @property
    def key(self) -> str:
        return f"{self.model} {self.numbers}"

    def published(self) -> list[Published]:
        words = self.numbers.split()
        return [
            Published.of(Quantity(n.removeprefix("--")), text) for n, text in zip(words[::2], words[1::2], strict=True)
        ]


FIGURES = [
    Figure("googlenet", "--params 6.6M", "without the auxiliary classifiers"),
    Figure("googlenet", "--params 13.0M", "with them, as in training"),
    Figure("resnet50", "--flops 3.8G", HE),
    Figure("resnet50", "--macs 4.09G", TORCHVISION),
    Figure("resnet50", "--macs 4.12G", "tables made with ptflops"),
    Figure("resnet50", "--flops 8.2G", "two operations for each MAC"),
    Figure("mobilenet_v2", "--macs 300M", "[Sandler et al. 2018](https://arxiv.org/abs/1801.04381), table 4"),
    Figure("mobilenet_v2", "--macs 0.30G", "the same with two digits"),
    Figure("mobilenet_v2", "--macs 320M", "tables made with ptflops"),
    Figure("vit_b_16", "--macs 16.9G", "tables of counters that do not see fused attention"),
    Figure("vit_b_16", "--macs 17.6G", TORCHVISION),
    Figure("efficientnet_b0", "--flops 0.39G --params 5.3M", TAN),
    Figure("swin_t", "--flops 4.5G --params 28M",
           "[Liu et al. 2021](https://arxiv.org/abs/2103.14030), its repository"),
    Figure("resnet18", "--flops 1.8G", HE),
    Figure("resnet34", "--flops 3.6G", HE),
    Figure("resnet101", "--flops 7.6G", HE),
    Figure("vgg19", "--flops 19.6G", "He et al. 2016, figure 3"),
    Figure("vgg16", "--params 138M", "[Simonyan and Zisserman 2015](https://arxiv.org/abs/1409.1556), table 2"),
    Figure("alexnet", "--params 60M", "Krizhevsky et al. 2012, abstract"),
    Figure("inception_v3", "--flops 5.7G --params 24M", TAN),
    Figure("densenet169", "--flops 3.5G --params 14M", TAN),
    Figure("resnext50_32x4d", "--flops 4.2G --params 25.0M",
           "[Xie et al. 2017](https://arxiv.org/abs/1611.05431), table 1"),
    Figure("mobilenet_v3_large", "--macs 219M --params 5.4M",
           "[Howard et al. 2019](https://arxiv.org/abs/1905.02244), table 3"),
    Figure("shufflenet_v2_x1_0", "--flops 146M", "[Ma et al. 2018](https://arxiv.org/abs/1807.11164), table 8"),
    Figure("regnet_y_400mf", "--flops 0.4G --params 4.3M --activations 3.9M",
           "[Radosavovic et al. 2020](https://arxiv.org/abs/2003.13678), appendix"),
    Figure("convnext_tiny", "--flops 4.5G --params 29M",
           "[Liu et al. 2022](https://arxiv.org/abs/2201.03545), table 1"),
    Figure("vit_b_16", "--params 86M", "[Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929), table 1"),
]  # fmt: skip


def says(figure: Figure) -> str:
    """What `reconcile` says first: the explanation, or the nearest number where nothing fits."""
    result = reconcile(f"torchvision:{figure.model}", figure.published())
    if result.explanations:
        best, more = result.explanations[0], len(result.explanations) - 1
        texts = [_reading(reading) for reading in best.readings]
        about = "; ".join(best.setting.changes)
        count = f" ({more} more)" if more else ""
        return "; ".join([*texts, *([about] if about else [])]) + count
    alone = "".join(f"; alone: {each.text} is {_reading(found.readings[0])}" for each, found in result.alone)
    near = result.nearest[0]
    about = "; ".join((*near.setting.changes, *near.reading.differences))
    about = f"{near.reading.counter}, {about}" if about else near.reading.counter
    return f"**nothing fits**; nearest {near.reading.value:,} ({about}){alone}"


def _reading(reading) -> str:
    also = f", also {', '.join(dict.fromkeys(other.counter for other in reading.also))}" if reading.also else ""
    words = f": {'; '.join(reading.differences)}" if reading.differences else ""
    return f"{reading.value:,} {reading.unit}, {reading.counter}{also}{words}"


def row(figure: Figure, text: str) -> str:
    return f"| `{figure.key}` | {figure.source} | {text} |"


def main() -> None:
    head, _, rest = PAGE.read_text().partition("| `reconcile` |")
    tail = rest[rest.index("\n\n") :] if "\n\n" in rest else "\n"
    lines = ["| `reconcile` | figure from | the first explanation |", "|---|---|---|"]
    for figure in FIGURES:
        lines.append(row(figure, says(figure)))
        print(lines[-1], flush=True)
    PAGE.write_text(head + "\n".join(lines) + tail)


if __name__ == "__main__":
    main()
