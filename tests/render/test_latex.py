"""LaTeX tables: their numbers, their markup, and that TeX takes them where it is installed."""

import re
import shutil
import subprocess

import pytest

from cnninspect import inspect_model
from cnninspect.checks import check_budgets, check_formulas, parse_budget, with_checks
from cnninspect.checks.differences import compare_models
from cnninspect.inspection.accounts.work import Conventions, Traffic
from cnninspect.render import render
from cnninspect.render.latex import escaped
from cnninspect.report.selection import View
from tests.render.samples import doubtful, tiny

SAMPLES = {
    "summary": render(tiny(), "latex"),
    "chosen": render(tiny(), "latex", view=View(columns=("layer", "params", "macs", "verdict"), depth=1)),
    "bounds": render(doubtful(command="flops"), "latex"),
    "findings": render(check_formulas(doubtful()), "latex"),
}


def rows(text):
    return [
        [cell.strip() for cell in line.removesuffix(" \\\\").split(" & ")]
        for line in text.splitlines()
        if " & " in line
    ]


def test_chosen_columns_and_the_totals():
    """tiny: 224 + 592 + 1290 = 2106 params, 13824 + 36864 + 1280 = 51968 MACs."""
    title, *lines, total = rows(SAMPLES["chosen"])
    assert title == ["layer", "{params}", "{MACs}", "verdict"]
    assert [line[:3] for line in lines if line[0] != "$\\cdot$"] == [
        ["stem", "224", "13824"], ["block", "592", "36864"], ["fc", "1290", "1280"],
    ]  # fmt: skip
    assert total == ["total", "2106", "51968", ""]


def test_a_bound_is_none_of_the_numbers_of_siunitx():
    assert rows(SAMPLES["bounds"])[-1][3] == "{$\\geq$16036}"


@pytest.mark.parametrize("sample", SAMPLES)
def test_columns_of_numbers_are_as_wide_as_their_numbers(sample):
    spec = re.search(r"\\begin\{tabular\}\{(.*)\}$", SAMPLES[sample], re.MULTILINE)[1]
    columns = re.findall(r"S\[table-format=(\d+)(?:\.\d)?\]|l|r", spec)
    for line in rows(SAMPLES[sample]):
        assert len(line) == len(columns)
        digits = [len(cell.partition(".")[0]) if re.fullmatch(r"[\d.]+", cell) else 0 for cell in line]
        assert all(not width or count <= int(width) for width, count in zip(columns, digits, strict=True))


def test_special_characters():
    assert escaped(r"a_b\{50%} <1> & ~x^2 #$") == (
        r"a\_b\textbackslash{}\{50\%\} \textless{}1\textgreater{} \& \textasciitilde{}x\textasciicircum{}2 \#\$"
    )


def tables():
    """Of a network: summary, work, checks that fail, and a comparison with another."""
    lenet, cnn = (inspect_model(name) for name in ("lenet5", "small-cnn"))
    yield render(lenet, "latex")
    yield render(inspect_model("lenet5", command="flops", accounts=[Conventions(), Traffic()]), "latex")
    yield render(with_checks(lenet, check_budgets(lenet, [parse_budget("max_layer_share", "10%")])), "latex")
    yield render(compare_models(lenet, cnn), "latex")


def test_totals_stand_below_the_columns_of_each_network_and_fit_them():
    """small-cnn: 3*3*3*32 + 3*3*32*64 + 3*3*64*3 = 21,024 params without biases; its MACs have 7 digits, lenet5's 6."""
    *_, compared = tables()
    assert rows(compared)[-1][:6] == ["total", "61706", "416520", "", "21024", "5713920"]
    assert "S[table-format=5]S[table-format=6]lS[table-format=5]S[table-format=7]" in compared


def test_a_shape_has_signs_of_multiplication():
    assert rows(next(tables()))[1][2] == r"$6\times 28\times 28$"


def lacking():
    """What is missing here for TeX to read the tables; empty if nothing is."""
    if shutil.which("pdflatex") is None:
        return "no pdflatex"
    files = ("booktabs.sty", "siunitx.sty", "amssymb.sty")
    found = subprocess.run(["kpsewhich", *files], capture_output=True, text=True, check=False).stdout
    return ", ".join(f"TeX has no {name}" for name in files if name not in found)


@pytest.mark.skipif(bool(lacking()), reason=lacking())
def test_tex_takes_it(tmp_path):
    """TeX stops at no error, and no cell is wider than the column that is made for it. Its fonts have no Chinese."""
    everything = "\n\n".join([*(text.encode("ascii", "ignore").decode() for text in SAMPLES.values()), *tables()])
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage[paperwidth=80cm,paperheight=80cm,margin=1cm]{geometry}\n"
        "\\usepackage{booktabs, siunitx, amssymb}\n"
        f"\\begin{{document}}\n{everything}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
