"""The numbers that torchvision publishes with its weights: parameters, and GMACs to three decimals (`_ops`)."""

from __future__ import annotations

from cnninspect.targets.torchvision_ops import import_torchvision

import_torchvision()

import torchvision.models as classification  # noqa: E402
from torchvision.models import get_model_weights, list_models, optical_flow, segmentation, video  # noqa: E402

GROUPS = (classification, segmentation, video, optical_flow)

MODELS = [name for group in GROUPS for name in list_models(module=group)]
"""All classification, segmentation, video and optical-flow models."""

SPREAD = [
    "alexnet", "vgg11_bn", "googlenet", "inception_v3", "resnet18", "resnext50_32x4d", "densenet121", "squeezenet1_1",
    "mobilenet_v2", "mobilenet_v3_large", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0", "efficientnet_v2_s",
    "regnet_y_400mf", "regnet_x_1_6gf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t",
    "fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "r3d_18", "mc3_18", "r2plus1d_18",
    "s3d", "mvit_v1_b", "swin3d_t", "raft_small",
]  # fmt: skip
"""At least one model of every family."""


def published(name: str) -> tuple[int, float]:
    """(parameters, GMACs) in the metadata of the model's default weights."""
    meta = get_model_weights(name).DEFAULT.meta
    return meta["num_params"], meta["_ops"]
