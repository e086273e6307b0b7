"""The documents as types: each survives JSON as its own type, and only the reader of files rebuilds one."""

import ast
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

import cnninspect
from cnninspect.checks.differences import compare_models
from cnninspect.report.document import HOOKS, Comparison, Document, FieldStudy, Hook, Report, Variation, formula_checks
from cnninspect.report.json_rows import field_of, number_to_json
from cnninspect.report.parts import (
    Asked,
    BaselineFile,
    CounterConvention,
    CounterDifference,
    Dataflow,
    EffectiveField,
    EffectiveInput,
    InfluenceRegion,
    InputField,
    LiveBytes,
    Machine,
    MemoryDetails,
    OtherCounter,
    Peak,
    PositionField,
    Timing,
    VariedNetwork,
)
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason
from cnninspect.report.rows import Check, ReceptiveField, RowId
from tests.render.samples import agreed, doubtful, row, tiny, wider

FIELD = ReceptiveField(
    (3, (5, 7)), (1, "1/2"), (1, 1), Status.EXACT, "se", Verdict.DIFFER, (8, 8), "NaN", "conv", (), (None, "se")
)
WHY = (Reason(Cause.NO_FORMULA, "no formula for aten.x"),)


def full():
    """A report with every part that accounts of `flops` fill, and reasons."""
    work = Quantity(2, Unit.CALLS, Status.UNKNOWN, why=WHY)
    return doubtful(
        command="flops",
        counters={"torch": CounterConvention("two flops", 32072, needs_kernels=False, failed="tracing failed")},
        machine=Machine(peak_flops=100, bandwidth=10),
        ops=(row("", "aten.addmm", (), macs=130, parent=None, extra={"calls": work}),),
        classes={"mac": "one MAC"},
        memory=MemoryDetails("adam", Peak("conv", 0, "Conv2d", "aten.convolution")),
        timing=Timing(warmup=3, repeats=20),
        other_counters=(
            OtherCounter(
                "thop",
                "MACs",
                "0.1.1",
                None,
                None,
                12,
                10,
                {"biases": 2},
                (CounterDifference("biases", 2, "counts"),),
                "not installed",
            ),
        ),
        macs_by_work={"linear layers": 10},
        dataflow=Dataflow(("0",), ((-1, 0),), (0,), (0,)),
        live_bytes=LiveBytes(8, (4, 2), (0, 0)),
    )


def study():
    seen = InputField("0", (8, 8), ((0, 2), None), ((0, 7), None), ((-1, 2), None), is_global=True)
    position = PositionField("block F.relu", RowId("block", "F.relu", 1, functional=True), (8, 8), (2, 3), (seen,))
    return FieldStudy.of(tiny(), command="rf", sights=(position,), asked=Asked("block F.relu", (2, 3)))


def influence():
    regions = tuple(InfluenceRegion(name, ((0, 1), (2, 3)), 4, 0.5) for name in ("theoretical", "effective", "50 %"))
    part = EffectiveInput("0", (2, 4), (0.5, 1.5), (0.4, 1.1), regions, ((0, 0.5, 1, 0), (0, 0, 0, 0)), Verdict.MATCH)
    return replace(study(), effective=EffectiveField(16, True, (part,)))


def compared():
    checks = formula_checks(doubtful())
    missing = Check("layer", RowId("norm", ""), "norm", None, "claim", Verdict.DIFFER, "no layer is called 'norm'")
    return Comparison.of(doubtful(), checks=(*checks, missing), baseline=BaselineFile("b.json", {"version": "0.1.0"}))


def variation():
    head = {name: getattr(tiny(), name) for name in ("tool", "target", "run")}
    network = VariedNetwork(
        {"k": 3}, "conv", (8, 8), FIELD, agreed(9, Unit.PARAMS, "storage"), agreed(72, Unit.MACS), head["run"]["inputs"]
    )
    return Variation(command="rf", **head, notes=("once",), verdict=Verdict.MATCH, varied=(network,))


DOCUMENTS = {
    "a summary": (tiny, Report),
    "a report with fields": (lambda: replace(tiny(), totals={"receptive_field": FIELD}), Report),
    "work with everything": (full, Report),
    "checks": (compared, Comparison),
    "two networks": (lambda: compare_models(tiny(), wider()), Comparison),
    "no checks": (lambda: Comparison.of(tiny()), Comparison),
    "what a position sees": (study, FieldStudy),
    "how much each pixel influences a position": (influence, FieldStudy),
    "fields of all layers": (lambda: FieldStudy.of(tiny(), command="rf"), FieldStudy),
    "varied arguments": (variation, Variation),
}


@pytest.mark.parametrize(("make", "kind"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_survives_json_as_its_own_type(make, kind):
    document = make()
    again = Document.from_dict(json.loads(json.dumps(document.to_dict())))
    assert type(again) is type(document) is kind
    for field in fields(kind):
        assert getattr(again, field.name) == getattr(document, field.name), field.name
    assert again.to_dict() == document.to_dict()


def test_every_field_of_every_document_is_filled_in_some_round_trip():
    made = [make() for make, _ in DOCUMENTS.values()]
    filled = {each.name for document in made for each in fields(document) if getattr(document, each.name)}
    kinds = (Report, Comparison, FieldStudy, Variation)
    assert {each.name for kind in kinds for each in fields(kind)} == filled


def test_a_document_of_another_type_is_refused():
    with pytest.raises(ValueError, match="it holds a Variation, not a Report"):
        Report.from_dict(variation().to_dict())


def test_a_module_called_total_is_not_the_total():
    checks = (
        Check("params", None, 1, 2, "baseline", Verdict.DIFFER),
        Check("params", RowId("total", "Linear"), 1, 2, "baseline", Verdict.DIFFER),
    )
    document = Comparison.of(tiny(), checks=checks).to_dict()
    assert [(check["path"], check["kind"]) for check in document["checks"]] == [("total", ""), ("total", "Linear")]
    assert Comparison.from_dict(document).checks == checks


def calls_of(names):
    """`file:name` for every call of one of these in the package, outside the file that defines them."""
    root = Path(cnninspect.__file__).parent
    own = ("report/json_form.py", "report/json_rows.py", "report/document.py")
    for path in root.rglob("*.py"):
        if path.relative_to(root).as_posix() not in own:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
                if called in names:
                    yield f"{path.relative_to(root).as_posix()}:{called}"


def test_only_the_reader_of_files_rebuilds_a_document():
    readers = {
        "checks/baseline.py:from_dict",
        "cli/kept.py:from_dict",  # a report that was kept between runs
        *("cli/sweep/rows_file.py:from_dict", "cli/sweep/run.py:from_dict"),  # rows: of a file, of a worker
        "targets/providers/transformers.py:from_dict",  # a config.json: transformers' own function
    }
    assert set(calls_of({"from_dict", "from_json"})) == readers


def test_only_writers_of_files_make_json():
    """A baseline is written with its rows reduced; everything else goes through the document's `to_dict`."""
    writers = {
        *("render/sections.py:to_dict", "checks/baseline.py:row_to_json", "checks/baseline.py:number_to_json"),
        # A derivation's parts are written by the derivation around them, which the renderer asks once.
        *("render/explanation.py:to_dict", "explain/document.py:to_json"),
        # What the page's script reads; the derivations at a revision come as JSON from a process of their own.
        *("render/html.py:to_dict", "cli/reports.py:to_json"),
        "cli/kept.py:to_dict",
        *("cli/sweep/rows_file.py:to_dict", "cli/sweep/serve.py:to_dict"),
        "targets/providers/transformers.py:to_dict",
    }
    assert set(calls_of({"to_dict", "to_json", "row_to_json", "number_to_json"})) == writers


def test_a_hook_that_nobody_filled_says_so():
    with pytest.raises(RuntimeError, match="nothing is registered that gives a poem"):
        Hook("a poem")()


def test_every_hook_is_filled_with_a_function_that_there_is():
    assert len(HOOKS) == 6
    assert all(callable(hook.function) for hook in HOOKS.values())


@pytest.mark.parametrize("along", ["x", [1, 2], ["a"], ["a", "b", "c"], {"a": 1}])
def test_causes_of_other_axes_than_the_field_has_are_damage(along):
    with pytest.raises(ValueError, match="global_along"):
        field_of({**number_to_json(FIELD), "global_along": along})
