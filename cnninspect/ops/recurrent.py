"""Recurrent layers and their cells: RNN, LSTM, GRU.

One cell step multiplies its input and its hidden state by one matrix per gate; everything else in it is elementwise.
"""

from __future__ import annotations

from typing import Any

from cnninspect.ops.registry import Formula, NoFormula, Use, Work, register, register_op
from cnninspect.ops.rules import by_values, shape_of
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import NoRule, ReadByData, Result
from cnninspect.receptive.reach import Reach, merged, nothing, reaches
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


# --- stacked layers over a sequence -------------------------------------------------------------------------------


def _out_size(use: Use) -> int:
    """Features of one direction's hidden state: the projection's size where there is one."""
    size: int = use["proj_size"] or use["hidden_size"]
    return size


def _directions(use: Use) -> int:
    return 2 if use["bidirectional"] else 1


def _in_size(use: Use, layer: int) -> int:
    """Features that a layer of the stack reads: the input's, or both directions of the layer below."""
    size: int = use["input_size"] if layer == 0 else _directions(use) * _out_size(use)
    return size


def _steps(use: Use) -> int:
    """Time steps of all sequences together: T * N, or T without a batch."""
    return use.input[0] * (use.input[1] if len(use.input) == 3 else 1)


def sequence_output(use: Use) -> tuple[Shape, ...]:
    """output [T, N, D*H] (N first with batch_first), h_n [layers*D, N, H], and for the LSTM c_n; no N if unbatched.

    D is the number of directions, H the size of the hidden state; with a projection c_n keeps the unprojected size.
    """
    batch: Shape = () if len(use.input) == 2 else (use.input[0 if use["batch_first"] else 1],)
    states = use["num_layers"] * _directions(use)
    output = (*use.input[:-1], _directions(use) * _out_size(use))
    hidden = (states, *batch, _out_size(use))
    return (output, hidden, (states, *batch, use["hidden_size"])) if use["mode"] == "LSTM" else (output, hidden)


def sequence_params(use: Use) -> dict[str, int]:
    """Per layer and direction weight_ih: g*H*in, weight_hh: g*H*Hout, both biases: g*H, and weight_hr: P*H."""
    rows = GATES[use["mode"]] * use["hidden_size"]
    counts = {}
    for layer in range(use["num_layers"]):
        for suffix in ("", "_reverse")[: _directions(use)]:
            name = f"l{layer}{suffix}"
            counts[f"weight_ih_{name}"] = rows * _in_size(use, layer)
            counts[f"weight_hh_{name}"] = rows * _out_size(use)
            counts[f"bias_ih_{name}"] = counts[f"bias_hh_{name}"] = rows
            counts[f"weight_hr_{name}"] = use["proj_size"] * use["hidden_size"]
    return counts


def sequence_macs(use: Use) -> int:
    """T * N * sum over layers and directions of g*H*in + g*H*Hout + P*H."""
    gates = GATES[use["mode"]] * use["hidden_size"]
    per_step: int = sum(
        _directions(use) * (gates * (_in_size(use, layer) + _out_size(use)) + use["proj_size"] * use["hidden_size"])
        for layer in range(use["num_layers"])
    )
    return _steps(use) * per_step


def _sequence_call(use: Use, input: Any, hx: Any = None) -> Use:
    if not isinstance(input, TensorRef):
        raise NoFormula("how many sequences of a packed batch reach each step is data, not shape")
    return Use((input.shape,), use.hyper, use.state, use.training, use.kind)


RECURRENT = register(
    Formula(
        name="recurrent network",
        source='torch.nn.LSTM, torch.nn.GRU and torch.nn.RNN, "Outputs" and "Variables"; Hochreiter & Schmidhuber 1997',
        modules=("RNN", "LSTM", "GRU"),
        hyperparameters=(
            "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional", "proj_size",
        ),
        bind=_sequence_call,
        output=sequence_output,
        params=sequence_params,
        macs=sequence_macs,
        sequences=1,
        fused=("RNN", "LSTM", "GRU", "torch.lstm", "torch.gru", "torch.rnn_tanh", "torch.rnn_relu"),
    )
)  # fmt: skip


# --- one step -----------------------------------------------------------------------------------------------------


def _cell(name: str, gates: int, states: int) -> Formula:
    """The formula of a cell with `gates` matrices for its input and as many for its `states[0]`."""

    def output(use: Use) -> tuple[Shape, ...]:
        """The next hidden state [N, H], and for the LSTM the next cell state; no N without a batch."""
        return ((*use.input[:-1], use["hidden_size"]),) * states

    def params(use: Use) -> dict[str, int]:
        """weight_ih: g*H*in; weight_hh: g*H*H; bias_ih and bias_hh: g*H."""
        rows = gates * use["hidden_size"]
        return {
            "weight_ih": rows * use["input_size"], "weight_hh": rows * use["hidden_size"],
            "bias_ih": rows, "bias_hh": rows,
        }  # fmt: skip

    def macs(use: Use) -> int:
        """N * g*H*(in + H)."""
        batch = use.input[0] if len(use.input) == 2 else 1
        count: int = batch * gates * use["hidden_size"] * (use["input_size"] + use["hidden_size"])
        return count

    return register(
        Formula(
            name=f"{name} step",
            source=f'torch.nn.{name}, "Shape" and "Variables"',
            modules=(name,),
            hyperparameters=("input_size", "hidden_size", "bias"),
            bind=_step_call,
            output=output,
            params=params,
            macs=macs,
        )
    )


def _step_call(use: Use, input: TensorRef, hx: Any = None) -> Use:
    return Use((input.shape,), use.hyper, use.state, use.training, use.kind)


_cell("RNNCell", gates=1, states=1)
_cell("GRUCell", gates=3, states=1)
_cell("LSTMCell", gates=4, states=2)


# --- the ops ------------------------------------------------------------------------------------------------------


def _lstm_step(input_gates: TensorRef, hidden_gates: TensorRef, cx: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """The next hidden and cell state. The products with the weights happened before."""
    return (cx.shape, cx.shape)


def _gru_step(input_gates: TensorRef, hidden_gates: TensorRef, hx: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """The next hidden state."""
    return (hx.shape,)


def _step_field(op: Op, input_gates: Reach, hidden_gates: Reach, state: Reach, *biases: Any) -> Result:
    """Feature j of the next states sees gate j of every kind, from both products, and feature j of the state."""
    size = state.shape[-1]

    def gates(part: Reach) -> Reach:
        kinds = part.shape[-1] // size
        last = len(part.shape) - 1
        split = part.reshaped((*part.shape[:-1], kinds, size))
        return split.reduced([last], op.index).without([last])

    parts = [gates(part) for part in (input_gates, hidden_gates, *reaches(biases))]
    return (merged((*parts, state), state.shape, op.index),) * min(len(op.outputs), 2)


def _packed_field(op: Op, x: Reach, lengths: Reach, batch_first: bool) -> Result:
    """The steps of all sequences, one step after the other; the second result counts the sequences of each step."""
    if lengths.content is None:
        raise ReadByData if lengths.inputs else NoRule("the lengths are not known")
    if batch_first:
        x = x.permuted((1, 0, *range(2, len(x.shape))))
    steps, batch = x.shape[:2]
    rows = [step * batch + place for step in range(steps) for place in range(batch) if step < lengths.content[place]]
    flat = x.reshaped((steps * batch, *x.shape[2:]))
    return (flat.slid(0, taps.listed(steps * batch, rows)), nothing(shape_of(op, 1)))


register_op(
    "aten._thnn_fused_lstm_cell",
    output=_lstm_step,
    field=_step_field,
    source="torch.nn.LSTMCell, one step: g = W_i x + b_i + W_h h + b_h, then functions of each feature",
    work=Work.ELEMENTWISE,
)
register_op(
    "aten._thnn_fused_gru_cell",
    output=_gru_step,
    field=_step_field,
    source="torch.nn.GRUCell, one step: g = W_i x + b_i + W_h h + b_h, then functions of each feature",
    work=Work.ELEMENTWISE,
)
register_op(
    "aten._pack_padded_sequence",
    output=by_values,
    field=_packed_field,
    source="torch.nn.utils.rnn.pack_padded_sequence: the steps of all sequences, one time after the other",
)
