"""What a baseline file holds, that it is the same wherever it is written, and what is none."""

import json
import re
from dataclasses import replace

import pytest

from cnninspect import inspect_model
from cnninspect.checks.baseline import baseline_text, check_baseline, read_baseline, read_report, save_baseline
from cnninspect.checks.numbers import parse_tolerance
from cnninspect.errors import OutputError, UsageError
from cnninspect.render import Format, render
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField
from tests.cli.conftest import NETS
from tests.render.samples import agreed, doubtful, row, tiny


@pytest.fixture
def file(tmp_path):
    return tmp_path / "baseline.json"


def saved(report, file):
    save_baseline(report, file)
    return read_baseline(file)


def failing(report, baseline, tolerance=""):
    checks = check_baseline(report, baseline, parse_tolerance(tolerance))
    return [(check.path, check.name, check.expected, check.found) for check in checks if check.verdict == "differ"]


# --- the file -----------------------------------------------------------------------------------------------------


def test_a_baseline_is_what_the_report_says_everywhere():
    document = json.loads(baseline_text(tiny()))
    assert list(document) == ["rows", "run", "schema_version", "target", "totals"]
    assert document["target"] == {"name": "tiny"}
    assert document["run"] == {
        "dtype": "float32",
        "training": False,
        "inputs": [{"name": "0", "shape": [1, 3, 8, 8], "dtype": "float32"}],
    }
    assert document["totals"]["macs"] == {"value": 51968, "unit": "macs", "status": "exact"}


def test_one_row_per_line_with_sorted_keys():
    lines = [line for line in baseline_text(tiny()).splitlines() if '"path"' in line]
    assert len(lines) == len([each for each in tiny().rows if each.kind != "Tensor.view"])
    for line in lines:
        found = json.loads(line.rstrip(","))
        assert list(found) == sorted(found)


def test_one_layer_more_is_one_line_more():
    more = row("relu", "ReLU", (1, 8, 8, 8))
    rows = tiny().rows
    # Inserted after the first layer, so that the positions of all that follow move.
    longer = tuple(
        replace(each, parent=each.parent + 1) if each.parent and each.parent > 1 else each
        for each in (*rows[:2], more, *rows[2:])
    )
    before, after = (set(baseline_text(replace(tiny(), rows=each)).splitlines()) for each in (rows, longer))
    assert (len(before - after), len(after - before)) == (0, 1)


def test_the_tree_survives(file):
    parents = [each.parent for each in saved(tiny(), file).rows]
    assert parents == [None, 0, 0, 0, 3, 3, 0, 0]


def test_reading_and_writing_changes_nothing(file):
    for sample in (tiny(), doubtful()):
        assert baseline_text(saved(sample, file)) == file.read_text(encoding="utf-8") == baseline_text(sample)


@pytest.mark.parametrize(
    ("target", "shape"),
    [("resnet32", None), ("three-layer-functional", None), (f"{NETS}:Fourier", (1, 3, 8, 8)), ("lenet5", None)],
    ids=["resnet32", "a function", "an op without formula", "lenet5"],
)
def test_a_baseline_has_the_same_bytes_on_meta_and_cpu_and_in_two_runs(target, shape):
    texts = {baseline_text(inspect_model(target, shape, device=device)) for device in ("meta", "cpu", "cpu")}
    assert len(texts) == 1


def test_nothing_of_this_machine_is_in_a_baseline(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("from torch import nn\nnet = nn.Conv2d(3, 8, 3)\n")
    assert str(tmp_path) not in baseline_text(inspect_model(f"{file}:net", (1, 3, 8, 8)))


def test_what_only_a_counter_knows_is_not_written():
    """On another device another counter answers, and each says 0 for an op that it does not know."""
    (line,) = [line for line in baseline_text(doubtful()).splitlines() if '"mix"' in line]
    found = json.loads(line.rstrip(","))
    assert found["macs"] == {"value": None, "unit": "macs", "status": "unknown"}


def test_infinity_is_written_as_a_word(file):
    clamp = row("clamp", "Hardtanh", (1, 8), hyperparameters={"max_val": float("inf")})
    sample = replace(tiny(), rows=(tiny().rows[0], clamp))
    assert failing(sample, saved(sample, file)) == []


# --- comparing ----------------------------------------------------------------------------------------------------


def test_a_report_matches_its_baseline_and_its_saved_self(file, tmp_path):
    whole = tmp_path / "report.json"
    whole.write_text(render(tiny(), Format.JSON), encoding="utf-8")
    for baseline in (saved(tiny(), file), read_baseline(whole)):
        checks = check_baseline(tiny(), baseline)
        assert {check.verdict for check in checks} == {Verdict.MATCH}
        assert {check.source for check in checks} == {"baseline"}


def test_sizes_that_depend_on_the_position_match_their_baseline(file):
    """unet-small prints 92..100 for its last maps."""
    report = inspect_model("unet-small")
    assert ([92, 100], [92, 100]) in {
        str(row.receptive_field.size): row.receptive_field.size for row in report.rows
    }.values()
    assert {check.verdict for check in check_baseline(report, saved(report, file))} == {Verdict.MATCH}


def test_what_is_not_known_is_not_called_equal(file):
    unknown = {(c.path, c.name) for c in check_baseline(doubtful(), saved(doubtful(), file)) if c.verdict == "unknown"}
    assert unknown == {("mix", "macs"), ("mix", "output_shape"), ("total", "macs")}


def with_macs(value):
    """tiny, whose `fc` has 128*10 = 1280 MACs, with another number of them."""
    rows = list(tiny().rows)
    rows[8] = row("fc", "Linear", (1, 10), params=1290, macs=value)
    return replace(tiny(), rows=tuple(rows))


TOLERANCES = [
    ("", 1281, [("fc", "macs", 1280, 1281)]),
    ("", 1279, [("fc", "macs", 1280, 1279)]),
    ("1%", 1292, []),
    ("1%", 1293, [("fc", "macs", 1280, 1293)]),
    ("macs=12", 1292, []),
    ("params=1%", 1281, [("fc", "macs", 1280, 1281)]),
]


@pytest.mark.parametrize(("tolerance", "macs", "found"), TOLERANCES, ids=[f"{t[0]} {t[1]}" for t in TOLERANCES])
def test_tolerance(tolerance, macs, found, file):
    assert failing(with_macs(macs), saved(tiny(), file), tolerance) == found


def test_what_is_over_the_tolerance_says_so(file):
    (check,) = [c for c in check_baseline(with_macs(2000), saved(tiny(), file), parse_tolerance("1%")) if c.hint]
    assert check.hint == "over the tolerance of 1%"


INT64 = {"name": "x", "shape": [2, 3, 8, 8], "dtype": "int64"}
RUNS = [
    # id, change of the run, finding, how the baseline was written
    ("mode", {"training": True}, ("total", "training", False, True), "--eval"),
    ("dtype", {"dtype": "float16"}, ("total", "dtype", "float32", "float16"), "--dtype float32"),
    ("input", {"inputs": [INT64]}, ("total", "input", "1x3x8x8", "x=2x3x8x8:int64"), "--input 1x3x8x8"),
]


@pytest.mark.parametrize(("change", "finding", "how"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS])
def test_how_the_network_ran(change, finding, how, file):
    other = replace(tiny(), run={**tiny().run, **change})
    checks = check_baseline(other, saved(tiny(), file))
    differ = [check for check in checks if check.verdict == "differ"]
    found = {(check.path, check.name, check.expected, check.found): check.hint for check in differ}
    # An input of the run's own dtype is written without it, so that another dtype is one finding.
    assert found[finding] == f"the baseline was written with {how}"
    assert {name for _, name, *_ in found} <= {finding[1], "input"}


def with_params(params):
    """tiny, whose `stem` has 3*3*3*8 + 8 = 224 parameters, with another number of them."""
    return replace(tiny(), rows=tuple(
        replace(each, params=agreed(params, Unit.PARAMS, "storage")) if each.path == "stem" else each
        for each in tiny().rows
    ))  # fmt: skip


SHARING = [
    # id, parameters before and now, the reason
    ("shared now", 224, 0, "its parameters are shared and counted elsewhere"),
    ("no longer shared", 0, 224, "its parameters are not shared any more"),
    ("fewer", 224, 100, None),
]


@pytest.mark.parametrize(("before", "now", "reason"), [case[1:] for case in SHARING], ids=[case[0] for case in SHARING])
def test_the_reason_of_other_parameters(before, now, reason, file):
    checks = check_baseline(with_params(now), saved(with_params(before), file))
    assert [check.hint for check in checks if check.verdict == "differ"] == [reason]


def test_a_field_that_grows_is_found_where_it_first_does(file):
    def with_fields(*sizes):
        fields = [ReceptiveField((size,) * 2, (1, 1), (0, 0), Status.EXACT, None, Verdict.MATCH) for size in sizes]
        rows = [replace(each, receptive_field=field) for each, field in zip(tiny().rows, fields, strict=False)]
        totals = {**tiny().totals, "receptive_field": fields[-1]}
        return replace(tiny(), rows=tuple(rows), totals=totals)

    grown = with_fields(9, 3, 5, 7, 7, 7, 9)
    assert failing(grown, saved(with_fields(7, 3, 3, 5, 5, 5, 7), file)) == [
        ("", "receptive_field", (3, 3), (5, 5)),
        ("total", "receptive_field", (7, 7), (9, 9)),
    ]


def test_frozen_parameters_beside_new_ones_are_two_findings(file):
    def sized(params, trained):
        counts = {"params": params, "trainable_params": trained}
        return replace(
            tiny(),
            totals={**tiny().totals, **{name: Quantity(each, Unit.PARAMS) for name, each in counts.items()}},
        )

    baseline = saved(sized(100, 100), file)
    assert failing(sized(110, 110), baseline) == [("total", "params", 100, 110)]
    assert failing(sized(110, 90), baseline) == [("total", "params", 100, 110), ("total", "trainable_params", 100, 90)]
    assert failing(sized(100, 90), baseline) == [("total", "trainable_params", 100, 90)]


# --- schema 1 -----------------------------------------------------------------------------------------------------


def of_schema_1(file, batch, neurons):
    """tiny's baseline as schema 1 wrote it for this batch: neurons divided by its size."""
    document = json.loads(baseline_text(tiny()))
    document["schema_version"] = 1
    document["run"]["inputs"][0]["shape"][0] = batch
    for numbers in (document["totals"], *document["rows"]):
        numbers["neurons"]["value"] = neurons if numbers is document["totals"] else numbers["neurons"]["value"] // batch
    file.write_text(json.dumps(document))
    return read_baseline(file)


def test_schema_1_with_a_batch_of_one_is_compared_in_everything(file):
    assert failing(tiny(), of_schema_1(file, 1, 2186)) == []
    assert failing(tiny(), of_schema_1(file, 1, 2187)) == [("total", "neurons", 2187, 2186)]


def test_neurons_of_schema_1_are_skipped_for_any_other_batch_and_the_check_says_why(file):
    """2186 neurons of a batch of 2 were 1093 in schema 1; the wrong 1000 cannot be told from them."""
    baseline = of_schema_1(file, 2, 1000)
    checks = check_baseline(tiny(), baseline)
    (found,) = [check for check in checks if check.name == "neurons"]
    assert (found.row, found.verdict, found.expected, found.found) == (None, Verdict.NOT_RUN, None, 2186)
    assert "schema 1 divided neurons by a guessed batch size" in found.hint
    # The rest of the file is compared as ever.
    assert [check.name for check in checks if check.verdict is Verdict.DIFFER] == ["input"]


# --- files that are no baselines ----------------------------------------------------------------------------------

BROKEN = [
    # id, content, words
    ("not JSON", "conv1, 64", "is not JSON"),
    ("another document", '{"name": "x"}', "no schema_version"),
    ("a list", "[1, 2]", "no schema_version"),
    ("a later schema", '{"schema_version": 3}', "schema_version 3, this cnninspect reads 1 and 2"),
    ("networks of rf --vary", '{"schema_version": 2, "varied": []}', "is a report on several targets"),
    ("many targets", '{"schema_version": 1, "targets": []}', "is a report on several targets"),
    ("damaged", '{"schema_version": 1, "rows": [], "totals": {}}', "is damaged"),
    ("a row without kind", '{"schema_version": 1, "rows": [{"path": ""}], "totals": {}}', "is damaged"),
    ("not text", b"\xff\xfe\x00", "is not JSON"),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_files_that_are_no_reports(content, words, file):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=words):
        read_baseline(file)


DAMAGES = [
    # where, what stands there instead
    (("run",), [1]),
    (("run", "inputs", 0, "shape"), "1x3x8x8"),
    (("run", "inputs", 0, "name"), None),
    (("target", "name"), 3),
    (("totals", "params", "value"), [2106]),
    (("totals", "params", "unit"), "pounds"),
    (("totals", "params", "value"), "2106"),
    (("totals", "params", "value"), -5),
    (("totals", "params", "value"), None),
    (("totals", "params", "analytic"), "2106"),
    (("totals", "params", "measured"), {"storage": -5}),
    (("totals", "params"), None),
    (("totals",), []),
    (("rows",), "x"),
    (("rows", 1), None),
    (("rows", 1, "macs", "value"), "2106"),
    (("rows", 1, "macs"), None),
    (("rows", 1, "path"), True),
    (("rows", 1, "kind"), None),
    (("rows", 1, "call"), -1),
    (("rows", 1, "hyperparameters"), None),
    (("rows", 1, "hyperparameters"), {"kernel_size": {}}),
    (("rows", 1, "input_shapes"), [["x"]]),
    (("rows", 1, "output_shape", "value"), {}),
    (("rows", 1, "output_shape", "value"), 8),
    (("rows", 1, "params", "value"), [[1]]),
    (("rows", 1, "parent"), 5),
    (("rows", 1, "parent"), []),
    (("rows", 1, "receptive_field"), {"size": 10**20, "status": "exact", "verdict": "match"}),
]


@pytest.mark.parametrize(
    ("where", "instead"), DAMAGES, ids=[f"{'.'.join(map(str, where))} {instead}" for where, instead in DAMAGES]
)
def test_a_value_that_no_report_holds(where, instead, file):
    document = tiny().to_dict()
    above = document
    for step in where[:-1]:
        above = above[step]
    above[where[-1]] = instead
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="is damaged"):
        read_report(file)


# (where, what stands there instead or nothing, the words)
WORDS = [
    (("rows",), None, "it has no rows"),
    (("rows",), "x", "its rows are no list"),
    (("totals", "params"), None, "its totals have no params"),
    (("totals", "macs"), None, "its totals have no macs"),
    (("totals", "params", "unit"), None, "an object in it has no 'unit'"),
    (("totals", "params", "value"), "2106", "totals params is the text '2106', not a number"),
    (("totals", "params", "value"), -5, "totals params is -5, and a count is not below 0"),
    (("rows", 1, "macs", "value"), "9", "macs of row 1 ('stem') is the text '9', not a number"),
    (("rows", 1, "macs"), None, "row 1 ('stem') has no macs"),
    (("rows", 1, "kind"), None, "an object in it has no 'kind'"),
]


@pytest.mark.parametrize(("where", "instead", "words"), WORDS, ids=[case[2] for case in WORDS])
def test_the_damage_is_told_in_words(where, instead, words, file):
    document = json.loads(baseline_text(tiny()))
    above = document
    for step in where[:-1]:
        above = above[step]
    if instead is None:
        del above[where[-1]]
    else:
        above[where[-1]] = instead
    file.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=re.escape(f"is damaged: {words}.")):
        read_baseline(file)


def test_a_total_that_an_older_schema_lacks_is_not_missed(file):
    document = json.loads(baseline_text(tiny()))
    del document["totals"]["neurons"]
    document["schema_version"] = 1
    file.write_text(json.dumps(document))
    assert "neurons" not in read_baseline(file).totals


SOUND = ["lenet5", "unet-small", "three-layer-functional", "conv-transpose", "resnet47"]


@pytest.mark.parametrize("name", SOUND)
def test_what_is_written_is_read(name, file):
    report = inspect_model(name)
    for text in (render(report, Format.JSON), baseline_text(report)):
        file.write_text(text)
        assert [row.path for row in read_report(file).rows if row.leaf]


def test_a_missing_baseline_says_how_to_write_one(file):
    with pytest.raises(UsageError, match="--update-baseline writes it"):
        read_baseline(file)


def test_a_missing_report(file):
    with pytest.raises(UsageError, match="there is no file"):
        read_report(file)


def test_a_baseline_is_replaced_whole_or_not_at_all(file):
    file.write_text("old")
    save_baseline(tiny(), file)
    assert file.read_text() == baseline_text(tiny())
    with pytest.raises(OutputError, match="cannot write"):
        save_baseline(tiny(), file / "below")
    assert [each.name for each in file.parent.iterdir()] == ["baseline.json"]
