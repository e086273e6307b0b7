"""Files that the version before schema 2 wrote are still read. Their origin stands in tests/data/schema1/README.md."""

import json

import pytest

from tests.cli.conftest import NETS

FILES = NETS.parent / "schema1"
NET = ("net:Net", "--input", "2x3x8x8")


def checks_of(cli, *arguments):
    """The exit code of `compare`, and its checks that are of no formula."""
    result = cli("compare", *arguments, "--format", "json")
    return result.code, [check for check in json.loads(result.out)["checks"] if check["source"] != "formula"]


def test_a_baseline_with_a_batch_of_one_is_compared_in_everything(cli):
    code, checks = checks_of(cli, "lenet5", "--baseline", str(FILES / "lenet5.json"))
    assert code == 0
    assert {check["verdict"] for check in checks} == {"match"}
    assert {"params", "macs", "neurons", "output_shape", "receptive_field"} <= {check["name"] for check in checks}


@pytest.mark.parametrize("arguments", [("--baseline", "net_batch2.json"), ("net_batch2_report.json",)], ids=str)
def test_neurons_per_sample_are_not_compared(cli, arguments):
    """Schema 1 wrote 530 neurons for a batch of 2, which are 2 * (8*8*8 + 8 + 10) = 1060 of the whole batch."""
    code, checks = checks_of(cli, *NET, *arguments[:-1], str(FILES / arguments[-1]))
    assert code == 0
    verdicts = {check["name"]: check["verdict"] for check in checks if check["path"] == "total"}
    assert (verdicts["params"], verdicts["macs"], verdicts["neurons"]) == ("match", "match", "not_run")
    assert {check["verdict"] for check in checks} == {"match", "not_run"}


def test_what_changed_since_is_found(cli, tmp_path):
    text = (FILES / "net_batch2.json").read_text()
    file = tmp_path / "changed.json"
    # The convolution's parameters, 3*3*3*8 + 8, without their bias.
    file.write_text(text.replace('"value": 224', '"value": 216'))
    code, checks = checks_of(cli, *NET, "--baseline", str(file))
    assert code == 1
    assert [(check["path"], check["name"]) for check in checks if check["verdict"] == "differ"] == [("conv1", "params")]
