"""`--arg` and `--input`: what they mean is written out by hand beside the text."""

from __future__ import annotations

from typing import Any

import pytest

from cnninspect.errors import UsageError
from cnninspect.targets.grammar import (
    DTYPES,
    InputSpec,
    dtype_name,
    parameter_dtype,
    parse_argument,
    parse_arguments,
    parse_input,
    parse_inputs,
    parse_shape,
)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        pytest.param("width=8", "width", 8, id="int"),
        pytest.param("rate=0.5", "rate", 0.5, id="float"),
        pytest.param("bias=False", "bias", False, id="bool"),
        pytest.param("norm=None", "norm", None, id="none"),
        pytest.param("k=(3, 5)", "k", (3, 5), id="tuple"),
        pytest.param("widths=[8, 16]", "widths", [8, 16], id="list"),
        pytest.param("cfg={'a': 1}", "cfg", {"a": 1}, id="dict"),
        pytest.param("act='relu'", "act", "relu", id="quoted"),
        pytest.param("act=relu", "act", "relu", id="bare-word"),
        pytest.param(" width = 8 ", "width", 8, id="spaces"),
        pytest.param("shift=-1", "shift", -1, id="negative"),
    ],
)
def test_arguments(text: str, name: str, value: Any) -> None:
    assert parse_argument(text) == (name, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("width", "'width' is not NAME=VALUE", id="no-equals"),
        pytest.param("width", "Write --arg width=VALUE.", id="a-name"),
        pytest.param("8", "Write --arg NAME=8.", id="a-value"),
        pytest.param("=8", r"'=8' is not NAME=VALUE\. Write --arg NAME=8\.$", id="no-name"),
        pytest.param(".w=8", r"'\.w=8' is not NAME=VALUE\. Write --arg w=8\.$", id="no-argument-before-the-dot"),
        pytest.param("2w=8", "'2w=8' is not NAME=VALUE", id="name-is-no-identifier"),
        pytest.param("bias=false", "Write --arg bias=False", id="lower-case-false"),
        pytest.param("bias=TRUE", "Write --arg bias=True", id="upper-case-true"),
        pytest.param("norm=null", "Write --arg norm=None", id="null"),
        pytest.param("k=(3, ", "is not a Python literal", id="unfinished"),
        pytest.param("k=1+1", "is not a Python literal", id="expression"),
        pytest.param("k=", "is not a Python literal", id="empty-value"),
        pytest.param("name=a=b", "is not a Python literal", id="second-equals"),
        pytest.param("k=__import__('os').getcwd()", "is not a Python literal", id="code"),
    ],
)
def test_argument_errors(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_argument(text)


def test_an_argument_given_twice() -> None:
    assert parse_arguments(["a=1", "b=2"]) == {"a": 1, "b": 2}
    with pytest.raises(UsageError, match="--arg a is given twice"):
        parse_arguments(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        pytest.param("1x3x224x224", InputSpec((1, 3, 224, 224)), id="shape"),
        pytest.param("2X77:int64", InputSpec((2, 77), "int64"), id="dtype-and-capital-x"),
        pytest.param("7", InputSpec((7,)), id="one-dimension"),
        pytest.param("mask=1x77:bool", InputSpec((1, 77), "bool", "mask"), id="keyword"),
        pytest.param("1x3:half", InputSpec((1, 3), "float16"), id="alias"),
        pytest.param("1x3:torch.bfloat16", InputSpec((1, 3), "bfloat16"), id="torch-dtype"),
    ],
)
def test_inputs(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec
    assert parse_input(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "has no shape", id="empty"),
        pytest.param("x=", "has no shape", id="keyword-without-shape"),
        pytest.param("1x-3x32x32", "size -3 is not positive", id="negative"),
        pytest.param("1x0x32x32", "size 0 is not positive", id="zero"),
        pytest.param("1x3x", "'' is not a size", id="trailing-x"),
        pytest.param("1,3,32,32", "'1,3,32,32' is not a size", id="commas"),
        pytest.param("1x3.5", "'3.5' is not a size", id="fraction"),
        pytest.param("1x٣", "'٣' is not a size", id="digits-of-another-script"),
        pytest.param("image", "'image' is not a size", id="word"),
        pytest.param("1x3:", "ends in a colon", id="no-dtype"),
        pytest.param("1x3:int63", "there is no dtype 'int63'. Known: float32", id="unknown-dtype"),
        pytest.param("a-b=1x3", "'a-b' is not the name of an argument", id="bad-keyword"),
    ],
)
def test_input_errors(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_input(text)


def test_inputs_keep_their_order_and_keywords_are_unique() -> None:
    assert parse_inputs(["1x3", "2x4", "m=5"]) == (InputSpec((1, 3)), InputSpec((2, 4)), InputSpec((5,), None, "m"))
    with pytest.raises(UsageError, match="--input m= is given twice"):
        parse_inputs(["m=5", "m=6"])


def test_a_shape_alone() -> None:
    assert parse_shape("1x16x32x32") == (1, 16, 32, 32)


def test_every_dtype_is_one_of_torch() -> None:
    import torch

    for name in DTYPES:
        assert str(getattr(torch, name)) == f"torch.{name}"
        assert dtype_name(name) == name


@pytest.mark.parametrize("name", ["int64", "bool", "complex64"])
def test_parameters_are_floating_point(name: str) -> None:
    with pytest.raises(UsageError, match=f"parameters cannot be converted to {name}"):
        parameter_dtype(name)
