"""The examples of docs/extending.md, run as they stand there: a rule and a counter are one registration each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import shell  # noqa: F401

PAGE = (Path(__file__).parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")
NETWORK, RULE, COUNTER = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

# Hand arithmetic: 5 rows through 4 -> 8 are 160 MACs, through 8 -> 3 another 120.
LINEAR, PRODUCT = 5 * 4 * 8, 5 * 8 * 3


@pytest.fixture
def inspected(shell, tmp_path):  # noqa: F811
    """The report of `flops` on the network in a file with these blocks, from a process of its own."""

    def run(*blocks):
        path = tmp_path / "nets.py"
        path.write_text("\n\n".join(blocks), encoding="utf-8")
        result = shell("flops", f"{path}:Net", "--input", "5x4", "--format", "json", "-q")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return run


def macs(document):
    return {row["kind"]: row["macs"] for row in document["rows"] if row["leaf"]}


def test_an_unknown_op_leaves_a_lower_bound(inspected):
    document = inspected(NETWORK)
    assert macs(document)["nets.scaled_product"]["status"] == "unknown"
    assert (document["totals"]["macs"]["value"], document["totals"]["macs"]["status"]) == (LINEAR, "lower_bound")
    assert document["uncounted"][0]["op"] == "nets.scaled_product"


def test_a_rule_is_one_registration(inspected):
    document = inspected(NETWORK, RULE)
    found = macs(document)["nets.scaled_product"]
    assert (found["analytic"], found["status"]) == (PRODUCT, "exact")
    assert found["reasons"] == {"torch": "torch: nets.scaled_product has no formula"}
    assert document["totals"]["macs"]["value"] == LINEAR + PRODUCT
    assert document["uncounted"] == []


def test_the_rule_of_an_op_brings_its_field(inspected):
    """Without it what comes out of the op is unknown; with it each output sees its row, as before the op."""
    fields = [
        {row["kind"]: row["receptive_field"] for row in inspected(*blocks)["rows"]}["nets.scaled_product"]
        for blocks in ((NETWORK,), (NETWORK, RULE))
    ]
    assert fields[0]["status"] == "unknown"
    assert fields[1] is None  # [5, 4] has no axis of positions: there is nothing to see a part of


def test_examples_import_from_one_place():
    assert set(re.findall(r"from (cnninspect\S*) import", PAGE)) == {"cnninspect.extend"}


def test_a_counter_is_one_registration(inspected):
    document = inspected(NETWORK, RULE, COUNTER)
    found = {kind: (number["measured"]["products"], number["verdict"]) for kind, number in macs(document).items()}
    assert found == {"Linear": (LINEAR, "match"), "nets.scaled_product": (PRODUCT, "match")}
    assert document["counters"]["products"]["own_total"] == LINEAR + PRODUCT


def test_a_counter_without_the_rule_stands_alone(inspected):
    found = macs(inspected(NETWORK, COUNTER))["nets.scaled_product"]
    assert (found["value"], found["status"], found["verdict"]) == (PRODUCT, "unknown", "unknown")
