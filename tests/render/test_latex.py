"""LaTeX tables: their numbers, their markup, and that TeX takes them where it is installed."""

import re
import shutil
import subprocess

import pytest

from cnninspect.checks import check_formulas
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


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs TeX")
def test_tex_takes_it(tmp_path):
    tables = "\n\n".join(text for name, text in SAMPLES.items()).encode("ascii", "ignore").decode()
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs, siunitx, amssymb}\n"
        f"\\begin{{document}}\n{tables}\n\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if re.search(r"File `(siunitx|booktabs)\.sty' not found", done.stdout):
        pytest.skip("this TeX has no siunitx or booktabs")
    assert done.returncode == 0, done.stdout[-2000:]
