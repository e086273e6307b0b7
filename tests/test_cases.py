"""Networks that once gave a wrong number or none, each from the command line; `data/cases/` says what they stand for.

The expected numbers are hand arithmetic over the layers, in the order in which they run.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnninspect.cli.app import run

CASES = Path(__file__).parent / "data" / "cases"

_LSTM = 4 * 8 * 4 + 4 * 8 * 8 + 2 * 4 * 8
_CONV = 8 * 3 * 3 * 3 + 8
_GRU_STEP = 3 * 8 * (4 + 8)
_POOL = 50 * 64 + 3 * (64 * 64 + 64) + 32 * 64 + 32
_POOL_MACS = 3 * 50 * 64 * 64 + 2 * 50 * 50 * 64 + 50 * 64 * 32
_ENCODER = 6 * 16 * 48 + 2 * 6 * 6 * 16 + 6 * 16 * 16 + 2 * 6 * 16 * 2048

# target: (command, options, exact totals)
COMMANDS = {
    "flat_lstm.py:Net": ("summary", "--input 5x2x4", {"params": _LSTM, "trainable_params": 448, "params_bytes": 1792}),
    "views_of_one_tensor.py:Net": ("summary", "--input 1x4", {"params": 4 * 2 + 4 * 4, "trainable_params": 24}),
    "mem_kv.py:Net": ("compare", "--input 2x3x8x8", {"params": _CONV + 2 * 4 * 8}),
    **{
        f"param_half.py:{name}": ("compare", "--input 2x4x8", {"params": 2 * 4 * 8 + 8 * 8 + 8})
        for name in ("A", "B", "C", "D", "E", "F")
    },
    "attnpool.py:Net": (
        "compare",
        "--input 1x3x7x7",
        {"params": 64 * 3 * 9 + 64 + _POOL, "macs": 64 * 3 * 9 * 49 + _POOL_MACS},
    ),
    "two_input_conv.py:Net": ("compare", "--input 1x3x8x8", {"params": _CONV, "macs": 4 * 3 * 9 * 6 * 6}),
    "two_input_conv.py:Mod": ("compare", "--input 1x3x8x8", {"params": _CONV, "macs": 8 * 3 * 9 * 4 * 4}),
    "train_override.py:Net": ("summary", "--input 1x3x8x8", {"params": _CONV, "macs": 8 * 3 * 9 * 6 * 6}),
    "autocast_meta.py:Net": ("summary", "--input 2x8", {"params": 8 * 8 + 8, "macs": 2 * 8 * 8}),
    "packed_lengths.py:Net": (
        "summary",
        "--inputs-from {cases}/packed_lengths.py:inputs",
        {"params": _GRU_STEP + 2 * 3 * 8, "macs": (5 + 3) * _GRU_STEP},
    ),
    "infer_size.py:Net": ("summary", "", {"macs": 8 * 3 * 9 * 112 * 112}),
    "nan_never_ends.py:Net": ("compare", "--input 1x1x8x8", {"params": 3 * 3 + 1}),
    "fft_real.py:Net": ("compare", "--input 1x8x16", {"params": 0}),
    "flux_min.py:Net": ("compare", "--input 1x96x16 --input 64", {"macs": 96 * 16 * 16}),
    "grad_in_forward.py:Forces": ("summary", "--input 5x3", {"params": 3 * 16 + 16 + 16 + 1}),
    "distribution_output.py:Policy": ("summary", "--input 2x10", {"macs": 2 * 10 * 5}),
    **{
        f"losses.py:Net:loss={loss}": ("compare", "--input 1x3x8x8", {"macs": 8 * 3 * 9 * 6 * 6})
        for loss in ("mse", "mse_none", "ce", "bce")
    },
    "packed.py:Packed": (
        "compare",
        "--input 2x5x16",
        {"params": 2 * (4 * 16 * 32 + 2 * 4 * 16), "macs": 2 * 5 * 4 * 16 * 32 + 2 * 4 * 16 * 32},
    ),
    "sdpa_kernel.py:Net": ("compare", "--input 1x6x16", {"macs": 6 * 16 * 16 + 2 * 2 * 6 * 6 * 8}),
    "warn_item.py:Net": ("summary", "--input 1x6:int64", {"macs": _ENCODER}),
    "no_axes_item.py:Net": ("summary", "--input 50x16 --input batch=50:int64", {"macs": 50 * 16 * 32 + 32 * 3}),
    "caught.py:Fallback": ("summary", "--input 1x4", {"macs": 4 * 4}),
    "dataclass_input.py:Net": (
        "compare",
        "--inputs-from {cases}/dataclass_input.py:inputs --device cpu",
        {"macs": 2 * 4 * 8 + 3 * 4 * 16, "input_bytes": 4 * (2 * 4 + 3 * 4)},
    ),
    "pruned.py:make": ("summary", "--input 1x3x16x16", {"params": _CONV + 8 * 8 * 9 + 8}),
    "long_gru.py:Net": ("summary", "--input 1x100x16", {"macs": 100 * 3 * 16 * 32}),
}


@pytest.fixture
def inspected(capsys):
    """Runs a command on a case and returns (exit code, document)."""

    def call(target, command="summary", options=""):
        name, _, arguments = target.partition(":")
        entry, _, keyword = arguments.partition(":")
        given = [option.replace("{cases}", str(CASES)) for option in options.split()]
        given += ["--arg", keyword] if keyword else []
        code = run([command, f"{CASES / name}:{entry}", *given, "--format", "json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.startswith("{") else {}

    return call


@pytest.mark.parametrize(("target", "case"), COMMANDS.items(), ids=COMMANDS)
def test_totals(inspected, target, case):
    command, options, totals = case
    code, document = inspected(target, command, options)
    assert code == 0
    found = {name: (document["totals"][name]["value"], document["totals"][name]["status"]) for name in totals}
    assert found == {name: (value, "exact") for name, value in totals.items()}


def _fields(document):
    return {row["path"] or row["kind"]: row["receptive_field"] for row in document["rows"]}


def test_a_cosine_that_is_0_stops_nan_and_leaves_the_field_unchecked(inspected):
    _, document = inspected("fft_real.py:Net", "compare", "--input 1x8x16")
    field = _fields(document)["Net"]
    assert (field["global"] is not None, field["verdict"]) == (True, "unknown")


@pytest.mark.parametrize("loss", ["mse", "mse_none", "ce", "bce"])
def test_a_loss_sees_what_its_inputs_see(inspected, loss):
    """Reduced it sees all of the input; without a reduction each element sees the 3x3 pixels of its output."""
    _, document = inspected(f"losses.py:Net:loss={loss}", options="--input 1x3x8x8")
    last = document["rows"][-1]["receptive_field"]
    assert last["status"] == "exact"
    assert last["size"] == ([3, 3] if loss == "mse_none" else None)


def test_after_a_read_only_what_may_hold_the_number_is_unknown(inspected):
    _, document = inspected("cause_view.py:Net", options="--input 1x3x8x8")
    assert _fields(document)["c"]["size"] == [3, 3]
    _, document = inspected("warn_item.py:Net", options="--input 1x6:int64")
    assert {field["status"] for field in _fields(document).values() if field} == {"exact"}
    _, document = inspected("no_axes_item.py:Net", options="--input 50x16 --input batch=50:int64")
    assert set(_fields(document).values()) == {None}


def test_what_a_network_was_inspected_with_is_what_the_totals_are_of(inspected):
    _, document = inspected("infer_size.py:Net")
    assert [given["shape"] for given in document["run"]["inputs"]] == [[1, 3, 224, 224]]


def test_windows_of_a_spectrogram(inspected):
    """64 // 2 + 1 frequencies and 4000 // 16 + 1 frames."""
    code, document = inspected("stft.py:Net", options="--input 1x4000")
    assert code == 0
    assert document["rows"][0]["output_shape"]["value"] == [[1, 33, 251]]
    assert document["rows"][0]["output_shape"]["verdict"] == "match"


def test_packed_weights_are_unknown_in_rows_and_totals(inspected):
    code, document = inspected("quantised.py:make", options="--input 2x8")
    assert code == 0
    linear = [row["params"]["value"] for row in document["rows"] if "inear" in row["kind"]]
    assert [*linear, document["totals"]["params"]["value"]] == [None] * 5


def test_masks_are_said(inspected):
    """The half of 8*3*3*3 = 216 weights."""
    _, document = inspected("pruned.py:make", options="--input 1x3x16x16")
    assert any(note.startswith("108 of 808 parameters are 0 by masks") for note in document["notes"])


def test_a_package_s_own_import_error_is_one_sentence(monkeypatch, capsys):
    monkeypatch.chdir(CASES / "lazy")
    monkeypatch.syspath_prepend(CASES / "lazy")
    assert run(["summary", "lazypkg:Net"]) == 3
    error = capsys.readouterr().err
    assert "Could not import module 'Net'" in error
    assert "an error in cnninspect itself" not in error


def test_other_threads_run_their_own_networks():
    done = subprocess.run([sys.executable, CASES / "threads.py"], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "16 []"
