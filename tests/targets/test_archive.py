"""Models saved by torch.export: they keep their paths, class names and example inputs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cnninspect import inspect_model
from cnninspect.errors import LoadError, UsageError
from cnninspect.targets.inputs import InputOptions, make_inputs
from cnninspect.targets.resolve import resolve


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)) + x


class Net(nn.Module):
    """One block used twice, and a keyword input."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.fc = nn.Linear(3, 10)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> dict[str, Tensor]:
        x = self.block(self.block(x)).mean((2, 3))
        return {"out": self.fc(x if scale is None else x * scale)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    example = (torch.zeros(2, 3, 8, 8),), {"scale": torch.ones(2, 3)}
    torch.export.save(torch.export.export(Net().eval(), *example), path)
    return path


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_an_archive_is_a_model_with_its_inputs(archive: Path, device: str) -> None:
    target = resolve(str(archive))
    assert (target.provider, target.name) == ("archive", "net")
    model = target.build(device)
    assert isinstance(model, nn.Module)
    assert {p.device.type for p in model.parameters()} == {device}
    # 3*3*3*3 + 3 of the convolution, 3*10 + 10 of the linear layer.
    assert sum(p.numel() for p in model.parameters()) == (3 * 3 * 3 * 3 + 3) + (3 * 10 + 10)
    inputs = make_inputs(target, model, InputOptions(), device)
    assert [(item["name"], item["shape"]) for item in inputs.described] == [("0", [2, 3, 8, 8]), ("scale", [2, 3])]
    assert model(*inputs.args, **inputs.kwargs)["out"].shape == (2, 10)


def test_paths_and_class_names_are_those_of_the_model(archive: Path) -> None:
    model = resolve(str(archive)).build("meta")
    assert isinstance(model, nn.Module)
    named = {path: type(module).__name__ for path, module in model.named_modules()}
    assert named == {"": "Net", "block": "Block", "block.conv": "Conv2d", "fc": "Linear"}


def test_its_batch_size_is_fixed(archive: Path) -> None:
    target = resolve(str(archive))
    with pytest.raises(UsageError, match="net comes with its own inputs, whose batch size is fixed"):
        make_inputs(target, target.build("meta"), InputOptions.of(batch_size=4), "meta")


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(["2x3x8x8"], id="keyword-missing"),
        pytest.param(["2x3x8x8", "2x3"], id="keyword-by-position"),
        pytest.param(["2x3x8x8", "factor=2x3"], id="keyword-misspelt"),
        pytest.param(["x=2x3x8x8", "scale=2x3"], id="position-by-keyword"),
    ],
)
def test_inputs_unlike_those_of_the_export_are_refused_before_torch_prints_them(
    archive: Path, texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    target = resolve(str(archive))
    with pytest.raises(UsageError, match=r"do not fit net, which was exported for \(1 positional, scale\)\. Give"):
        make_inputs(target, target.build("meta"), InputOptions.of(inputs=texts), "meta")
    assert capsys.readouterr().out == ""


def test_a_table_is_looked_up_alike_as_a_module_and_as_the_op_of_an_export(tmp_path: Path) -> None:
    table, path = nn.Embedding(100, 16), tmp_path / "table.pt2"
    torch.export.save(torch.export.export(table, (torch.zeros(2, 7, dtype=torch.int64),)), path)
    report = inspect_model(str(path))
    assert [row.kind for row in report.rows if row.leaf] == ["aten.embedding"]
    # 2 * 7 * 16 outputs in the whole pass, of 4 bytes, forward and backward; 100 * 16 entries.
    numbers = {name: report.total(name).value for name in ("neurons", "activation_bytes", "params")}
    assert numbers == {"neurons": 2 * 7 * 16, "activation_bytes": 2 * 2 * 7 * 16 * 4, "params": 100 * 16}


def test_it_takes_no_arguments(archive: Path) -> None:
    with pytest.raises(UsageError, match="is built already and takes no --arg"):
        resolve(str(archive), {"width": 3})


def test_a_missing_archive() -> None:
    with pytest.raises(UsageError, match=r"there is no file 'nowhere\.pt2'"):
        resolve("nowhere.pt2")


@pytest.mark.parametrize("kind", ["text", "zip"])
def test_another_kind_of_file(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "net.pt2"
    path.write_text("hello")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as other:
            other.writestr("hello", "hello")
    with pytest.raises(
        LoadError, match=r"is not an archive that torch .* can load\. Save the model with torch\.export\.save"
    ):
        resolve(str(path)).build("meta")
    assert caplog.text == ""
