"""Providers of optional packages: what they refuse, what they read of a folder, and that they stay off the network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cnninspect import inspect_model
from cnninspect.cli.app import run
from cnninspect.errors import CnninspectError, LoadError, MissingPackage, UsageError
from cnninspect.targets.providers import bare_name_providers, package, providers
from cnninspect.targets.providers.named_inputs import inputs_by_name
from cnninspect.targets.providers.package import PackageProvider, offline
from cnninspect.targets.resolve import resolve

from .conftest import Write

OPTIONAL = [provider for provider in providers().values() if isinstance(provider, PackageProvider)]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "find_spec", lambda name: None)


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("provider", OPTIONAL, ids=lambda provider: provider.name)
def test_a_missing_package_has_the_command_that_brings_it(provider: PackageProvider) -> None:
    command = f"`python -m pip install {provider.install}` brings it"
    with pytest.raises(MissingPackage, match=rf"{provider.package} is not installed\. {command}\.$"):
        resolve(f"{provider.name}:Anything")


@pytest.mark.usefixtures("nothing_installed")
def test_a_bare_name_says_which_package_may_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["summary", "LlamaForCausalLM"]) == 2
    assert "no model is called 'LlamaForCausalLM'. transformers is not installed." in capsys.readouterr().err
    assert run(["summary", "resnet19"]) == 2
    assert "transformers" not in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_installed")
def test_the_list_of_models_is_of_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "lenet"]) == 0
    assert capsys.readouterr().err == ""
    assert run(["models", "transformers:"]) == 2
    assert "`python -m pip install transformers` brings it" in capsys.readouterr().err


IMPORTED = """
import sys
from cnninspect.cli.app import run
codes = [run(["-q", "summary", name, "-o", "/dev/null"]) for name in ("lenet5", "squeezenet1_1")]
print(codes, sorted(name for name in sys.modules if name in sys.argv[1:]))
"""


def test_a_plain_summary_imports_no_optional_package() -> None:
    names = [*(provider.package for provider in OPTIONAL), "safetensors", "torchao", "bitsandbytes"]
    done = subprocess.run([sys.executable, "-c", IMPORTED, *names], capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 0] []\n"


def test_names_that_are_not_spelt_like_classes_do_not_ask_transformers() -> None:
    last = bare_name_providers()[-1]
    assert (last.name, last.fits("BertModel"), last.fits("resnet18"), last.fits("Nets.Bert")) == (
        "transformers", True, False, False,
    )  # fmt: skip


def test_the_network_is_switched_off_and_the_environment_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    with offline():
        assert (os.environ["HF_HUB_OFFLINE"], os.environ["YOLO_OFFLINE"]) == ("1", "true")
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "YOLO_OFFLINE" not in os.environ


FOLDERS: list[tuple[str, dict[str, str], type[CnninspectError], str]] = [
    ("without a configuration", {"nets.py": "class Net: pass"}, UsageError,
     r"is a folder without a config\.json\. .*nets\.py:Net"),
    ("broken", {"config.json": '{"architectures": ['}, LoadError, r"config\.json is not JSON: .* line 1"),
    ("a list", {"config.json": "[1]"}, LoadError, "holds a list, not an object"),
    ("a pipeline", {"model_index.json": '{"unet": ["a", "B"], "x": 1, "gone": ["a", "B"]}', "unet/config.json": "{}"},
     UsageError, r"is a pipeline of 1 network\. Name one: .*unet\.$"),
    ("an empty pipeline", {"model_index.json": "{}"}, UsageError, r"no folder in it has a config\.json"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "error", "message"), [case[1:] for case in FOLDERS], ids=[each[0] for each in FOLDERS]
)
def test_folders(
    write: Write, tmp_path: Path, files: dict[str, str], error: type[CnninspectError], message: str
) -> None:
    for name, text in files.items():
        write(name, text)
    with pytest.raises(error, match=message):
        resolve(str(tmp_path))


def test_a_folder_of_timm(write: Write) -> None:
    folder = write("mine/config.json", '{"architecture": "resnet18", "num_classes": 10}').parent
    # ResNet-18 has 11,689,512 parameters with 1,000 classes, 513 for each class.
    assert inspect_model(str(folder)).total("params").value == 11_689_512 - 990 * 513
    assert inspect_model(str(folder), arguments={"num_classes": 2}).total("params").value == 11_689_512 - 998 * 513


def test_a_name_that_is_known_goes_before_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lenet5").mkdir()
    (tmp_path / "mine").mkdir()
    assert resolve("lenet5").provider == "zoo"
    for folder in ("./lenet5", "mine"):
        with pytest.raises(UsageError, match=r"is a folder without a config\.json"):
            resolve(folder)


HUB = """
    from torch import nn

    dependencies = ["torch"]

    def small(pretrained=True, width=4):
        assert not pretrained
        return nn.Linear(3, width)
"""


class TestHub:
    def test_a_clone(self, write: Write) -> None:
        clone = write("clone/hubconf.py", HUB).parent
        found = inspect_model(f"hub:{clone}:small", arguments={"width": 5})
        assert found.total("params").value == 3 * 5 + 5
        with pytest.raises(UsageError, match="would download weights"):
            inspect_model(f"hub:{clone}:small", arguments={"pretrained": True})
        with pytest.raises(UsageError, match=r"has no 'smal'\. Nearest: small"):
            inspect_model(f"hub:{clone}:smal")

    def test_a_clone_that_torch_keeps(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write("home/hub/acme_nets_main/hubconf.py", HUB)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
        assert inspect_model("hub:acme/nets:small").total("params").value == 3 * 4 + 4

    @pytest.mark.parametrize("target", ["hub:acme/nets:small", "hub:acme/nets", "hub:", "hub:.:small"])
    def test_nothing_is_fetched(self, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UsageError, match="hubs are not read over the network"):
            resolve(target)


# --- the inputs of a forward by the names of its parameters ---------------------------------------------------------


def image_and_text(self, input_ids=None, pixel_values=None, attention_mask=None): ...
def image(self, pixel_values, labels=None): ...
def translation(self, input_ids=None, decoder_input_ids=None): ...
def sound(self, input_features): ...
def wave(self, input_values): ...
def boxes(self, input_ids, bbox): ...
def unknown(self, hidden_states): ...
def series(self, past_values): ...


@pytest.mark.parametrize(
    ("forward", "config", "main", "modalities", "expected"),
    [
        pytest.param(image, {}, "pixel_values", ["image"], [["pixel_values=1x3x224x224"]], id="usual-image"),
        pytest.param(
            image, {"image_size": [32, 48], "num_channels": 1}, "pixel_values", ["image"],
            [["pixel_values=1x1x32x48"]], id="image-with-two-sides",
        ),
        pytest.param(
            image, {"image_size": {"height": 64, "width": 96}}, "pixel_values", ["image"],
            [["pixel_values=1x3x64x96"]], id="image-as-a-table",
        ),
        pytest.param(
            image, {"num_frames": 4, "image_size": 32}, "pixel_values", ["video"], [["pixel_values=1x4x3x32x32"]],
            id="video",
        ),
        pytest.param(
            image, {"num_frames": 4, "image_size": 32}, "pixel_values", ["image"],
            [["pixel_values=1x3x32x32"], ["pixel_values=1x4x3x32x32"]], id="video-that-is-called-an-image",
        ),
        pytest.param(
            image_and_text,
            {"image_size": 1, "vision_config": {"image_size": 96}, "text_config": {"max_position_embeddings": 8}},
            "input_ids", ["image", "text"],
            [["input_ids=1x8:int64", "pixel_values=1x3x96x96"], ["input_ids=1x8:int64"]], id="image-and-text",
        ),
        pytest.param(image_and_text, {}, "input_ids", ["text"], [["input_ids=1x16:int64"]], id="text-alone"),
        pytest.param(
            translation, {"is_encoder_decoder": True}, "input_ids", ["text"],
            [["input_ids=1x16:int64", "decoder_input_ids=1x16:int64"]], id="encoder-and-decoder",
        ),
        # Whisper convolves with stride 2 before its 1,500 positions: 3,000 frames of 80 bins.
        pytest.param(
            sound, {"num_mel_bins": 80, "max_source_positions": 1500}, "input_features", ["audio"],
            [["input_features=1x80x3000"]], id="spectra",
        ),
        pytest.param(wave, {}, "input_values", ["audio"], [["input_values=1x16000"]], id="one-second"),
        pytest.param(
            wave, {"max_length": 1024, "num_mel_bins": 128}, "input_values", ["audio"], [["input_values=1x1024x128"]],
            id="spectra-as-values",
        ),
        pytest.param(boxes, {}, "input_ids", ["text"], [["input_ids=1x16:int64", "bbox=1x16x4:int64"]], id="boxes"),
        pytest.param(
            series, {"context_length": 24, "lags_sequence": [1, 7]}, "past_values", ["time"], [["past_values=1x31"]],
            id="series-with-lags",
        ),
        pytest.param(unknown, {}, "input_ids", ["text"], [], id="unknown"),
    ],
)  # fmt: skip
def test_inputs_by_name(
    forward: Any, config: dict[str, Any], main: str, modalities: list[str], expected: list[list[str]]
) -> None:
    found = inputs_by_name(forward.__get__(object()), config, main, modalities)
    assert [list(map(str, specs)) for specs in found] == expected


# --- transformers ---------------------------------------------------------------------------------------------------

SMALL = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
}
EMBEDDED = (50 + 12 + 2) * 8 + 2 * 8
"""Tokens, positions and types, and a layer norm."""
LAYER = 4 * (8 * 8 + 8) + (8 * 16 + 16) + (16 * 8 + 8) + 2 * 2 * 8
"""Query, key, value and output; two linear layers; two layer norms."""
HEAD = (8 * 8 + 8) + 2 * 8 + 50
"""A linear layer, a layer norm, and the biases of the decoder, whose weights are those of the tokens."""


def no_network(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("the network is asked")


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def folder(write: Write, **settings: Any) -> str:
    return str(write("my-model/config.json", json.dumps({**SMALL, **settings})).parent)


@pytest.mark.usefixtures("transformers")
class TestTransformers:
    def test_a_folder_with_nothing_but_its_configuration(self, write: Write) -> None:
        found = inspect_model(folder(write, torch_dtype="bfloat16"))
        assert found.total("params").value == EMBEDDED + 2 * LAYER + HEAD
        # 12 tokens: 4 projections and 2 linear layers in each layer, the products of attention, the head.
        layer = 12 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 12 * 12 * 8
        assert found.total("macs").value == 2 * layer + 12 * (8 * 8 + 8 * 50)
        assert found.target["provider"] == "transformers"
        assert any("states weights in bfloat16; --dtype bfloat16" in note for note in found.notes)
        assert any("input_ids=1x12:int64 is inferred from the configuration" in note for note in found.notes)

    def test_the_configuration_can_be_changed(self, write: Write) -> None:
        found = inspect_model(folder(write), arguments={"config.num_hidden_layers": 1})
        assert found.total("params").value == EMBEDDED + LAYER + HEAD

    def test_the_base_network_where_no_class_is_named(self, write: Write) -> None:
        found = inspect_model(folder(write, architectures=None))
        pooler = 8 * 8 + 8
        assert found.total("params").value == EMBEDDED + 2 * LAYER + pooler

    def test_by_bare_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        # ResNet-50 with 1,000 classes: the parameters that torchvision states, 4.09 GFLOPS.
        assert run(["summary", "ResNetForImageClassification", "--arg", "config.num_labels=1000", "-f", "json"]) == 0
        said = capsys.readouterr()
        found = json.loads(said.out)
        assert found["totals"]["params"]["value"] == 25_557_032
        assert found["totals"]["macs"]["value"] == found["totals"]["macs"]["measured"]["torch"] == 4_089_184_256
        assert "the input pixel_values=1x3x224x224 is inferred from the configuration" in said.err

    def test_parts_of_a_configuration_and_what_follows_from_them(self) -> None:
        layers = {"config.vision_config.num_hidden_layers": 1, "config.text_config.num_hidden_layers": 2}
        found = inspect_model("CLIPModel", arguments=layers)
        rows = {row.path for row in found.rows}
        assert "vision_model.encoder.layers.1" not in rows
        assert "text_model.encoder.layers.1" in rows
        # Qwen2 lists the kind of each layer, one for each of its layers.
        assert inspect_model("Qwen2Model", arguments={"config.num_hidden_layers": 1}).total("macs").value

    def test_a_backbone_gets_random_weights(self) -> None:
        # ResNet-50 has 25,557,032 parameters, 2,049,000 of them in its classifier and 53,120 in batch norms, which are
        # buffers here.
        model: Any = resolve("DetrModel").build("meta")
        assert sum(each.numel() for each in model.backbone.parameters()) == 25_557_032 - 2_049_000 - 53_120

    def test_a_method(self) -> None:
        found = inspect_model(
            "CLIPModel", call="get_text_features", arguments={"config.text_config.num_hidden_layers": 1}
        )
        assert [row.path.partition(".")[0] for row in found.rows if row.depth == 1 and row.path][:1] == ["text_model"]
        assert [each["name"] for each in found.run["inputs"]] == ["input_ids"]

    @pytest.mark.parametrize(
        ("target", "arguments", "message"),
        [
            ("transformers:BertModle", {}, r"no model is called 'BertModle'\. Nearest: transformers:BertModel"),
            ("BertPreTrainedModel", {}, r"is an abstract base, which has no forward\. Name one of .*BertModel"),
            ("AutoModel", {}, "is no network with a configuration"),
            ("BertModel", {"hidden_size": 5}, r"Write --arg config\.hidden_size=VALUE"),
            ("BertModel", {"config.hiden_size": 5}, r"BertConfig\) has no 'hiden_size'\. It has hidden_size"),
            ("BertModel", {"trust_remote_code": True}, "would run code from a hub, which is never done"),
            ("DetrModel", {"config.use_pretrained_backbone": True}, "would download weights"),
            ("BertModel", {"config.hidden_size": 100}, "not a multiple of the number of attention heads"),
        ],
    )
    def test_errors(self, target: str, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(CnninspectError, match=message):
            inspect_model(target, arguments=arguments)

    @pytest.mark.parametrize(
        ("settings", "arguments", "message"),
        [
            ({"architectures": ["BertForMaskedLn"]}, {}, r"names BertForMaskedLn.* Nearest: BertForMaskedLM"),
            ({"architectures": [], "model_type": "mine"}, {}, "names no class: it has no 'architectures'"),
            ({"hidden_size": "wide"}, {}, r"the configuration does not fit BertConfig"),
            ({}, {"config.hiden_size": 4}, r"config \(dict\) has no 'hiden_size'\. It has hidden_size"),
            ({}, {"config.zzz": 4}, r"BertConfig has no 'zzz'"),
        ],
    )
    def test_errors_of_folders(
        self, write: Write, settings: dict[str, Any], arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(CnninspectError, match=message):
            inspect_model(folder(write, **settings), arguments=arguments)

    def test_code_in_a_folder_is_never_run(self, write: Write, tmp_path: Path) -> None:
        write("my-model/modeling_mine.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
        with pytest.raises(UsageError, match=r"code of its own \(auto_map: modeling_mine\.Mine\), which is never run"):
            inspect_model(folder(write, auto_map={"AutoModel": "modeling_mine.Mine"}))
        assert not (tmp_path / "ran").exists()
