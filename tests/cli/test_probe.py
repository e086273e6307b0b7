"""Which commands run the network on the CPU too, and what the reports then hold."""

from __future__ import annotations

import json

import pytest

# nethw: three convolutions with a pool after each, flatten and a linear layer, and the network itself.
ROWS = 3 * 2 + 1 + 1 + 1

ASKED = [
    # id, arguments, verdicts of the fields of all rows and the total, counters of the MACs
    ("compare", ["compare", "nethw"], {"match"}, {"torch", "fvcore"}),
    ("compare without", ["compare", "nethw", "--no-probe"], {"not_run"}, {"torch"}),
    ("summary", ["summary", "nethw"], {"not_run"}, {"torch"}),
    ("summary with", ["summary", "nethw", "--probe"], {"match"}, {"torch", "fvcore"}),
    ("flops with", ["flops", "nethw", "--probe"], {"match"}, {"torch", "fvcore"}),
    ("on the cpu", ["summary", "nethw", "--device", "cpu"], {"not_run"}, {"torch", "fvcore"}),
]


@pytest.mark.parametrize(("arguments", "verdicts", "counters"), [case[1:] for case in ASKED], ids=[c[0] for c in ASKED])
def test_who_probes(cli, arguments, verdicts, counters):
    result = cli(*arguments, "--format", "json")
    assert result.code == 0
    report = json.loads(result.out)
    fields = [row["receptive_field"] for row in report["rows"]] + [report["totals"]["receptive_field"]]
    assert len(fields) == ROWS + 1
    assert {field["verdict"] for field in fields} == verdicts
    assert set(report["totals"]["macs"]["measured"]) == counters


def test_compare_checks_every_field(cli):
    checks = json.loads(cli("compare", "nethw", "--format", "json").out)["checks"]
    fields = [check for check in checks if check["name"] == "receptive_field"]
    assert [(check["path"] or check["kind"], check["call"]) for check in fields] == [
        ("NetHW", 0), ("conv_1", 0), ("maxpool", 0), ("conv_2", 0), ("maxpool", 1), ("conv_3", 0), ("maxpool", 2),
        ("torch.flatten", 0), ("fc_1", 0), ("total", 0),
    ]  # fmt: skip
    # r = 3; 3 + 1; 4 + 4 * 2; 12 + 2; 14 + 2 * 4; 22 + 4.
    assert [check["expected"] for check in fields[1:7]] == [[size, size] for size in (3, 4, 12, 14, 22, 26)]
    assert all(check["found"] == check["expected"] and check["counter"] == "probe" for check in fields)


def test_two_networks_are_compared_without_a_probe(cli):
    result = cli("compare", "three-layer-module", "three-layer-functional", "--format", "json")
    assert result.code == 0
    report = json.loads(result.out)
    assert {row["receptive_field"]["verdict"] for row in report["rows"] if row["receptive_field"]} == {"not_run"}


def test_what_costs_too_much_says_so_on_stderr(cli, monkeypatch):
    monkeypatch.setattr("cnninspect.inspection.on_cpu.MOST_MACS", 1_000_000)
    result = cli("compare", "nethw")
    assert result.code == 0
    # Ten copies of 707,072: a clean one, two slabs and two edges along each axis, and a pixel.
    assert "note: receptive fields are not probed on the CPU: it takes 7,070,720 multiply-accumulates" in result.err
    assert "not probed" not in cli("compare", "nethw", "--probe").err
