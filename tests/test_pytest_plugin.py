"""The pytest plugin, in runs of pytest of their own on tests written for it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnninspect.testing import Snapshots, current, pytest_plugin

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
"""

TESTS = """
import pytest
from cnninspect import inspect_model
from nets import Net

@pytest.fixture(scope="module")
def report(cnninspect):
    return cnninspect(Net(WIDTH), (1, 3, 8, 8))

def test_formulas(report):
    report.assert_matches_formulas()

def test_budgets(report):
    # 3*3*3*8 + 8 = 224 and 8*10 + 10 = 90 parameters; 8*8 * 8 * 27 + 80 = 13904 MACs
    report.assert_within(max_params=314, max_macs="13.904K", min_rf=3)

def test_baseline(report):
    report.assert_matches_baseline("net")

def test_baseline_without_the_fixture():
    inspect_model(Net(WIDTH), (1, 3, 8, 8)).assert_matches_baseline("net", tolerance="params=5%")
"""


def run(folder, *arguments):
    """pytest in the folder, with this plugin and no other."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder)]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}
    environ["PYTHONPATH"] = os.pathsep.join([os.getcwd(), str(folder)])
    options = ["-p", "cnninspect.testing.pytest_plugin", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, cwd=folder, env=environ, encoding="utf-8"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder `tests` with the tests, and above it the network."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tests").mkdir()
    (folder / "nets.py").write_text(NET)
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """What pytest says while it writes the baselines, then for the same network, and for a wider one."""

    def stage(width, *arguments, baseline="net"):
        text = TESTS.replace("WIDTH", str(width)).replace('"net", tolerance', f'"{baseline}", tolerance')
        (folder / "tests" / "test_net.py").write_text(text)
        return run(folder, "tests", *arguments).stdout

    return {
        "update": stage(8, "--update-cnninspect-baselines"),
        "same": stage(8, baseline="another"),
        "wider": stage(9),
    }


def outcomes(output):
    """`{"passed": 2, "failed": 1}` of pytest's last line."""
    return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", output.splitlines()[-1])}


def test_baselines_are_written_beside_the_tests(runs, folder):
    assert outcomes(runs["update"]) == {"passed": 4}
    assert "cnninspect: baselines are written, not compared" in runs["update"]
    assert [file.name for file in (folder / "tests" / "baselines").iterdir()] == ["net.json"]


def test_the_same_network_passes_and_a_missing_baseline_says_how_to_write_it(runs):
    assert outcomes(runs["same"]) == {"passed": 3, "failed": 1}
    assert "baselines are written" not in runs["same"]
    assert f"there is no baseline {os.path.join('tests', 'baselines', 'another.json')}. `pytest --upd" in runs["same"]


# 3*3*3*9 + 9 = 252 and 9*10 + 10 = 100 parameters; line 7 is `self.conv =`, line 4 the class.
@pytest.mark.parametrize(
    "finding",
    [
        "conv (Conv2d), params: baseline 224, found 252 (out_channels 8 -> 9; over the tolerance of 5%) [nets.py:7]",
        "conv (Conv2d), params: baseline 224, found 252 (out_channels 8 -> 9) [nets.py:7]",
        "total, params: budget 314, found 352 (over the budget) [nets.py:4]",
    ],
    ids=["tolerance", "baseline", "budget"],
)
def test_a_change_fails_with_layer_expected_found_and_line(runs, finding):
    assert outcomes(runs["wider"]) == {"passed": 1, "failed": 3}
    assert finding in runs["wider"]


def test_a_failure_shows_the_test_and_not_the_inside_of_the_tool(runs):
    assert re.search(r"^> +report\.assert_within\(", runs["wider"], re.MULTILINE)
    assert "cnninspect/testing" not in runs["wider"]


def test_what_holds_for_a_test_ends_with_it(tmp_path):
    item = SimpleNamespace(path=tmp_path / "test_net.py", config=SimpleNamespace(getoption=lambda _: True))
    before = current.get()
    protocol = pytest_plugin.pytest_runtest_protocol(item)
    next(protocol)
    assert current.get() == Snapshots(tmp_path / "baselines", update=True)
    protocol.close()
    assert current.get() == before


def test_pytest_starts_without_torch(tmp_path):
    (tmp_path / "test_light.py").write_text(
        "import sys\n\ndef test_light():\n    assert 'cnninspect.testing.pytest_plugin' in sys.modules\n"
        "    assert not {'torch', 'rich', 'typer'} & set(sys.modules)\n"
    )
    done = run(tmp_path, "test_light.py")
    assert outcomes(done.stdout) == {"passed": 1}, done.stdout


def test_pytest_finds_the_plugin_by_its_entry_point():
    declared = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert f'[project.entry-points.pytest11]\ncnninspect = "{pytest_plugin.__name__}"\n' in declared


MARKED = """
import pytest

@pytest.mark.cnninspect
def test_marked():
    pass

def test_with_the_fixture(cnninspect):
    pass

def test_neither():
    pass
"""


@pytest.mark.parametrize(("expression", "count"), [("cnninspect", 2), ("not cnninspect", 1)])
def test_tests_are_selected_by_the_marker(tmp_path, expression, count):
    (tmp_path / "test_marked.py").write_text(MARKED)
    done = run(tmp_path, "-m", expression, "--strict-markers", "test_marked.py")
    assert outcomes(done.stdout) == {"passed": count}, done.stdout


def test_the_flag_is_in_the_help(tmp_path):
    assert "--update-cnninspect-baselines" in run(tmp_path, "--help").stdout
