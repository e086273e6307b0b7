"""The line above the table and the totals below it."""

from dataclasses import replace

from cnninspect.render.page import UNICODE
from cnninspect.render.totals import facts, title
from cnninspect.report.quantities import Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from tests.render.samples import agreed, doubtful, tiny


def error_text(sample):
    return {fact.label: (fact.text, fact.aside) for fact in facts(sample, UNICODE)}


def test_title():
    assert title(tiny(), UNICODE) == "tiny (zoo) · 1x3x8x8 float32 · eval · meta · torch 2.13.0"


def test_title_of_a_run_with_arguments_keywords_and_training():
    inputs = [
        {"name": "0", "shape": [2, 77], "dtype": "int64"},
        {"name": "mask", "shape": [2, 77], "dtype": "bool"},
    ]
    sample = tiny(
        target={"spec": "x", "provider": "timm", "name": "x", "arguments": {"depth": 3}},
        run={"device": "cpu", "dtype": "float32", "training": True, "inputs": inputs},
    )
    assert title(sample, UNICODE) == "x (timm, depth=3) · 2x77 int64, mask=2x77 bool · train · cpu · torch 2.13.0"


def test_title_of_a_model_from_a_file():
    target = {"spec": "nets.py:Net", "provider": "file", "name": "Net", "arguments": {"width": 4}}
    assert title(tiny(target=target), UNICODE).startswith("nets.py:Net (width=4) · ")


def test_totals_of_a_report_where_everything_agrees():
    # 2106 * 4 = 8424 bytes; 12368 / 2^20 = 0.0118 MiB; 8424 + 12368 + 768 = 21560 bytes = 0.0206 MiB
    assert error_text(tiny()) == {
        "params": ("2,106 (all trainable)", "8,424 bytes float32"),
        "MACs": ("51,968", "103,936 FLOPs at 2 per MAC"),
        "neurons": ("2,186", ""),
        "memory": ("0.01 MiB activations (Keras style)", "0.02 MiB in all"),
        "verified": ("formula = measurement on 7 of 7 rows (shape 7, params 4, MACs 3)", ""),
    }


def test_totals_of_a_report_where_something_is_wrong():
    found = error_text(doubtful())
    assert found["MACs"] == ("≥16,036", "≥32,072 FLOPs at 2 per MAC")
    assert found["verified"] == (
        "formula = measurement on 1 of 4 rows (shape 2, params 2, MACs 1)",
        "1 differ, 1 unknown, 1 not counted",
    )
    assert found["differ"][0].startswith("conv;")
    assert found["uncounted"] == ("aten._fft_r2c, 2 calls in mix", "MACs unknown")


def test_frozen_parameters_are_told_apart():
    sample = tiny()
    totals = {**sample.totals, "trainable_params": agreed(1290, Unit.PARAMS, "storage")}
    assert error_text(replace(sample, totals=totals))["params"][0] == "2,106 (1,290 trainable, 816 not)"


def test_flops_adds_what_each_counter_found():
    assert error_text(tiny(command="flops"))["  torch"] == ("51,968", "")


def test_receptive_field_of_the_last_map():
    field = ReceptiveField((195, 195), (32, 32), (66, 66), Status.EXACT)
    sample = tiny()
    found = error_text(replace(sample, totals={**sample.totals, "receptive_field": field}))
    assert found["field"][0] == "195x195, jump 32, padding 66 at the last spatial map"


def test_fields_that_no_probe_checked_are_not_said_to_be_verified():
    """tiny has 7 leaves: stem, relu, block.0, block.1, the pool, the view and fc."""
    field = ReceptiveField((3, 3), (1, 1), (1, 1), Status.EXACT)
    probed = replace(field, verdict=Verdict.MATCH)

    def verified(*fields):
        rows = tuple(replace(row, receptive_field=found) for row, found in zip(tiny().rows, fields, strict=True))
        (fact,) = [fact for fact in facts(replace(tiny(), rows=rows), UNICODE) if fact.label == "verified"]
        return fact.text

    assert verified(*[field] * 9).endswith("(shape 7, params 4, MACs 3; fields not probed)")
    assert verified(*[probed] * 8, field).endswith("(shape 7, params 4, MACs 3, field 6; 1 of 7 fields not probed)")
    assert verified(*[probed] * 9).endswith("(shape 7, params 4, MACs 3, field 7)")
