"""Writes what `reconcile` says of widely quoted figures into docs/published.md.

python -m tests.conventions.figures
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnninspect.inspection.reconcile import reconcile
from cnninspect.report.published import Published, Quantity

PAGE = Path(__file__).parents[2] / "docs" / "published.md"

GITHUB = "https://github.com"
HE = "[He et al. 2016](https://arxiv.org/abs/1512.03385), table 1"
README_OF_PTFLOPS = (
    f"[ptflops]({GITHUB}/sovrasov/flops-counter.pytorch/blob/015ad15/README.md), README, torchvision's models"
)


def torchvision(model: str, words: str) -> str:
    """The page of a model in torchvision's documentation."""
    page = f"https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.{model}.html"
    return f"[torchvision]({page}), {words}"


def readme(repository: str, words: str, file: str = "README.md") -> str:
    """A file of an official repository, as it was when it was read."""
    return f"[{repository}]({GITHUB}/{repository}/blob/{COMMITS[repository]}/{file}), {words}"


COMMITS = {
    "microsoft/Swin-Transformer": "005e8ef", "facebookresearch/ConvNeXt": "048efce",
    "facebookresearch/pycls": "1caf15b", "megvii-model/ShuffleNet-Series": "13bbe30", "tensorflow/models": "0ba83cf",
    "facebookresearch/ResNeXt": "2206526", "open-mmlab/mmpretrain": "02b0425",
    "huggingface/pytorch-image-models": "36d930f",
}  # fmt: skip


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


MOBILENETS = "research/slim/nets/mobilenet/README.md"
TIMM = "results/benchmark-infer-amp-nhwc-pt210-cu121-rtx3090.csv"
FIGURES = [
    Figure("googlenet", "--params 6.6M", torchvision("googlenet", "`num_params` 6624904")),
    Figure("googlenet", "--params 13.0M", torchvision("googlenet", "as `googlenet()` builds it, with auxiliary heads")),
    Figure("resnet50", "--flops 3.8G", HE),
    Figure("resnet50", "--macs 4.09G", torchvision("resnet50", "GFLOPS")),
    Figure("resnet50", "--macs 4.12G", README_OF_PTFLOPS),
    Figure("resnet50", "--flops 8.2G --params 25.6M",
           "MLPerf, [Reddi et al. 2020](https://arxiv.org/abs/1911.02549), table I: GOPS for each input"),
    Figure("mobilenet_v2", "--macs 300M", readme("tensorflow/models", "MobileNetV2 checkpoints", MOBILENETS)),
    Figure("mobilenet_v2", "--macs 0.30G", torchvision("mobilenet_v2", "GFLOPS")),
    Figure("mobilenet_v2", "--macs 320M", "what ptflops up to 0.6.9 prints"),
    Figure("mobilenet_v2", "--flops 0.319G --params 3.5M",
           readme("open-mmlab/mmpretrain", "README", "configs/mobilenet_v2/README.md")),
    Figure("vit_b_16", "--macs 16.9G",
           readme("huggingface/pytorch-image-models", "16.87 for deit3_base_patch16_224, the same layers", TIMM)),
    Figure("vit_b_16", "--macs 17.6G", torchvision("vit_b_16", "GFLOPS 17.56")),
    Figure("vit_b_16", "--params 86M",
           "[Steiner et al. 2022](https://arxiv.org/abs/2106.10270), table 1, from Dosovitskiy et al. 2021"),
    Figure("efficientnet_b0", "--flops 0.39G --params 5.3M",
           torchvision("efficientnet_b0", "GFLOPS, after [Tan and Le 2019](https://arxiv.org/abs/1905.11946)")),
    Figure("swin_t", "--flops 4.5G --params 28M",
           readme("microsoft/Swin-Transformer", "of Liu et al. 2021, ImageNet-1K")),
    Figure("swin_b", "--flops 47.1G --params 88M",
           readme("microsoft/Swin-Transformer", "of Liu et al. 2021, ImageNet-1K, 384x384")),
    Figure("resnet18", "--flops 1.8G", HE),
    Figure("resnet34", "--flops 3.6G", HE),
    Figure("resnet101", "--flops 7.6G", HE),
    Figure("vgg19", "--flops 19.6G", "[He et al. 2016](https://arxiv.org/abs/1512.03385), figure 3"),
    Figure("vgg16", "--macs 15.5G --params 138.36M", README_OF_PTFLOPS),
    Figure("alexnet", "--params 60M",
           "Krizhevsky et al. 2012, [abstract](https://proceedings.neurips.cc/paper/4824-imagenet-classification-with-"
           "deep-convolutional-neural-networks)"),
    Figure("inception_v3", "--macs 5.73G --params 27.16M",
           README_OF_PTFLOPS.replace("torchvision's", "Cadene's")),
    Figure("inception_v3", "--macs 2.85G --params 27.16M", f"{README_OF_PTFLOPS}, 224x224"),
    Figure("densenet169", "--macs 3.42G --params 14.15M", README_OF_PTFLOPS),
    Figure("resnext50_32x4d", "--flops 4.1G", readme("facebookresearch/ResNeXt", "of Xie et al. 2017, `~4.1`")),
    Figure("mobilenet_v3_large", "--macs 217M --params 5.4M",
           readme("tensorflow/models", "of Howard et al. 2019, MobileNetV3 checkpoints", MOBILENETS)),
    Figure("shufflenet_v2_x1_0", "--flops 146M --params 2.3M",
           readme("megvii-model/ShuffleNet-Series", "of Ma et al. 2018, ShuffleNetV2")),
    Figure("regnet_y_400mf", "--flops 0.4G --params 4.3M --activations 3.9M",
           readme("facebookresearch/pycls", "of Radosavovic et al. 2020, RegNetY", "MODEL_ZOO.md")),
    Figure("convnext_tiny", "--flops 4.5G --params 29M",
           readme("facebookresearch/ConvNeXt", "of Liu et al. 2022, ImageNet-22K")),
    Figure("convnext_base", "--flops 45.0G --params 89M",
           readme("facebookresearch/ConvNeXt", "of Liu et al. 2022, ImageNet-1K, 384x384")),
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
