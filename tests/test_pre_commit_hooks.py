"""The hooks for pre-commit: the manifest, and that its command line does what it says in a repository of its own."""

import shlex
from pathlib import Path

import pytest
import yaml

from cnninspect.cli.app import run
from tests.cli.conftest import NETS

MANIFEST = Path(__file__).parent.parent / ".pre-commit-hooks.yaml"
HOOKS = yaml.safe_load(MANIFEST.read_text())

# pre-commit's documentation, "Creating new hooks": the required keys, and the optional ones that are used here.
REQUIRED = {"id", "name", "entry", "language"}
OPTIONAL = {"description", "types_or", "pass_filenames", "require_serial"}


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_the_manifest_has_the_keys_of_a_hook(hook):
    assert REQUIRED <= set(hook) <= REQUIRED | OPTIONAL
    assert hook["language"] in ("python", "system")
    assert shlex.split(hook["entry"])[0] == "cnninspect"
    assert hook["pass_filenames"] is False


@pytest.mark.parametrize(("limit", "code"), [("314", 0), ("313", 1)], ids=["within", "over"])
@pytest.mark.parametrize("entry", {hook["entry"] for hook in HOOKS})
def test_a_hook_checks_the_targets_of_the_configuration(tmp_path, monkeypatch, capsys, entry, limit, code):
    # Net has 3*3*3*8 + 8 + 8*10 + 10 = 314 parameters.
    (tmp_path / "nets.py").write_text(NETS.read_text())
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cnninspect.targets.net]\ntarget = "nets.py:Net"\ninputs = ["1x3x8x8"]\n'
        f'budgets = {{max-params = "{limit}"}}\n'
    )
    monkeypatch.chdir(tmp_path)
    assert run(shlex.split(entry)[1:]) == code
    assert ("budget" in capsys.readouterr().out) is (code == 1)
