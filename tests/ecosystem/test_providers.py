"""Providers of packages that CI does not install; run where they are: `python -m pytest -m sweep tests/ecosystem`.

Each test is skipped where its package is missing. Parameters are those that the packages' authors publish, or the sum
over a network that the package itself builds.
"""

from __future__ import annotations

import importlib
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from torch import nn

from cnninspect import inspect_model
from cnninspect.cli.app import run
from cnninspect.errors import CnninspectError
from cnninspect.targets.grammar import parse_argument
from cnninspect.targets.providers import providers
from cnninspect.targets.providers.package import PackageProvider, offline

pytestmark = pytest.mark.sweep


def no_network(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("the network is asked")


@pytest.fixture(autouse=True)
def without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def needs(target: str) -> None:
    provider = providers().get(target.partition(":")[0])
    if isinstance(provider, PackageProvider) and not provider.installed:
        pytest.skip(f"{provider.package} is not installed")


def summed(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize(
    ("target", "arguments", "params", "inputs"),
    [
        # https://docs.ultralytics.com/models/yolo11: 2.6 M; its own summary prints this number.
        ("ultralytics:yolo11n.yaml", [], 2_624_080, ["1x3x640x640"]),
        # https://github.com/openai/CLIP: RN50 and ViT-B/32.
        ("open_clip:RN50", [], 102_007_137, ["1x3x224x224", "1x77"]),
        ("open_clip:ViT-B-32", [], 151_277_313, ["1x3x224x224", "1x77"]),
        ("smp:Unet", [], None, ["1x3x224x224"]),
        ("monai:UNet", ["spatial_dims=2", "channels=(4,8)", "strides=(2,)", "num_res_units=0"], None, ["1x1x96x96"]),
        ("diffusers:UNet2DModel", [], None, ["1x3x64x64", "1"]),
    ],
)
def test_networks(target: str, arguments: list[str], params: int | None, inputs: list[str]) -> None:
    needs(target)
    given = dict(map(parse_argument, arguments))
    found = inspect_model(target, arguments=given)
    assert ["x".join(map(str, each["shape"])) for each in found.run["inputs"]] == inputs
    assert found.verdict.value == "match"
    if params is not None:
        assert found.total("params").value == params
    else:
        provider, _, name = target.partition(":")
        homes = {"monai": "monai.networks.nets", "smp": "segmentation_models_pytorch"}
        home = homes.get(provider, provider)
        with offline():
            kind = getattr(importlib.import_module(home), name)
            filled = {"monai": {"in_channels": 1, "out_channels": 2}, "smp": {"encoder_weights": None}}.get(
                provider, {}
            )
            assert found.total("params").value == summed(kind(**{**filled, **given}))
    assert found.total("macs").value == found.total("macs").measured["torch"]


def test_a_folder_of_diffusers_and_a_pipeline(tmp_path: Path) -> None:
    needs("diffusers:x")
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").write_text('{"_class_name": "AutoencoderKL", "latent_channels": 8}')
    (tmp_path / "model_index.json").write_text('{"_class_name": "Pipe", "vae": ["diffusers", "AutoencoderKL"]}')
    from diffusers import AutoencoderKL

    found = inspect_model(str(tmp_path / "vae"))
    assert found.target["provider"] == "diffusers"
    assert found.total("params").value == summed(AutoencoderKL(latent_channels=8))
    changed = inspect_model(str(tmp_path / "vae"), arguments={"latent_channels": 2})
    assert changed.total("params").value == summed(AutoencoderKL(latent_channels=2))
    with pytest.raises(CnninspectError, match=r"is a pipeline of 1 network\. Name one: .*vae"):
        inspect_model(str(tmp_path))


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("smp:Unett", [], r"Nearest: smp:Unet"),
        ("smp:Unet", ["encoder_weights=imagenet"], "would download weights"),
        ("monai:FullyConnectedNet", [], "needs --arg hidden_channels=VALUE"),
        ("monai:UNet", ["pretrained=True"], "would download weights"),
        ("open_clip:RN51", [], "Nearest: open_clip:RN50"),
        ("ultralytics:yolo.yaml", [], "no model is called 'yolo.yaml'"),
        ("diffusers:ModelMixin", [], "no model is called 'ModelMixin'"),
        ("diffusers:AutoencoderKL", ["latent_chanels=3"], "Nearest: latent_channels"),
        ("diffusers:FluxMultiControlNetModel", [], "needs --arg controlnets=VALUE"),
    ],
)
def test_errors(target: str, arguments: list[str], message: str) -> None:
    needs(target)
    with pytest.raises(CnninspectError, match=message):
        inspect_model(target, arguments=dict(map(parse_argument, arguments)))


def test_a_method_of_a_pair() -> None:
    needs("open_clip:x")
    found = inspect_model("open_clip:RN50", call="encode_text")
    assert [each["name"] for each in found.run["inputs"]] == ["text"]


@pytest.mark.parametrize("prefix", ["diffusers:UNet", "smp:", "monai:D", "open_clip:RN", "ultralytics:yolo11"])
def test_names_are_listed_and_nothing_else_is_printed(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    needs(prefix)
    assert run(["models", prefix]) == 0
    listed = capsys.readouterr().out.split()
    assert len(listed) >= 5
    assert all(name.startswith(prefix) for name in listed)
