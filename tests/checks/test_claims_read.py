"""Claims files: four formats, the same claims; and what is wrong with a file, said with its name and line."""

import builtins

import pytest

from cnninspect.claims.read import read_claims
from cnninspect.errors import UsageError
from cnninspect.report.rows import RowId

CSV = 'layer,call,kind,output_shape,params\nconv1,,Conv2d,16x32x32,"1,024"\ntotal,,,,3*4\n'
MARKDOWN = """# Our network

We found (| is no table):

| Layer     | Call | Kind     | Output shape   | Params  |
|-----------|:----:|----------|----------------|--------:|
| `conv1`   |      | Conv2d   | 16x32x32       | 1,024   |
| **total** |      |          |                | **3*4** |

| another | table |
|---------|-------|
"""
JSON = (
    '[{"layer": "conv1", "call": null, "kind": "Conv2d", "output_shape": [16, 32, 32], "params": 1024},'
    ' {"layer": "total", "params": "3*4"}]'
)
YAML = """- {layer: conv1, kind: Conv2d, output_shape: 16x32x32, params: 1024}
- layer: total
  params: 3*4
"""
FILES = [
    ("claims.csv", CSV),
    ("claims.md", MARKDOWN),
    ("claims.json", JSON),
    ("claims.yaml", YAML),
    ("claims.yml", YAML),
]


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


TOTAL = None
"""The row of a claim about the totals."""


def summary(claims):
    return [(claim.row, {name: cell.value for name, cell in claim.cells.items()}) for claim in claims]


@pytest.mark.parametrize(("name", "text"), FILES, ids=[name for name, _ in FILES])
def test_the_same_claims_in_every_format(name, text, tmp_path):
    assert summary(read_claims(written(tmp_path, name, text))) == [
        (RowId("conv1", "Conv2d"), {"kind": "Conv2d", "output_shape": ((16, 32, 32),), "params": 1024}),
        (TOTAL, {"params": 12}),
    ]


def test_a_byte_order_mark_and_blank_lines_do_not_matter(tmp_path):
    claims = read_claims(written(tmp_path, "claims.csv", "\ufefflayer,params\n\nconv1,3\n,\n"))
    assert summary(claims) == [(RowId("conv1", ""), {"params": 3})]


CELLS = [
    # id, column, text, value
    ("map", "output_shape", "16x32x32", ((16, 32, 32),)),
    ("map with a batch", "output_shape", "1 x 16 x 32 x 32", ((1, 16, 32, 32),)),
    ("brackets", "output_shape", "(16, 32, 32)", ((16, 32, 32),)),
    ("brackets of one", "output_shape", "[10,]", ((10,),)),
    ("times signs", "output_shape", "16×32×32", ((16, 32, 32),)),
    ("capital times signs", "output_shape", "16X32X32", ((16, 32, 32),)),
    ("vector", "output_shape", "3,072", ((3072,),)),
    ("arithmetic", "output_shape", "192*3*3", ((1728,),)),
    ("arithmetic in a map", "output_shape", "2*8x(32/2)x16", ((16, 16, 16),)),
    ("several outputs", "output_shape", "16x8x8; 16x4x4", ((16, 8, 8), (16, 4, 4))),
    ("field", "receptive_field", "195", (195,)),
    ("field per axis", "receptive_field", "31x91", (31, 91)),
    ("field as a tuple", "receptive_field", "(31, 91)", (31, 91)),
    ("field with a range", "receptive_field", "188..204", ((188, 204),)),
    ("global field", "receptive_field", "Global", "global"),
    ("kind in a module", "kind", "nn.Conv2d", "Conv2d"),
    ("kind in full", "kind", "torch.nn.Conv2d", "Conv2d"),
    ("kind of a function", "kind", "torch.flatten", "torch.flatten"),
    ("fraction", "macs", "7/2", 3.5),
]


@pytest.mark.parametrize(("column", "text", "value"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS])
def test_a_cell(column, text, value, tmp_path):
    file = written(tmp_path, "claims.csv", f'layer,{column}\nconv1,"{text}"\n')
    assert read_claims(file)[0].cells[column].value == value


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_heading_that_a_spreadsheet_broke_in_two(end, tmp_path):
    file = tmp_path / "claims.csv"
    file.write_bytes(f'layer,"Output{end}shape"{end}conv1,16x8x8{end}conv2,{end}'.encode())
    assert summary(read_claims(str(file))) == [
        (RowId("conv1", ""), {"output_shape": ((16, 8, 8),)}),
        (RowId("conv2", ""), {}),
    ]


def test_what_is_no_utf_8_is_said_to_be_none(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_bytes("layer,params\nschön,3\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_claims(str(file))


@pytest.mark.parametrize("name", ["total", "Total", "TOTAL"])
def test_the_total_in_any_case(name, tmp_path):
    assert summary(read_claims(written(tmp_path, "claims.csv", f"layer,params\n{name},3\n"))) == [
        (TOTAL, {"params": 3})
    ]


CALLS = [
    # id, rows, calls that they are about
    ("a layer in rows of its own", "pool,\npool,\npool,", [0, 1, 2]),
    ("from a call on", "pool,2\npool,", [2, 3]),
    ("two layers", "a,\nb,\na,", [0, 0, 1]),
    ("totals are not numbered", "total,\ntotal,", [TOTAL, TOTAL]),
]


@pytest.mark.parametrize(("rows", "calls"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_rows_without_a_call_are_about_the_next_use(rows, calls, tmp_path):
    claims = read_claims(written(tmp_path, "claims.csv", f"layer,call\n{rows}\n"))
    assert [claim.row and claim.row.call for claim in claims] == calls


def test_functions_are_numbered_by_kind(tmp_path):
    text = "layer,kind\n,F.conv2d\n,F.relu\n,F.conv2d\nblock,F.relu\nblock,F.relu\n"
    claims = read_claims(written(tmp_path, "claims.csv", text))
    assert [claim.row.call for claim in claims] == [0, 0, 1, 0, 1]


REFUSED = [
    # id, file, text, part of the message
    ("ending", "claims.txt", CSV, "claims are read from .csv, .md, .json, .yaml, .yml files"),
    ("column", "claims.csv", "layer,parms\nconv1,3\n", "line 1: no column is called 'parms'. Nearest: params."),
    ("far column", "claims.csv", "layer,zzz\nconv1,3\n", "Columns: layer, call, kind, input_shape, kernel"),
    ("column twice", "claims.csv", "layer,params,params\nconv1,3,4\n", "'params' occurs twice"),
    ("key twice", "claims.json", '[{"layer": "a", "layer": "b"}]', "'layer' occurs twice"),
    ("key twice in YAML", "claims.yaml", "- layer: a\n  params: 1\n  params: 2\n", "'params' occurs twice"),
    ("key of an entry", "claims.yaml", "- layer: a\n- {layer: b, parms: 2}\n", "entry 2: no column is called 'parms'"),
    ("semicolons", "claims.csv", "layer;params\nconv1;3\n", "separated by ';'. Separate them by commas."),
    ("tabs", "claims.csv", "layer\tparams\nconv1\t3\n", r"separated by '\t'. Separate them by commas."),
    ("a bar too many", "claims.md", "| layer |\n|---|\n| a|b |\n", r"A bar within a cell is written \|."),
    (
        "commas",
        "claims.csv",
        "layer,params\nconv1,1,024\n",
        "line 2: the header has 2 cells, this row 3. A number with commas needs quotes.",
    ),
    ("short row", "claims.csv", "layer,params\nconv1\n", "line 2: the header has 2 cells, this row 1."),
    ("open quote", "claims.csv", 'layer,params\nconv1,"3\n', "line 2: unexpected end of data. Close every quote"),
    ("endless cell", "claims.csv", f"layer,{'x' * 200_000}\n", "line 1: field larger than field limit"),
    ("nested", "claims.json", "[" * 100_000, "it is nested too deeply. Write a list with one object for each layer"),
    ("no layer", "claims.csv", "layer,params\n,3\n", "line 2: it names no layer."),
    ("no rows", "claims.csv", "layer,params\n", "claims nothing"),
    ("empty", "claims.csv", "", "it is empty"),
    (
        "arithmetic",
        "claims.csv",
        "layer,params\nconv1,3*\n",
        "line 2: cannot understand params '3*': a number is missing",
    ),
    ("shape", "claims.csv", "layer,output_shape\nconv1,16x\n", "cannot understand output_shape '16x'"),
    ("half a size", "claims.csv", "layer,output_shape\nconv1,16x7/2\n", "7/2 is not a size"),
    ("call", "claims.csv", "layer,call\nconv1,first\n", "call 'first' is not a number"),
    ("shape of a total", "claims.csv", "layer,output_shape\ntotal,10\n", "a total has no output_shape"),
    ("no table", "claims.md", "conv1 has 3 parameters\n", "it contains no table"),
    ("no JSON", "claims.json", "[{]", "claims.json: it is not JSON: Expecting property name"),
    ("no list", "claims.json", '{"layer": "conv1"}', "one object for each layer"),
    ("truth", "claims.json", '[{"layer": "a", "params": true}]', "True claims nothing that can be checked"),
    ("no YAML", "claims.yaml", "- {layer: [", "while parsing"),
]


@pytest.mark.parametrize(("name", "text", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused(name, text, message, tmp_path):
    file = written(tmp_path, name, text)
    with pytest.raises(UsageError) as caught:
        read_claims(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.csv: no such file"):
        read_claims(str(tmp_path / "none.csv"))


def test_yaml_without_its_package(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without_yaml(name, *args, **kwargs):
        if name == "yaml":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    with pytest.raises(UsageError, match="reading YAML needs PyYAML: python -m pip install PyYAML"):
        read_claims(written(tmp_path, "claims.yaml", YAML))


def test_a_module_called_total_is_named_with_its_kind(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("layer,kind,output_shape,params\ntotal,Linear,10,20\ntotal,,,30\n")
    module, total = read_claims(str(file))
    assert (module.row.path, module.row.kind) == ("total", "Linear")
    assert (total.row, total.cells["params"].value) == (None, 30)
