"""Real networks: every row has a field, and the NaN probe finds in it nothing that was not predicted.

`python -m pytest tests/receptive/test_models.py -m sweep` runs every torchvision classification model and one or more
of each family of timm.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cnninspect.inspection.changes import calls_to_change
from cnninspect.inspection.probe_check import judged, regions_to_probe
from cnninspect.measure.nan_probe import probe_nan
from cnninspect.ops.catalogue import KNOWLEDGE, layer_of
from cnninspect.receptive.fields import intervals
from cnninspect.report.quantities import Verdict
from cnninspect.targets.torchvision_ops import import_torchvision
from cnninspect.trace.recorder import record

FEW = {
    "torchvision": ["alexnet", "resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "googlenet"],
    "timm": [
        "test_byobnet", "test_coatnet", "test_convnext", "test_efficientnet", "test_efficientnet_gn", "test_mambaout",
        "test_maxvit", "test_nfnet", "test_vit", "mixer_s32_224", "poolformerv2_s12", "swin_tiny_patch4_window7_224",
    ],
}  # fmt: skip
"""One of each kind that a suite can afford on every run."""

SHALLOW = {"swin_tiny_patch4_window7_224": {"img_size": 56, "depths": (2, 2), "num_heads": (3, 6)}}
"""Fewer blocks of the same kinds: the first stage has four windows, shifted in every other block."""

TIMM = [
    "beit_base_patch16_224", "caformer_s18", "cait_xxs24_224", "coat_lite_tiny", "coatnet_nano_rw_224",
    "convmixer_768_32", "convnext_atto", "convnextv2_atto", "crossvit_tiny_240", "csatv2", "cspresnet50", "davit_tiny",
    "deit_tiny_distilled_patch16_224", "densenet121", "dla34", "dm_nfnet_f0", "dpn68", "edgenext_xx_small",
    "efficientformer_l1", "efficientformerv2_s0", "efficientnet_b0", "efficientvit_b0", "efficientvit_m0",
    "eva02_tiny_patch14_224", "fastvit_t8", "fbnetc_100", "focalnet_tiny_srf", "gcresnext26ts", "gernet_s",
    "ghostnet_050", "gmixer_12_224", "gmlp_s16_224", "halonet26t", "hardcorenas_a", "hgnetv2_b0", "hiera_tiny_224",
    "hrnet_w18_small", "inception_next_atto", "inception_v4", "lambda_resnet26t", "lcnet_050", "levit_128s",
    "mambaout_femto", "maxvit_pico_rw_256", "maxxvit_rmlp_nano_rw_256", "mixer_s32_224", "mixnet_s", "mnasnet_small",
    "mobilenetv4_conv_small_035", "mobileone_s0", "mobilevit_xxs", "mobilevitv2_050", "nest_tiny", "nf_regnet_b0",
    "nfnet_l0", "pit_ti_224", "poolformer_s12", "poolformerv2_s12", "pvt_v2_b0", "regnety_002", "regnetz_b16",
    "repghostnet_050", "repvgg_a0", "repvit_m0_9", "res2net50_14w_8s", "resmlp_12_224", "resnest14d", "resnet26t",
    "resnetv2_50", "rexnet_100", "sebotnet33ts_256", "selecsls42", "sequencer2d_s", "seresnet18", "shvit_s1",
    "skresnet18", "starnet_s050", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "tiny_vit_5m_224",
    "tinynet_e", "tnt_s_legacy_patch16_224", "tresnet_m", "twins_svt_small", "vgg11", "visformer_tiny",
    "vit_tiny_patch16_224", "vitamin_small_224", "volo_d1_224", "vovnet39a", "xception41", "xcit_nano_12_p16_224",
]  # fmt: skip
"""At least one of every family: convolutional, with gates, transformers, windows, token mixers, pooling."""


def torchvision_names() -> list[str]:
    models = import_torchvision().models
    return models.list_models(module=models)


def build(provider: str, name: str, options: dict[str, Any] | None = None) -> tuple[nn.Module, tuple[int, ...]]:
    """The network with random weights, and the shape of an input for it: small where the network leaves a choice."""
    models = import_torchvision().models
    torch.manual_seed(0)
    if provider == "torchvision":
        unset = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        size = 224 if name.startswith(("vit", "maxvit")) else 128
        return models.get_model(name, weights=None, **unset).eval(), (1, 3, size, size)
    import timm

    model = timm.create_model(name, pretrained=False, **(options or {})).eval()
    channels, *size = model.default_cfg["input_size"]
    side = (options or {}).get("img_size")
    return model, (1, channels, *(size if side is None else (side, side)))


def problems(provider: str, name: str, options: dict[str, Any] | None = None) -> list[str]:
    """Rows without a field, and rows for which the probe found something else than the field says.

    Rows behind a mask are left out: NaN passes a product with 0, such as the sine of the first place in a rotary table.
    """
    model, shape = build(provider, name, options)
    x = torch.rand(shape)
    trace = record(model, (x,), {}, layer_of, device="cpu")
    fields = intervals(trace, KNOWLEDGE)
    found = [
        f"{call.path} {call.kind}: {field.unknown or field.data_dependent}"
        for call in trace.calls
        for field in fields.of_call(call)
        if not field.is_known
    ]
    recurrent = any(isinstance(module, nn.RNNBase) for module in model.modules())
    regions = regions_to_probe(trace, fields.axes)
    probe = probe_nan(trace, model, (x,), {}, layer_of, regions, onednn=not recurrent)
    verdicts = [finding.verdict for finding in judged(trace, fields.of_call, probe)]
    masked = calls_to_change(fields, ())
    return found + [
        f"{call.path} {call.kind} {call.number}: the probe disagrees"
        for call, verdict in zip(trace.calls, verdicts, strict=True)
        if verdict is Verdict.DIFFER and call.index not in masked
    ]


@pytest.mark.parametrize(("provider", "name"), [(provider, name) for provider, names in FEW.items() for name in names])
def test_every_row_of_a_few_models_has_a_field_that_the_probe_confirms(provider: str, name: str) -> None:
    assert problems(provider, name, SHALLOW.get(name)) == []


@pytest.mark.sweep
@pytest.mark.parametrize("name", torchvision_names())
def test_every_row_of_all_torchvision_models(name: str) -> None:
    assert problems("torchvision", name) == []


@pytest.mark.sweep
@pytest.mark.parametrize("name", TIMM)
def test_every_row_of_a_spread_of_timm(name: str) -> None:
    assert problems("timm", name) == []
