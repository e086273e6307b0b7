"""torchvision's models against what torchvision publishes about each of them."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from cnninspect.errors import LoadError, UsageError
from cnninspect.targets import torchvision_ops
from cnninspect.targets.inputs import InputOptions, make_inputs
from cnninspect.targets.providers.torchvision import TorchvisionProvider
from cnninspect.targets.resolve import resolve

torchvision_ops.import_torchvision()

import torchvision.models as published  # noqa: E402 - after the operators it needs are there

FAMILIES = (published, published.segmentation, published.video, published.optical_flow)
NAMES = [name for family in FAMILIES for name in published.list_models(family)]


def params(model: object) -> int:
    assert isinstance(model, nn.Module)
    return sum(parameter.numel() for parameter in model.parameters())


def test_there_are_97_models() -> None:
    assert len(NAMES) == 97
    detection = published.list_models(published.detection)
    assert sorted(TorchvisionProvider().names()) == sorted([*NAMES, *detection])


@pytest.mark.parametrize("name", NAMES)
def test_params_are_the_published_number(name: str) -> None:
    model = resolve(f"torchvision:{name}").build("meta")
    assert all(p.is_meta for p in model.parameters())  # type: ignore[attr-defined]
    assert params(model) == published.get_model_weights(name).DEFAULT.meta["num_params"]


# The sizes are those that torchvision's documentation states for the weights' transforms.
INPUTS = [
    ("resnet18", {}, [[1, 3, 224, 224]]),
    ("inception_v3", {}, [[1, 3, 299, 299]]),
    ("efficientnet_b7", {}, [[1, 3, 600, 600]]),
    ("swin_v2_t", {}, [[1, 3, 256, 256]]),
    ("vit_b_16", {}, [[1, 3, 224, 224]]),
    ("vit_b_16", {"image_size": 384}, [[1, 3, 384, 384]]),
    ("vit_h_14", {}, [[1, 3, 518, 518]]),
    ("regnet_y_128gf", {}, [[1, 3, 384, 384]]),
    ("fcn_resnet50", {}, [[1, 3, 520, 520]]),
    ("lraspp_mobilenet_v3_large", {}, [[1, 3, 520, 520]]),
    ("r3d_18", {}, [[1, 3, 16, 112, 112]]),
    ("mvit_v2_s", {}, [[1, 3, 16, 224, 224]]),
    ("s3d", {}, [[1, 3, 16, 224, 224]]),
    ("raft_large", {}, [[1, 3, 512, 512], [1, 3, 512, 512]]),
    ("fasterrcnn_resnet50_fpn", {}, [[3, 512, 512]]),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), INPUTS, ids=[f"{n}{a or ''}" for n, a, _ in INPUTS])
def test_default_inputs(name: str, arguments: dict[str, Any], expected: list[list[int]]) -> None:
    specs = TorchvisionProvider().default_inputs(name, arguments)
    assert [list(spec.shape) for spec in specs] == expected


@pytest.mark.parametrize(
    ("options", "images"),
    [
        pytest.param({}, [[3, 512, 512]], id="default"),
        pytest.param({"batch_size": 2}, [[3, 512, 512], [3, 512, 512]], id="batch"),
        pytest.param({"inputs": ["3x64x96", "3x80x80"]}, [[3, 64, 96], [3, 80, 80]], id="two-sizes"),
    ],
)
def test_detection_takes_a_list_of_images(options: dict[str, Any], images: list[list[int]]) -> None:
    target = resolve("torchvision:ssdlite320_mobilenet_v3_large")
    inputs = make_inputs(target, target.build("meta"), InputOptions.of(**options), "meta")
    (listed,) = inputs.args
    assert [list(image.shape) for image in listed] == images
    assert [item["name"] for item in inputs.described] == [f"0.{index}" for index in range(len(images))]


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("googlenet", "GoogLeNet_Weights.IMAGENET1K_V1: aux_logits=False."),
        ("fcn_resnet50", "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1: aux_loss=True."),
        ("vit_h_14", "ViT_H_14_Weights.IMAGENET1K_SWAG_E2E_V1: image_size=518."),
    ],
)
def test_what_the_weights_decide_is_noted(name: str, stated: str) -> None:
    target = resolve(name)
    target.build("meta")
    assert f"{name} is built as published by {stated}" in target.notes


def test_arguments_go_before_what_the_weights_decide() -> None:
    # torchvision's auxiliary classifiers of GoogLeNet: 6,379,984 params more than the published 6,624,904,
    # that is two of conv 1x1 -> 128 (512 or 528 channels, batch norm), linear 2048 -> 1024 and 1024 -> 1000.
    auxiliary = (512 + 528) * 128 + 2 * (2 * 128 + 2048 * 1024 + 1024 + 1024 * 1000 + 1000)
    target = resolve("googlenet", {"aux_logits": True})
    assert params(target.build("meta")) == 6_624_904 + auxiliary
    assert not [note for note in target.notes if "as published" in note]


def test_the_class_count_is_an_argument() -> None:
    # 512 inputs and one bias for each of 10 instead of 1000 classes.
    assert params(resolve("resnet18", {"num_classes": 10}).build("meta")) == 11_689_512 - 990 * (512 + 1)


@pytest.mark.parametrize("argument", ["weights", "weights_backbone", "pretrained"])
def test_weights_are_never_fetched(argument: str) -> None:
    with pytest.raises(UsageError, match=f"--arg {argument} would download weights"):
        resolve("resnet18", {argument: "DEFAULT"}).build("meta")


def test_a_wrong_argument_names_the_right_ones() -> None:
    with pytest.raises(LoadError, match=r"unexpected keyword argument 'num_clases'\. It takes --arg num_classes=1000"):
        resolve("resnet18", {"num_clases": 10}).build("meta")


def test_quantized_models_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"holds quantized operators.* Its floating point form is torchvision:resnet18\."
    ):
        resolve("quantized_resnet18")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "Couldn't load custom C++ ops. This can happen...", "compiled operators, which do not fit", id="guard"
        ),
        pytest.param("mat1 and mat2 shapes cannot be multiplied", None, id="another-error"),
    ],
)
def test_missing_operators_are_explained(text: str, sentence: str | None) -> None:
    explained = torchvision_ops.why_missing(RuntimeError(text))
    assert explained is None if sentence is None else sentence in str(explained)


def test_a_declared_operator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_ops, "_library", object())
    error = NotImplementedError("Could not run 'torchvision::roi_align' with arguments from the 'CPU' backend.")
    assert "operator roi_align, which does not fit" in str(torchvision_ops.why_missing(error))
