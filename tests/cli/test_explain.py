"""`cnninspect explain`: what it prints in every format, and what goes wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest


def test_a_layer_as_a_teacher_writes_it(cli):
    result = cli("explain", "custom-alexnet", "conv1")
    assert result.code == 0
    text = " ".join(result.out.split())
    # torch.nn.Conv2d: floor((224 + 2*2 - 1*(11-1) - 1)/4) + 1 = floor(54.25) + 1; section 5: 3*11^2*64 + 64 = 23,296.
    for said in (
        "Hout = Wout = floor((H + 2*p - d*(k - 1) - 1)/s) + 1",
        "= floor((224 + 2*2 - 1*(11 - 1) - 1)/4) + 1 = floor(54.25) + 1 = 55 ✓ measured by hooks",
        "params = Cout*Cin*k^2 + Cout = 64*3*11^2 + 64 = 23,296 ✓ measured by storage (weight 23,232 + bias 64)",
        "MACs = N*Cout*Hout*Wout*Cin*k^2 = 1*64*55*55*3*11^2 = 70,276,800 ✓ measured by torch",
        "r = rin + (k - 1)*d*jin = 1 + (11 - 1)*1*1 = 11, jump j = jin*s = 1*4 = 4",
        "s = 4 (stride)",
        "Dumoulin & Visin 2016",
    ):
        assert said in text


def test_a_network_ends_with_its_sums(cli):
    result = cli("explain", "custom-alexnet")
    text = " ".join(result.out.split())
    assert "params = 23,296 + 313,796 + 677,760 + 884,992 + 590,080 + 37,752,832 + 4,195,328 + 1,025,000" in text
    assert "= 45,463,084" in text
    # Five convolutions and three pools: (k - 1)*d*j each.
    assert "r = 1 + (11 - 1)*1*1 + (3 - 1)*1*4 + (5 - 1)*1*8 + (3 - 1)*1*8" in text


def test_each_layer_that_is_named_is_shown_in_full(cli):
    """A container's name stands for many rows, which are short unless --level says else."""
    two = cli("explain", "lenet5", "c1", "f6").out
    assert two.count("  source ") == 2
    assert "Cin = 1 (in channels)" in two
    assert "Fin = 120 (in features)" in two
    assert "  source " not in cli("explain", "resnet32", "stage1.0").out
    mixed = cli("explain", "resnet32", "stage1.0", "stem").out
    assert mixed.count("  source ") == 1
    assert "  source " not in cli("explain", "lenet5", "c1", "f6", "--level", "short").out


def test_the_symbols_of_ratios_are_defined(cli):
    document = json.loads(cli("explain", "lenet5", "c1", "--against", "c3", "--format", "json").out)
    against = document["against"]
    # C1: 1 to 6 channels on 28x28; C3: 6 to 16 on 10x10; both kernels 5x5.
    assert against["names"] == {
        "Cout": {"value": 6, "meaning": "Cout of c1"},
        "k": {"value": 5, "meaning": "k of c1, c3"},
        "Hout": {"value": 28, "meaning": "Hout of c1"},
        "Cin": {"value": 6, "meaning": "Cin of c3"},
        "Cout2": {"value": 16, "meaning": "Cout of c3"},
        "Hout2": {"value": 10, "meaning": "Hout of c3"},
    }
    values = {name: each["value"] for name, each in against["names"].items()}
    for ratio in against["ratios"]:
        if "symbolic" in ratio:
            first, second = ratio["values"]
            assert eval(ratio["symbolic"], {}, values) == pytest.approx(second / first)
    text = " ".join(cli("explain", "lenet5", "c1", "--against", "c3").out.split())
    assert "Hout = 28 (Hout of c1)" in text
    assert "Hout2 = 10 (Hout of c3)" in text


RECURRENT = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 16)
        self.mha = nn.MultiheadAttention(16, 4)

    def forward(self, x):
        x = self.lstm(x)[0]
        return self.mha(x, x, x)[0]
"""


def test_many_kinds_of_parameters_have_symbols_in_the_short_form_too(cli, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(RECURRENT)
    text = " ".join(cli("explain", f"{file}:Net", "--input", "10x2x8").out.split())
    # Four gates of 16 units, each with weights for 8 inputs and 16 states and with two biases.
    assert "params = 4*Hs*I + 4*Hs^2 + 4*Hs + 4*Hs = 512 + 1,024 + 64 + 64 = 1,664" in text
    # Queries, keys and values, and the output: 4 of 16*16 weights and 16 biases.
    assert "params = 3*E^2 + 3*E + E^2 + E = 768 + 48 + 256 + 16 = 1,088" in text
    assert "layers = 1 " in text
    assert "layers = layers" not in text


def headings(out):
    """The first words of the blocks, which stand at the left."""
    return [line.split("  ")[0] for line in out.splitlines()[1:] if line and not line.startswith(" ")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--filter", "c?"], ["c1", "c3", "c5", "total"]),
        # 240,000, 117,600, 48,000, 10,080 and 840 MACs.
        (["--filter", "*[13568tl]", "--sort", "macs", "--ops", "none"], ["c3", "c1", "c5", "f6", "output", "total"]),
        (["--columns", "params"], ["c1", "c3", "c5", "f6", "output", "total"]),
        (["--depth", "0"], ["(LeNet5)", "total"]),
        (["--ops", "none"], ["c1", "s2", "c3", "s4", "c5", "f6", "output", "total"]),
        (["--only-differences"], ["total"]),
        (["c1", "s2", "c3", "--filter", "c*"], ["c1", "c3"]),
    ],
)
def test_the_options_of_tables_choose_layers(cli, arguments, expected):
    assert headings(cli("explain", "lenet5", *arguments).out) == expected


def test_totals_do_not_depend_on_what_is_shown(cli):
    whole = cli("explain", "resnet32").out.partition("\ntotal\n")[2]
    for arguments in (["--filter", "fc"], ["--depth", "1"], ["--sort", "params"]):
        assert cli("explain", "resnet32", *arguments).out.partition("\ntotal\n")[2] == whole
    assert "r " in whole


def test_columns_choose_numbers_and_json_has_all(cli):
    text = cli("explain", "lenet5", "c1", "--columns", "params,receptive_field").out
    labels = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert labels == ["with", "params", "r", "source"]
    document = json.loads(cli("explain", "lenet5", "c1", "--columns", "params", "--format", "json").out)
    assert {each["quantity"] for each in document["layers"][0]["derivations"]} > {"params", "macs"}
    unknown = cli("explain", "lenet5", "--columns", "kind")
    assert (unknown.code, "there is no column 'kind'" in unknown.err) == (2, True)


@pytest.mark.parametrize("option", ["--fold", "--containers"])
def test_options_that_mean_nothing_here_are_refused(cli, option):
    result = cli("explain", "lenet5", option)
    assert (result.code, "--depth and --filter show less" in result.err) == (2, True)


def test_a_configuration_may_have_them(cli, tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.cnninspect]\nfold = true\ncontainers = true\n")
    monkeypatch.chdir(tmp_path)
    assert cli("explain", "lenet5", "c1").code == 0


def test_symbols_are_not_torn_from_their_values(cli):
    lines = cli("explain", "custom-alexnet", "conv1").out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("  with"))
    terms = [line[16:] for line in lines[start : start + 4]]
    assert all(line.startswith(("Cin = ", "s = ", "H = ", "W = ", "p = ", "rin = ", "jin = ")) for line in terms[:2])
    assert all(line.endswith(("),", ")")) for line in terms[:2])


def test_json_is_the_contracts(cli):
    result = cli("explain", "custom-alexnet", "conv2", "--format", "json")
    document = json.loads(result.out)
    assert (document["schema_version"], document["command"]) == (2, "explain")
    (layer,) = document["layers"]
    assert (layer["path"], layer["call"], layer["kind"]) == ("conv2", 0, "Conv2d")
    found = {(each["quantity"], each.get("axis")): each for each in layer["derivations"]}
    assert [axis for quantity, axis in found if quantity == "output_shape"] == [0, 1, 2, 3]
    assert found["params", None]["value"] == 313_796
    assert found["params", None]["measured"] == {"storage": 313_796}
    assert found["params", None]["verdict"] == "match"
    assert {"quantity", "symbolic", "substituted", "value", "measured", "verdict", "source"} <= found[
        "macs", None
    ].keys()
    assert {quantity for quantity, _ in found} == {
        "output_shape", "params", "macs", "neurons", "flops", "receptive_field", "memory",
    }  # fmt: skip


@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    from cnninspect.render import render
    from cnninspect.render.page import Screen
    from tests.explain.test_explanation import known

    for target in ("custom-alexnet", "resnet18"):
        text = render(known(target)[0], screen=Screen(width=width))
        assert max(map(len, text.splitlines())) <= width


def test_markdown_holds_latex(cli):
    out = cli("explain", "custom-alexnet", "conv1", "--format", "markdown").out
    assert r"\left\lfloor \frac{224 + 2 \cdot 2 - 1 \cdot \left(11 - 1\right) - 1}{4} \right\rfloor + 1" in out
    assert out.count("$$") % 2 == 0


def balanced(text: str) -> bool:
    """Whether braces and environments close."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    begun, ended = (re.findall(rf"\\{word}{{(\w+\*?)}}", text) for word in ("begin", "end"))
    return depth == 0 and sorted(begun) == sorted(ended)


def test_latex_is_a_whole_document(cli, tmp_path):
    file = tmp_path / "resnet.tex"
    assert cli("explain", "resnet18", "layer1.0", "-o", str(file)).code == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith(r"\documentclass")
    assert text.rstrip().endswith(r"\end{document}")
    assert balanced(text)
    assert not re.search(r"(?<!\\)_(?![{a-z])", text)


class Reader(HTMLParser):
    """Which elements stand open, and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_long_sums_of_latex_go_on_below_themselves():
    """Of 21 layers with parameters: in a total, and as a factor in the bytes of activations."""
    from cnninspect.render import render
    from tests.explain.test_explanation import known

    text = render(known("resnet18")[0], "latex")
    equations = re.findall(r"\\begin{align\*}\n(.*?)\n\\end{align\*}", text, re.DOTALL)
    assert any(r"\bigl(" in equation for equation in equations)
    assert max(line.count(" + ") for equation in equations for line in equation.splitlines()) <= 6


def test_html_is_one_page_without_network(cli):
    reader = Reader()
    reader.feed(cli("explain", "custom-alexnet", "--format", "html").out)
    assert (reader.open, reader.loaded) == ([], [])
    assert {"math", "mfrac", "msup"} <= reader.seen
    assert "script" not in reader.seen


def test_an_unknown_layer_names_the_nearest(cli):
    result = cli("explain", "custom-alexnet", "conv9")
    assert result.code == 2
    assert "no layer is called 'conv9'. Nearest: conv1, conv2, conv3." in result.err


@pytest.mark.parametrize(
    ("name", "nearest"), [("conv1", "c1, c3, c5"), ("F6", "f6"), ("Pool", "s2, s4"), ("layer9.zzz", "c1, c3, c5")]
)
def test_a_name_of_another_kind_of_network_names_layers_of_that_kind(name, nearest):
    """LeNet-5 calls its layers c1, s2, c3, s4, c5, f6, output, as the paper does."""
    from cnninspect.errors import UsageError
    from tests.explain.test_explanation import explain

    with pytest.raises(UsageError) as caught:
        explain("lenet5", name)
    assert str(caught.value) == f"no layer is called {name!r}. Nearest: {nearest}."


@pytest.mark.parametrize("fmt", ["csv", "github", "junit"])
def test_a_format_without_derivations_is_refused(cli, fmt):
    result = cli("explain", "custom-alexnet", "--format", fmt)
    assert result.code == 2
    assert "cannot hold derivations. Use table, json, markdown, latex or html." in result.err


NET = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, bias=False)
        nn.init.constant_(self.conv.weight, 0.25)
        self.up = nn.ConvTranspose2d(1, 1, 3, bias=False)
        self.head = nn.Linear(4, 4)

    def forward(self, x):
        return self.head(self.up(self.conv(x)))
"""


def test_the_command_line_writes_them(cli, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(NET)
    target = [f"{file}:Tiny", "--input", "1x1x4x4", "--matrix"]
    text = cli("explain", *target, "conv", "up").out
    assert "w0,0 w0,1 w0,2    . w1,0 w1,1 w1,2" in text
    assert "y = C^T x, the transpose of the matrix of a convolution: 16 x 4, 36 of 64 places are not 0" in " ".join(
        text.split()
    )
    numbers = cli("explain", *target, "conv", "--numbers", "--device", "cpu").out
    assert "0.25 0.25 0.25    . 0.25" in numbers
    for fmt, cell in (("latex", "w_{2,2}"), ("markdown", "w_{2,2}"), ("html", "<td>w2,2</td>"), ("json", '"w2,2"')):
        assert cell in cli("explain", *target, "conv", "--format", fmt).out
    refused = cli("explain", *target, "head")
    assert (refused.code, "none of the layers is a convolution" in refused.err) == (2, True)
    assert "Name one: conv, up." in refused.err
    small = cli("explain", "small-fcnn", "--matrix")
    assert (small.code, "The network has none: leave --matrix out." in small.err) == (2, True)
    without = cli("explain", *target, "conv", "--numbers")
    assert (without.code, "meta has none" in without.err) == (2, True)


def test_against_another_network(cli):
    result = cli("explain", "conv-regular", "--against", "conv-separable")
    assert result.code == 0
    # Section 10 of the worked examples: 1/N + 1/Dk^2 with N = 512, Dk = 3.
    text = " ".join(result.out.split())
    assert "MACs = 52,283,392/462,422,016 = 1/Cout + 1/k^2 = 1/512 + 1/3^2 = 521/4608 (0.1131)" in text


def test_against_a_layer_of_the_same_network(cli):
    result = cli("explain", "lenet5", "c1", "--against", "c3", "--format", "json")
    found = json.loads(result.out)["against"]
    assert [layer["path"] for layer in found["layers"]] == ["c3"]
    params = next(each for each in found["ratios"] if each["quantity"] == "params")
    # 5*5*1*6 + 6 and 5*5*6*16 + 16.
    assert (params["values"], params["value"]) == ([156, 2416], "604/39")


def test_against_a_layer_of_another_network(cli):
    result = cli("explain", "lenet5", "c1", "--against", "nethw conv_1", "--format", "markdown")
    assert result.code == 0
    assert "## against nethw" in result.out


SHEET = """layer,height,params,receptive_field
conv1,(224+2*2-11)/4 + 1 = 55,3*11*64 + 64,11
conv2,,64*5^2*196 + 196 = 313796,19 + (5-1)*8 = 51
total,,45463084,
"""


@pytest.fixture
def sheet(tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text(SHEET)
    return str(file)


def test_a_sheet_is_corrected(cli, sheet):
    """Section 5 of the worked examples, with two slips: the floor is left out, and the kernel's area."""
    result = cli("explain", "custom-alexnet", "--claims", sheet)
    text = " ".join(result.out.split())
    assert result.code == 1
    for said in (
        "6 cells: 2 wrong, 4 right",
        "height (224+2*2-11)/4 + 1 = 55 ✗ (224+2*2-11)/4 + 1 is 55.25: the size is rounded down, and floor is left out",
        "Hout = floor((H + 2*p - d*(k - 1) - 1)/s) + 1 = floor((224 + 2*2 - 1*(11 - 1) - 1)/4) + 1 = floor(54.25) + 1",
        "params 3*11*64 + 64 ✗ one side of the kernel is counted, not its area",
        "params = Cout*Cin*k^2 + Cout = 64*3*11^2 + 64 = 23,296",
        "receptive field 19 + (5-1)*8 = 51 ✓",
        "total params 45463084 ✓",
    ):  # fmt: skip
        assert said in text


def test_a_sheet_in_json(cli, sheet):
    document = json.loads(cli("explain", "custom-alexnet", "--claims", sheet, "--format", "json").out)
    assert (document["layers"], document["totals"], document["verdict"]) == ([], [], "differ")
    cells = {(cell["path"], cell["name"]): cell for cell in document["sheet"]}
    wrong = cells["conv1", "params"]
    assert (wrong["written"], wrong["expected"], wrong["found"]) == ("3*11*64 + 64", 2176, 23296)
    assert [each["substituted"] for each in wrong["derivations"]] == ["64*3*11**2 + 64"]
    assert cells["conv2", "params"]["derivations"] == []


@pytest.mark.parametrize(
    ("fmt", "said"),
    [
        ("markdown", "- params: `3*11*64 + 64`: wrong; one side of the kernel is counted, not its area"),
        ("latex", r"params: \texttt{3$*$11$*$64 + 64}: wrong; one side of the kernel is counted, not its area"),
        ("html", '<code>3*11*64 + 64</code> <b class="differ">✗</b> one side of the kernel is counted, not its area'),
    ],
)
def test_a_sheet_in_other_formats(cli, sheet, fmt, said):
    result = cli("explain", "custom-alexnet", "--claims", sheet, "--format", fmt)
    assert result.code == 1
    assert said in result.out


def test_a_right_sheet_passes_and_stands_alone(cli, tmp_path, sheet):
    right = tmp_path / "right.csv"
    right.write_text("layer,params\nconv1,3*11^2*64 + 64\n")
    assert cli("explain", "custom-alexnet", "--claims", str(right)).code == 0
    refused = cli("explain", "custom-alexnet", "conv1", "--claims", sheet)
    assert (refused.code, "Leave out LAYER" in refused.err) == (2, True)


def test_a_sheet_about_a_layer_that_is_not_there(cli, tmp_path):
    file = tmp_path / "sheet.csv"
    file.write_text("layer,params\nconv9,5\n")
    result = cli("explain", "custom-alexnet", "--claims", str(file))
    assert result.code == 1
    assert "\n1 cell: 1 wrong\n" in result.out
    assert "no layer is called 'conv9'. Nearest: conv" in result.out


@pytest.mark.parametrize("command", ["explain", "compare"])
def test_a_sheet_about_a_layer_of_another_network(cli, tmp_path, command):
    """LeNet-5 calls its convolutions c1, c3 and c5."""
    file = tmp_path / "sheet.csv"
    file.write_text("layer,params\nconv1,5\n")
    result = cli(command, "lenet5", "--claims", str(file))
    assert (result.code, "no layer is called 'conv1'. Nearest: c1, c3, c5" in result.out) == (1, True)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX is at hand")
@pytest.mark.parametrize("arguments", [["resnet18"], ["conv-stack", "--input", "1x1x4x4", "--matrix"], ["sheet"]])
def test_latex_compiles(cli, sheet, tmp_path, arguments):
    """Without errors, and with no line that runs into the margin."""
    arguments = ["custom-alexnet", "--claims", sheet] if arguments == ["sheet"] else arguments
    assert cli("explain", *arguments, "-o", str(tmp_path / "net.tex")).code in (0, 1)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "net.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert run.returncode == 0, run.stdout[-1000:]
    assert (tmp_path / "net.pdf").exists()
    assert "Overfull" not in run.stdout


def test_totals_without_a_number(cli, tmp_path):
    (tmp_path / "packed.py").write_text(
        "import torch, warnings\nfrom torch import nn\n\n\ndef net():\n"
        "    with warnings.catch_warnings():\n        warnings.simplefilter('ignore')\n"
        "        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear})\n"
    )
    result = cli("explain", f"{tmp_path}/packed.py:net", "--input", "1x8")
    assert result.code == 0
    assert "quantised layers pack their weights" in " ".join(result.out.split())
