"""What accounts added, in cells and in totals: reports by hand, each unit in its own writing."""

import json
from dataclasses import replace

import pytest

from cnninspect.render import render
from cnninspect.render.layers import layer_sheet, programs, readers
from cnninspect.render.page import UNICODE
from cnninspect.render.sections import page_of
from cnninspect.report.document import Report
from cnninspect.report.parts import CounterConvention, MemoryDetails, Peak
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.selection import View
from tests.render.samples import agreed, report, row, tiny

MIB = 2**20


def error_text(sample, view=None):
    return {fact.label: (fact.text, fact.aside) for fact in page_of(sample, view or View(), UNICODE, full=True).facts}


def with_totals(**totals):
    return replace(tiny(), totals={**tiny().totals, **totals})


def with_extra(**numbers):
    """One layer with these numbers."""
    rows = (row("", "Net", (1, 8), parent=None, leaf=False), row("fc", "Linear", (1, 8), macs=8, extra=numbers))
    return report(rows, params=0, macs=8, neurons=8, command="flops")


NUMBERS = [
    # id, number, text in a cell, plain value
    ("operations", "element_operations", Quantity(12345, Unit.OPERATIONS), "12,345", 12345),
    ("at least", "element_operations", Quantity(9, Unit.OPERATIONS, Status.LOWER_BOUND), "≥9", 9),
    ("bytes", "bytes_moved", Quantity(4096, Unit.BYTES), "4,096", 4096),
    ("milliseconds", "latency", Quantity(0.0012345, Unit.SECONDS), "1.234", 0.0012345),
    ("billions per second", "flops_per_second", Quantity(2.5e9, Unit.FLOPS_PER_SECOND), "2.5", 2.5e9),
    ("ratio", "intensity", Quantity(10.25, Unit.MACS_PER_BYTE), "10.2", 10.25),
    ("class", "bound_by", Quantity("memory", Unit.CLASS), "memory", "memory"),
    ("nothing", "element_operations", Quantity(0, Unit.OPERATIONS), "·", 0),
    ("unknown", "intensity", Quantity(None, Unit.MACS_PER_BYTE, Status.UNKNOWN), "?", None),
    ("of a plug-in", "watts", Quantity(7, Unit.OPERATIONS), "7", 7),
]


@pytest.mark.parametrize(("name", "number", "text", "plain"), [n[1:] for n in NUMBERS], ids=[n[0] for n in NUMBERS])
def test_a_number_in_a_cell(name, number, text, plain):
    sheet = layer_sheet(with_extra(**{name: number}), View(columns=("added",)), UNICODE, (), full=True)
    assert [heading.name for heading in sheet.headings] == [name]
    assert (sheet.lines[0][0].text, sheet.lines[0][0].plain) == (text, plain)


def test_readers_see_a_column_only_where_the_report_has_numbers_for_it():
    def headings(sample):
        sheet = layer_sheet(sample, View(), UNICODE, readers(sample, View()), full=True)
        return {heading.name for heading in sheet.headings}

    added = headings(with_extra(latency=Quantity(1, Unit.SECONDS))) - headings(with_extra())
    assert added == {"latency"}


def test_gradients_of_inputs_and_weights_are_two_columns():
    parts = {"inputs": 0, "weights": 20}
    sample = with_extra(backward_macs=Quantity(20, Unit.MACS, analytic=20, parts=parts, verdict=Verdict.MATCH))
    sheet = layer_sheet(sample, View(), UNICODE, readers(sample, View()), full=True)
    cells = {heading.title: cell.text for heading, cell in zip(sheet.headings, sheet.lines[0], strict=True)}
    assert (cells["input gradients"], cells["weight gradients"]) == ("·", "20")


def test_files_for_programs_name_the_unit_of_a_time():
    text = render(with_extra(latency=Quantity(0.5, Unit.SECONDS)), "csv")
    header, line = text.splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True))["latency_seconds"] == "0.5"


def test_each_counter_in_both_units():
    sample = with_extra()
    sheet = layer_sheet(sample, View(), UNICODE, programs(sample, View()), full=True)
    cells = {heading.name: cell.plain for heading, cell in zip(sheet.headings, sheet.lines[0], strict=True)}
    assert (cells["macs_torch"], cells["flops_torch"]) == (8, 16)


def test_added_numbers_survive_json():
    sample = with_extra(
        latency=Quantity(0.5, Unit.SECONDS, measured={"clock": 0.5}),
        backward_macs=Quantity(20, Unit.MACS, analytic=20, parts={"inputs": 0, "weights": 20}),
        bound_by=Quantity("memory", Unit.CLASS),
    )
    document = json.loads(render(sample, "json"))
    assert document["rows"][1]["backward_macs"]["parts"] == {"inputs": 0, "weights": 20}
    assert Report.from_dict(document).to_dict() == document
    assert Report.from_dict(document).rows[1].extra["latency"].value == 0.5


def test_cumulative_share_of_the_parts_in_their_order():
    # 13824 / 51968 = 26.6 %; with 36864 it is 97.5 %; with 1280 it is all. A container has none of its own.
    sheet = layer_sheet(tiny(), View(columns=("layer", "cumulative")), UNICODE, (), full=True)
    assert {line[0].text.strip(): line[1].text for line in sheet.lines if line[1].text} == {
        "stem": "26.6 %", "block.0": "97.5 %", "fc": "100.0 %",
    }  # fmt: skip
    largest = layer_sheet(tiny(), View(columns=("layer", "cumulative"), top=2), UNICODE, (), full=True)
    assert [(line[0].text, line[1].text) for line in largest.lines] == [("block.0", "70.9 %"), ("stem", "97.5 %")]


TOTALS = [
    # id, name, number, label, text, aside
    ("bytes", "output_bytes", Quantity(3 * MIB, Unit.BYTES), "output", "3.00 MiB", ""),
    (
        "in parts", "optimizer_bytes", Quantity(3 * MIB, Unit.BYTES, parts={"float32": 2 * MIB, "float64": MIB}),
        "optimizer", "3.00 MiB", "float32 2.00 MiB, float64 1.00 MiB",
    ),
    ("a count", "backward_macs", agreed(1234, Unit.MACS, "torch"), "backward MACs", "1,234", ""),
    ("a ratio", "intensity", Quantity(2.04, Unit.MACS_PER_BYTE), "intensity", "2.0 MACs per byte", ""),
    ("a time", "latency", Quantity(0.25, Unit.SECONDS), "latency", "250.000 ms", ""),
    ("a rate", "speed", Quantity(8e9, Unit.FLOPS_PER_SECOND), "speed", "8.0 GFLOPs per second", ""),
    ("unknown", "training_memory", Quantity(None, Unit.BYTES, Status.UNKNOWN), "training memory", "?", ""),
    (
        "another number, explained", "training_peak_bytes",
        Quantity(MIB, Unit.BYTES, measured={"storages": MIB, "allocator": 2 * MIB}, reasons={"allocator": "rounds up"}),
        "training peak", "1.00 MiB", "allocator 2.00 MiB (rounds up)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number", "label", "text", "aside"), [t[1:] for t in TOTALS], ids=[t[0] for t in TOTALS]
)
def test_a_total_that_an_account_added(name, number, label, text, aside):
    assert error_text(with_totals(**{name: number}))[label] == (text, aside)


def test_a_total_that_differs_stands_out():
    wrong = Quantity(10, Unit.MACS, analytic=10, measured={"torch": 12}, verdict=Verdict.DIFFER)
    (fact,) = [
        f for f in page_of(with_totals(backward_macs=wrong), View(), UNICODE, full=True).facts if "back" in f.label
    ]
    assert (fact.text, fact.aside, fact.tone.value) == ("10", "torch 12", "differ")


def test_what_must_be_held_at_once():
    totals = {"peak_activation_bytes": Quantity(2 * MIB, Unit.BYTES), "peak_memory": Quantity(5 * MIB, Unit.BYTES)}
    expected = ("2.00 MiB of activations at once", "5.00 MiB with parameters, buffers and inputs")
    assert error_text(with_totals(**totals))["peak"] == expected
    found = error_text(
        replace(with_totals(**totals), memory=MemoryDetails("sgd", Peak("bn1", 0, "BatchNorm2d", "aten.relu")))
    )
    assert found["peak"] == ("2.00 MiB of activations at once, in bn1 (BatchNorm2d)", expected[1])


def test_what_the_allocator_says_about_it():
    measured = {"storages": 2 * MIB, "allocator": 3 * MIB}
    activations = Quantity(2 * MIB, Unit.BYTES, measured=measured, reasons={"allocator": "rounds up"})
    found = error_text(with_totals(peak_activation_bytes=activations, peak_memory=Quantity(5 * MIB, Unit.BYTES)))
    assert found["peak"][1].endswith("inputs; allocator 3.00 MiB (rounds up)")


COUNTERS = {
    "torch": CounterConvention("counts a MAC as two flops", own_total=103936, needs_kernels=False),
    "fvcore": CounterConvention("counts a MAC as one flop", own_total=52000, needs_kernels=True),
}


def test_each_counter_with_its_convention():
    macs = replace(
        tiny().totals["macs"], measured={"torch": 51968, "fvcore": 52000}, reasons={"fvcore": "fvcore counts norms"}
    )
    sample = replace(with_totals(macs=macs), command="flops", counters=COUNTERS)
    found = error_text(sample)
    assert found["  torch"] == ("51,968", "103,936 in its own unit; counts a MAC as two flops")
    assert found["  fvcore"] == ("52,000", "52,000 in its own unit; counts a MAC as one flop; counts norms")


def test_a_counter_that_needs_a_device_says_so():
    unknown = replace(COUNTERS["fvcore"], own_total=None)
    found = error_text(tiny(command="flops", counters={"fvcore": unknown}))
    assert found["  fvcore"] == ("not run", "it needs a real device: --probe or --device cpu")


def test_a_counter_that_failed_says_why_instead():
    failed = replace(COUNTERS["fvcore"], own_total=None, failed="tracing failed: IndexError")
    found = error_text(tiny(command="flops", counters={"fvcore": failed}))
    assert found["  fvcore"] == ("not counted", "tracing failed: IndexError")


def test_what_was_asked_for_stands_before_what_is_always_there():
    sample = with_extra(latency=Quantity(1, Unit.SECONDS), bound_by=Quantity("memory", Unit.CLASS))
    names = [
        heading.name for heading in layer_sheet(sample, View(), UNICODE, readers(sample, View()), full=True).headings
    ]
    assert names[:6] == ["layer", "kind", "output_shape", "macs", "latency", "bound_by"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("params", ["params", "macs"]), ("latency", ["latency", "macs"]), ("macs", ["macs"]), ("name", ["macs"])],
)
def test_the_number_that_rows_are_sorted_by_is_shown_and_once(sort, expected):
    sample, view = with_extra(latency=Quantity(1, Unit.SECONDS)), View(sort=sort)
    names = [heading.name for heading in layer_sheet(sample, view, UNICODE, readers(sample, view), full=True).headings]
    assert names[3 : 3 + len(expected)] == expected
    assert len(names) == len(set(names))


def test_a_view_that_is_cut_says_how_much_it_shows():
    assert error_text(tiny(), View(top=2))["shown"] == ("2 of 6 rows", "50,688 of 51,968 MACs")
    assert "shown" not in error_text(tiny(), View(top=6))
