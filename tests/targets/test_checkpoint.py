"""Headers of safetensors files: the numbers of sound ones, and one sentence for all others."""

import json
import random
import struct
from itertools import product

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cnninspect import inspect_model
from cnninspect.errors import CnninspectError, LoadError
from cnninspect.inspection.tensors import inspect_checkpoint
from cnninspect.report.document import Checkpoint, Report
from cnninspect.report.quantities import Status, Verdict
from cnninspect.targets.checkpoint import DTYPES, MOST_BYTES, checkpoint_at, read_header
from tests.safetensors_files import BYTES, ELEMENTS, SMALL, header, index, write


def report(path) -> Checkpoint:
    return inspect_checkpoint(checkpoint_at(str(path)))


def tensors(found):
    return {row.path: row for row in found.rows if row.leaf}


def test_the_numbers_of_a_small_file(tmp_path):
    found = report(write(tmp_path / "w.safetensors", SMALL))
    rows = tensors(found)
    assert {name: (row.kind, row.output_shape.value) for name, row in rows.items()} == {
        "body.0.weight": ("float32", ((8, 4),)),
        "body.0.bias": ("float32", ((8,),)),
        "head.weight": ("bfloat16", ((3, 8),)),
    }
    assert {name: row.extra["elements"].value for name, row in rows.items()} == dict(
        zip(rows, (8, 8 * 4, 24), strict=True)
    )
    assert {name: row.extra["bytes"].value for name, row in rows.items()} == dict(zip(rows, (32, 128, 48), strict=True))
    assert all(row.extra["bytes"].verdict is Verdict.MATCH for row in rows.values())
    assert found.total("elements").value == ELEMENTS
    assert found.total("elements").parts == {"float32": 40, "bfloat16": 24}
    assert (found.total("bytes").value, found.total("bytes").verdict) == (BYTES, Verdict.MATCH)
    size = (tmp_path / "w.safetensors").stat().st_size
    assert (found.total("file_bytes").value, found.total("file_bytes").verdict) == (size, Verdict.MATCH)
    assert found.verdict is Verdict.MATCH
    assert found.notes == ()


def test_what_torch_saved_is_what_the_library_reads(tmp_path):
    """The oracle is safetensors' own reader, and torch for the sizes of elements."""
    types = {value: name for name, (value, _) in DTYPES.items()}
    made = {
        f"{name}.t{number}": torch.zeros(shape, dtype=getattr(torch, name))
        for (name, (number, shape)) in product(types, enumerate([(), (3,), (2, 0), (4, 6)]))
        if hasattr(torch, name)
    }
    file = tmp_path / "w.safetensors"
    save_file(made, file)
    rows = tensors(report(file))
    with safe_open(file, "pt") as opened:
        assert set(opened.keys()) == rows.keys() == made.keys()
        assert all(opened.get_slice(name).get_dtype() == types[row.kind] for name, row in rows.items())
    for name, row in rows.items():
        tensor = made[name]
        assert (row.kind, row.output_shape.value) == (str(tensor.dtype).removeprefix("torch."), (tuple(tensor.shape),))
        assert row.extra["elements"].value == tensor.numel()
        size = row.extra["bytes"]
        assert (size.analytic, size.measured["offsets"]) == (tensor.numel() * tensor.element_size(),) * 2
        assert size.verdict is Verdict.MATCH


@pytest.mark.parametrize(
    ("kind", "elements", "size"), [("F4", 6, 3), ("F4", 7, 4), ("F6_E2M3", 4, 3), ("F6_E3M2", 8, 6)]
)
def test_types_of_less_than_a_byte(tmp_path, kind, elements, size):
    """4 bits: two elements a byte; 6 bits: four elements in three bytes."""
    row = tensors(report(write(tmp_path / "w.safetensors", header(("x", kind, (elements,), size)))))["x"]
    assert (row.extra["bytes"].value, row.extra["bytes"].verdict) == (size, Verdict.MATCH)


def test_a_file_of_100_gigabytes_costs_nothing(tmp_path):
    """A sparse file: its tensor takes no place on the disk, and nobody reads it."""
    size = 2 * 50_000 * 1_000_000
    file = write(tmp_path / "w.safetensors", header(("x", "BF16", (50_000, 1_000_000), size)), 0)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size + size)
    found = report(file)
    assert (found.total("bytes").value, found.verdict) == (10**11, Verdict.MATCH)


def test_bytes_that_do_not_fit_the_shape_differ(tmp_path):
    found = report(write(tmp_path / "w.safetensors", header(("x", "F32", (3,), 16), ("y", "F32", (3,), 12))))
    rows = tensors(found)
    assert {name: row.extra["bytes"].verdict for name, row in rows.items()} == {"x": Verdict.DIFFER, "y": Verdict.MATCH}
    assert found.verdict is Verdict.DIFFER


def test_the_size_of_an_unknown_type_is_that_of_the_offsets(tmp_path):
    found = report(write(tmp_path / "w.safetensors", header(("x", "Q4_K", (256,), 144))))
    size = tensors(found)["x"].extra["bytes"]
    assert (size.value, size.analytic, size.verdict) == (144, None, Verdict.NOT_RUN)
    assert tensors(found)["x"].kind == "Q4_K"
    assert "the size of an element of Q4_K is not known" in found.notes[0]


WRONG_SIZES = {
    "cut off": (-1, "w.safetensors is cut off: its header asks for"),
    "too long": (5, "has 5 bytes behind its last tensor"),
}


@pytest.mark.parametrize(("more", "words"), WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_a_file_whose_size_is_not_that_of_its_header_differs(tmp_path, more, words):
    found = report(write(tmp_path / "w.safetensors", SMALL, BYTES + more))
    whole = found.total("file_bytes")
    assert whole.verdict is Verdict.DIFFER
    assert whole.measured["file"] == whole.analytic + more
    assert words in found.notes[0]


PLACES = {
    "a hole": ([0, 8], [12, 20], "y begins 4 bytes behind x"),
    "an overlap": ([0, 8], [4, 12], "y overlaps x"),
    "not at the start": ([4, 12], [12, 20], "x begins 4 bytes behind the header"),
}


@pytest.mark.parametrize(("one", "two", "words"), PLACES.values(), ids=PLACES)
def test_tensors_that_do_not_lie_one_behind_the_other_are_named(tmp_path, one, two, words):
    entries = {name: {"dtype": "F32", "shape": [2], "data_offsets": place} for name, place in (("x", one), ("y", two))}
    found = report(write(tmp_path / "w.safetensors", entries))
    assert any(words in note for note in found.notes)
    assert found.total("file_bytes").verdict is Verdict.DIFFER


# --- damaged and hostile headers --------------------------------------------------------------------------------------


def tensor(**changed):
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}}


HOSTILE = {
    "empty": (b"", "it has 0 bytes"),
    "seven bytes": (b"\0" * 7, "it has 7 bytes"),
    "a long header": (struct.pack("<Q", 2**63) + b"{}", "would take 9,223,372,036,854,775,808 bytes"),
    "longer than allowed": (struct.pack("<Q", MOST_BYTES + 1) + b"{}", "the format allows 100,000,000"),
    "cut off": (struct.pack("<Q", 50) + b'{"x":', "cut off inside its header: of 50 bytes 5 are there"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "a zip archive, as torch.save writes"),
    "gguf": (b"GGUF" + bytes(60), "a GGUF file"),
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "`git lfs pull` fetches the file"),
    "not utf-8": (b"\xff\xfe{}", "its JSON cannot be read"),
    "not json": (b"{'x': 1}", "its JSON cannot be read"),
    "a list": (b"[]", "its JSON is a list"),
    "deep": (b"[" * 100_000, "its JSON cannot be read"),
    "twice": (b'{"x": 1, "x": 2}', "'x' stands twice"),
    "no number": (b'{"x": NaN}', "NaN is not a number in JSON"),
    "a number of 5,000 digits": (b'{"x": [' + b"9" * 5000 + b"]}", "its JSON cannot be read"),
    "metadata": ({"__metadata__": {"a": 1}}, "__metadata__ holds other things than texts"),
    "a tensor that is a number": ({"x": 3}, "tensor 'x' has no dtype, shape and data_offsets"),
    "no offsets": ({"x": {"dtype": "F32", "shape": [2]}}, "has no dtype, shape and data_offsets"),
    "dtype": (tensor(dtype=4), "a dtype that is no text"),
    "negative size": (tensor(shape=[-2]), "a shape that is no list of sizes"),
    "size true": (tensor(shape=[True]), "a shape that is no list of sizes"),
    "size as text": (tensor(shape=["2"]), "a shape that is no list of sizes"),
    "fraction": (tensor(shape=[2.0]), "a shape that is no list of sizes"),
    "too many elements": (tensor(shape=[2**40, 2**40]), "a shape that is no list of sizes"),
    "backwards": (tensor(data_offsets=[8, 0]), "data_offsets that are no place in the file"),
    "one offset": (tensor(data_offsets=[8]), "data_offsets that are no place in the file"),
    "huge offset": (tensor(data_offsets=[0, 2**64]), "data_offsets that are no place in the file"),
}  # fmt: skip
RAW = ("empty", "seven bytes", "a long header", "longer than allowed", "cut off", "a zip archive", "gguf", "git lfs")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_ends_in_one_sentence(tmp_path, name):
    content, words = HOSTILE[name]
    file = tmp_path / "w.safetensors"
    if name in RAW:
        file.write_bytes(content)
    else:
        write(file, content if isinstance(content, bytes) else json.dumps(content).encode(), 8)
    with pytest.raises(LoadError) as failure:
        read_header(file)
    assert words in str(failure.value)
    assert str(failure.value).startswith(str(file))


def test_no_damage_is_an_error_of_ours(tmp_path):
    """Every length of a small header, and 150 files with one changed byte: a report or a sentence."""
    whole = write(tmp_path / "whole.safetensors", SMALL).read_bytes()
    chance = random.Random(0)
    cut = [whole[:length] for length in range(len(whole) - BYTES)]
    changed = [bytearray(whole) for _ in range(150)]
    for each in changed:
        each[chance.randrange(len(whole) - BYTES)] = chance.randrange(256)
    ended = 0
    for content in (*cut, *changed):
        (tmp_path / "w.safetensors").write_bytes(content)
        try:
            report(tmp_path / "w.safetensors")
        except CnninspectError:
            ended += 1
    assert len(cut) <= ended < len(cut) + len(changed)


def test_an_overlong_name_is_a_name(tmp_path):
    name = "." * 50_000
    assert list(tensors(report(write(tmp_path / "w.safetensors", header((name, "U8", (1,), 1)))))) == [name]


# --- several files ----------------------------------------------------------------------------------------------------

TWO = {"body.0.weight": "a.safetensors", "body.0.bias": "a.safetensors", "head.weight": "b.safetensors"}
FIRST = {name: SMALL[name] for name in ("body.0.weight", "body.0.bias")}
SECOND = header(("head.weight", "BF16", (3, 8), 48))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "a.safetensors", FIRST)
    write(tmp_path / "b.safetensors", SECOND)
    return tmp_path


def test_shards_with_an_index_are_one_checkpoint(folder):
    place = index(folder / "model.safetensors.index.json", TWO, BYTES)
    for target in (folder, place):
        found = report(target)
        assert {name: row.extra["file"].value for name, row in tensors(found).items()} == TWO
        assert (found.total("elements").value, found.total("bytes").value) == (ELEMENTS, BYTES)
        assert found.total("bytes").measured == {"offsets": BYTES, "index": BYTES}
        assert [(shard.file, shard.tensors) for shard in found.shards] == [("a.safetensors", 2), ("b.safetensors", 1)]
        assert found.notes == ()
        assert found.verdict is Verdict.MATCH


def test_files_without_an_index_are_one_checkpoint(folder):
    found = report(folder)
    assert (found.total("elements").value, found.total("bytes").measured) == (ELEMENTS, {"offsets": BYTES})


def test_an_index_with_wrong_bytes_differs(folder):
    index(folder / "model.safetensors.index.json", TWO, BYTES + 2)
    size = report(folder).total("bytes")
    assert (size.measured["index"], size.verdict) == (BYTES + 2, Verdict.DIFFER)


def test_a_missing_shard_is_said_and_its_tensors_are_unknown(folder):
    index(folder / "model.safetensors.index.json", TWO, BYTES)
    (folder / "b.safetensors").unlink()
    found = report(folder)
    row = tensors(found)["head.weight"]
    assert (row.kind, row.extra["elements"].status) == ("missing", Status.UNKNOWN)
    assert row.extra["elements"].why[0].text == "b.safetensors is missing"
    assert (found.total("elements").value, found.total("elements").status) == (40, Status.LOWER_BOUND)
    assert found.total("bytes").status is found.total("file_bytes").status is Status.LOWER_BOUND
    assert found.notes == (
        "1 of 2 files is missing: b.safetensors. model.safetensors.index.json puts 1 tensor there, whose sizes are "
        "unknown.",
    )


ELSEWHERE = {
    "in two files": ("head.weight", "1 tensor is in two files or more: head.weight (a.safetensors and b.safetensors)"),
    "not in the index": ("more.bias", "1 tensor is not in model.safetensors.index.json: more.bias"),
}


@pytest.mark.parametrize(("name", "words"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_tensor_that_stands_elsewhere_is_said(folder, name, words):
    write(folder / "a.safetensors", {**FIRST, name: {"dtype": "BF16", "shape": [3, 8], "data_offsets": [160, 208]}})
    index(folder / "model.safetensors.index.json", TWO)
    found = report(folder)
    assert any(words in note for note in found.notes), found.notes
    assert len(tensors(found)) == len({*TWO, name})


def test_a_tensor_that_its_file_does_not_hold_is_said(folder):
    index(folder / "model.safetensors.index.json", {**TWO, "lost": "a.safetensors", "head.weight": "a.safetensors"})
    write(folder / "c.safetensors", SECOND)
    found = report(folder)
    assert tensors(found)["lost"].extra["elements"].status is Status.UNKNOWN
    assert "2 tensors are not in the file that model.safetensors.index.json names: head.weight, lost." in found.notes
    assert "2 files are in the folder not named by model.safetensors.index.json" in found.notes[0]


def test_two_shapes_of_one_name_are_unknown_where_no_index_decides(folder):
    write(folder / "a.safetensors", header(("head.weight", "BF16", (4, 8), 64)))
    found = report(folder)
    assert tensors(found)["head.weight"].extra["elements"].status is Status.UNKNOWN
    index(folder / "model.safetensors.index.json", {"head.weight": "a.safetensors", "x": "b.safetensors"})
    assert tensors(report(folder))["head.weight"].extra["elements"].value == 32


@pytest.mark.parametrize("file", ["../secret.safetensors", "/etc/passwd", "", "..", "sub/a.safetensors"])
def test_an_index_reaches_no_other_folder(folder, file):
    index(folder / "model.safetensors.index.json", {"x": file})
    with pytest.raises(LoadError, match="which is no file beside it"):
        report(folder)


@pytest.mark.parametrize("text", ["{}", '{"weight_map": 3}', '{"weight_map": {"x": 3}}', "[]", "nothing"])
def test_a_damaged_index_ends_in_one_sentence(folder, text):
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(LoadError, match=r"model\.safetensors\.index\.json is (no index|damaged)"):
        report(folder)


@pytest.mark.parametrize("total", [208.0, 1e400, -1, True, "208", None])
def test_only_a_whole_total_size_is_compared(folder, total):
    place = folder / "model.safetensors.index.json"
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": TWO}).replace("Infinity", "1e999")
    place.write_text(text)
    assert ("index" in report(folder).total("bytes").measured) is (total == 208.0)


def test_a_folder_with_a_configuration_is_a_network(folder):
    (folder / "config.json").write_text("{}")
    assert checkpoint_at(str(folder)) is None


@pytest.mark.parametrize("text", ["", "resnet18", "net.py:Net", "torch.nn:Linear", "x.json", "no/such/folder"])
def test_other_targets_are_no_checkpoints(text):
    assert checkpoint_at(text) is None


def test_packed_weights_are_said(tmp_path):
    """8*4 weights of 4 bits in 16 bytes; 64 of 4 bits in 8 integers."""
    entries = header(
        ("a.weight", "U8", (16, 1), 16),
        ("a.weight.absmax", "F32", (1,), 4),
        ("a.weight.quant_state.bitsandbytes__nf4", "U8", (90,), 90),
        ("b.qweight", "I32", (2, 4), 32),
        ("c.weight", "U8", (2,), 2),
    )
    found = report(write(tmp_path / "w.safetensors", entries))
    assert found.notes == (
        "1 tensor is packed by bitsandbytes, two weights of 4 bits in a byte: a.weight; elements counts the bytes.",
        "1 tensor is packed by GPTQ or AWQ, several weights in an integer: b.qweight; elements counts the integers.",
    )


def test_tensors_stand_in_a_tree_with_numbers_in_order(tmp_path):
    names = ["l.10.w", "l.2.w", "l.2.b", "l.10.b", "norm.w", "z", "w", "w.scale"]
    found = report(write(tmp_path / "w.safetensors", header(*((name, "U8", (1,), 1) for name in names))))
    shown = [(row.path, row.leaf) for row in found.rows[1:]]
    assert shown == [
        ("w", True), ("z", True), ("l", False), ("l.2", False), ("l.2.b", True), ("l.2.w", True), ("l.10", False),
        ("l.10.b", True), ("l.10.w", True), ("norm.w", True), ("w.scale", True),
    ]  # fmt: skip
    assert [row.extra["bytes"].value for row in found.rows if not row.leaf] == [8, 4, 2, 2]


def test_the_report_goes_to_json_and_back(folder):
    (folder / "b.safetensors").unlink()
    index(folder / "model.safetensors.index.json", TWO, BYTES)
    found = inspect_model(str(folder))
    assert isinstance(found, Checkpoint)
    again = Report.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert again.to_dict() == found.to_dict()
    assert "3 tensors, 40 elements" in repr(found)
