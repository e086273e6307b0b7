"""`compare TARGET --since REV`: the code of a git revision against the working tree, which stays as it is.

Net has 3*3*3*W + W params in its convolution and 64*W*10 + 10 in its linear layer: 224 and 5,130 for a width W of 8,
252 and 5,770 for 9; at 8x8 pixels 64 * 27 * W = 13,824 MACs and 15,552.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

NET = """
from torch import nn
from blocks import WIDTH

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, WIDTH, 3, padding=1), nn.Flatten(), nn.Linear(WIDTH * 64, 10))
"""
AT = ("--input", "1x3x8x8", "--since")
SLOW = "import time\nprint('started', flush=True)\ntime.sleep(60)\n"


def git(folder, *arguments):
    """What git prints in a folder, as a user without any configuration."""
    known = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "HOME": str(folder)}
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **known}).stdout


def commit(folder, words, **files):
    """Write files (`net` is net.py) and commit them."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", words)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a net of width 8, in which the working directory is; temporary files have a folder beside."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(folder)
    monkeypatch.delitem(sys.modules, "blocks", raising=False)  # that of another test's repository
    git(folder, "init", "-q")
    commit(folder, "width 8", net=NET, blocks="WIDTH = 8\n")
    return folder


def bytes_of(folder):
    """The bytes of every file below a folder, those of git as well."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def left(folder):
    """What is left in the folder of temporary files."""
    return list((folder.parent / "temporary").iterdir())


def test_a_dirty_tree_against_its_last_commit(cli, repository):
    (repository / "blocks.py").write_text("WIDTH = 9\n", encoding="utf-8")
    before = bytes_of(repository)
    result = cli("compare", "net.py:Net", *AT, "HEAD", "-f", "json")
    report = json.loads(result.out)
    assert (result.code, report["other"]["target"]["revision"]) == (1, "HEAD")
    params = [check for check in report["checks"] if check["name"] == "params" and check["verdict"] == "differ"]
    found = [(check["path"], check["expected"], check["found"]) for check in params]
    assert found == [("0", 224, 252), ("2", 5130, 5770), ("total", 5354, 6022)]
    assert (report["totals"]["macs"]["analytic"], report["other"]["totals"]["macs"]["analytic"]) == (21312, 18944)
    assert bytes_of(repository) == before
    assert not left(repository)


def test_a_clean_tree_is_the_same_and_a_tolerance_allows_a_change(cli, repository):
    result = cli("compare", "./net.py:Net", *AT, "HEAD")
    assert (result.code, "./net.py:Net against ./net.py:Net at HEAD" in result.out) == (0, True)
    (repository / "net.py").write_text(NET.replace("nn.Linear(WIDTH * 64, 10)", "nn.Linear(WIDTH * 64, 10, False)"))
    # 10 of 5,354 params are gone, 0.19 %.
    page = repository.parent / "page.html"
    assert cli("compare", "net.py:Net", *AT, "HEAD", "-o", str(page)).code == 1
    derived, networks = (
        json.loads(re.search(f'id="{name}">(.*?)</script>', page.read_text(encoding="utf-8"))[1])
        for name in ("derivations", "networks")
    )
    found = [derived["all"][place] for of_row in derived["rows"] for place in of_row]
    params = [each for each in found if each["quantity"] == "params" and each["value"]]
    # The first network has a row for itself, and the layers of both have theirs.
    assert [each["value"] for each in params] == [5344, 224, 5120, 224, 5130]
    assert eval(derived["texts"][params[-1]["substituted"]]) == 5130
    assert [network["dataflow"]["edges"] for network in networks] == [[[-1, 1], [1, 2], [2, 3]]] * 2
    assert cli("compare", "net.py:Net", *AT, "HEAD", "--tolerance", "params=1%").code == 0


def test_in_a_worktree_and_from_outside(shell, repository, monkeypatch):
    git(repository, "worktree", "add", "-q", "-b", "wider", "../wider")
    wider = repository.parent / "wider"
    commit(wider, "width 9", blocks="WIDTH = 9\n")
    monkeypatch.chdir(wider)
    before = bytes_of(repository)
    assert "224" in shell("compare", "net.py:Net", *AT, "main").out
    monkeypatch.chdir(repository.parent)
    assert "252" in shell("compare", "repository/net.py:Net", *AT, "wider").out
    assert bytes_of(repository) == before


def test_a_renamed_file_is_all_new_and_its_old_name_is_said(cli, repository):
    git(repository, "mv", "net.py", "model.py")
    result = cli("compare", "model.py:Net", *AT, "HEAD", "-f", "json")
    checks = {check["name"] for check in json.loads(result.out)["checks"] if check["verdict"] == "differ"}
    assert (result.code, checks) == (1, {"added"})
    assert "model.py:Net did not exist at HEAD, so all of it is new; git says that its file was called net.py" in (
        result.err
    )


@pytest.mark.sweep
def test_a_folder_with_a_configuration_is_that_of_the_revision(cli, repository):
    """timm's resnet18 has 11,176,512 params below its head, and 512 * N + N in it: 1,539 for 3 classes, 2,565 for 5."""
    pytest.importorskip("timm")
    config = repository / "folder" / "config.json"
    config.parent.mkdir()
    config.write_text('{"architecture": "resnet18", "num_classes": 3}', encoding="utf-8")
    asked = ("compare", "./folder", "--format", "json", "--since", "HEAD")
    new = cli(*asked)
    differ = {check["name"] for check in json.loads(new.out)["checks"] if check["verdict"] == "differ"}
    assert (new.code, differ) == (1, {"added"})
    assert "./folder did not exist at HEAD, so all of it is new" in new.err
    commit(repository, "a folder")
    assert cli(*asked).code == 0
    config.write_text('{"architecture": "resnet18", "num_classes": 5}', encoding="utf-8")
    for target in ("./folder", str(config.parent)):
        result = cli("compare", target, *asked[2:])
        params = [(c["found"], c["expected"]) for c in json.loads(result.out)["checks"] if c["name"] == "params"]
        assert (result.code, "temporary" in result.out + result.err) == (1, False)
        assert (11_176_512 + 2_565, 11_176_512 + 1_539) in params
    assert git(repository, "status", "--short") == " M folder/config.json\n"


def test_a_name_that_did_not_exist_in_its_file_is_all_new(cli, repository):
    (repository / "net.py").write_text(f"{NET}\nclass Other(Net):\n    pass\n", encoding="utf-8")
    result = cli("compare", "net.py:Other", *AT, "HEAD")
    assert (result.code, "only in the first" in result.out, "did not exist" in result.err) == (1, True, True)


def test_a_revision_that_fails_is_named(cli, repository):
    commit(repository, "broken", blocks="import missing_package\nWIDTH = 8\n")
    commit(repository, "mended", blocks="WIDTH = 8\n")
    result = cli("compare", "net.py:Net", *AT, "HEAD~1")
    assert (result.code, result.out) == (3, "")
    assert "net.py:Net at HEAD~1: net.py cannot be loaded" in result.err
    assert "missing_package" in result.err
    assert not left(repository)


SRC = {"src/nets/__init__.py": "", "src/nets/small.py": NET.replace("from blocks import WIDTH", "WIDTH = 8")}


@pytest.mark.sweep
def test_a_module_that_git_does_not_know_yet_did_not_exist(shell, repository):
    """It imports what the revision holds; taken from the working tree it would be compared with itself."""
    (repository / "new.py").write_text(NET, encoding="utf-8")
    result = shell("compare", "new:Net", *AT, "HEAD", "-f", "json")
    checks = {check["name"] for check in json.loads(result.out)["checks"] if check["verdict"] == "differ"}
    assert (result.code, checks) == (1, {"added"})


@pytest.mark.sweep
def test_a_submodule_is_taken_at_its_commit_or_named(cli, repository):
    parts = repository.parent / "parts"
    parts.mkdir()
    git(parts, "init", "-q")
    commit(parts, "width 8", widths="WIDTH = 8\n")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(parts), "parts")
    commit(repository, "a submodule", net=NET.replace("from blocks", "from parts.widths"))
    commit(parts, "width 9", widths="WIDTH = 9\n")
    git(repository / "parts", "pull", "-q")
    before = bytes_of(repository)
    result = cli("compare", "net.py:Net", *AT, "HEAD")
    assert (result.code, "224" in result.out, "252" in result.out, result.err) == (1, True, True, "")
    assert bytes_of(repository) == before
    shutil.rmtree(repository / "parts")
    git(repository, "clone", "-q", "--depth", "1", parts.as_uri(), "parts")
    result = cli("compare", "net.py:Net", *AT, "HEAD")
    assert "the submodule parts lacks its commit of HEAD" in " ".join(result.err.split())
    assert result.code == 0, result.err


OTHER_NAMES = ("HEAD^{/width 8}", "HEAD~1^{commit}", "HEAD@{1}")


@pytest.mark.parametrize("name", [":/width 8", *(pytest.param(name, marks=pytest.mark.sweep) for name in OTHER_NAMES)])
def test_names_of_a_revision_in_the_syntax_of_git(cli, repository, name):
    """The commit before the last, at which the width was 8."""
    commit(repository, "width 9", blocks="WIDTH = 9\n")
    result = cli("compare", "net.py:Net", *AT, name)
    assert (result.code, "224" in result.out, "252" in result.out, result.err) == (1, True, True, "")


@pytest.mark.sweep
def test_files_that_git_stores_elsewhere_come_through_its_filter(cli, repository):
    """As those of Git LFS: the commit has a pointer, and a program makes the file of it."""
    (repository / ".gitattributes").write_text("blocks.py filter=like-lfs\n", encoding="utf-8")
    git(repository, "config", "filter.like-lfs.clean", "sed s/WIDTH/POINTER/")
    git(repository, "config", "filter.like-lfs.smudge", "sed s/POINTER/WIDTH/")
    git(repository, "config", "filter.like-lfs.required", "true")
    commit(repository, "a pointer", blocks="WIDTH = 9\n")
    assert git(repository, "show", "HEAD:blocks.py") == "POINTER = 9\n"
    result = cli("compare", "net.py:Net", *AT, "HEAD")
    assert (result.code, "252" in result.out) == (0, True), result.err
    git(repository, "config", "filter.like-lfs.smudge", "false")
    result = cli("compare", "net.py:Net", *AT, "HEAD")
    assert (result.code, result.out) == (2, "")
    assert "`git lfs fetch --all` brings the files of Git LFS" in " ".join(result.err.split())
    assert not left(repository)


@pytest.mark.sweep
def test_what_git_ignores_is_that_of_today(shell, repository):
    commit(repository, "a generated module", net=NET.replace("from blocks", "from generated"))
    (repository / ".gitignore").write_text("generated.py\n", encoding="utf-8")
    (repository / "generated.py").write_text("WIDTH = 9\n", encoding="utf-8")
    result = shell("compare", "net.py:Net", *AT, "HEAD")
    assert (result.code, "252" in result.out) == (0, True), result.err


@pytest.mark.sweep
def test_in_a_hook_and_with_inputs_of_a_module(shell, repository):
    """git tells a hook its repository by relative names, which hold in one folder only."""
    commit(repository, "inputs", feed="import torch\ndef batch(): return torch.zeros(1, 3, 8, 8)\n")
    (repository / "blocks.py").write_text("WIDTH = 9\n", encoding="utf-8")
    command = ["compare", f"{repository}/net.py:Net", "--inputs-from", "feed:batch", "--since", "HEAD", "-f", "json"]
    result = shell(*command, GIT_DIR=".git", GIT_INDEX_FILE=".git/index")
    report = json.loads(result.out)
    assert (report["totals"]["macs"]["analytic"], report["other"]["totals"]["macs"]["analytic"]) == (21312, 18944)


HOOK = """
import importlib.util, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "nets":
            return importlib.util.spec_from_file_location(name, "FILE")
sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("installed", [pytest.param("path", marks=pytest.mark.sweep), "hook"])
def test_an_installed_package_of_the_repository_is_built_as_it_was(shell, repository, installed):
    """An editable install names the working tree: by a path, or by a finder that knows the folder of each package."""
    for name, text in SRC.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text, encoding="utf-8")
    commit(repository, "a package")
    (repository / "src/nets/small.py").write_text(SRC["src/nets/small.py"].replace("= 8", "= 9"), encoding="utf-8")
    site = repository.parent / "site"
    site.mkdir()
    hook = HOOK.replace("FILE", f"{repository}/src/nets/__init__.py")
    (site / "sitecustomize.py").write_text(hook if installed == "hook" else "", encoding="utf-8")
    paths = [str(site), *([f"{repository}/src"] if installed == "path" else []), os.environ.get("PYTHONPATH", "")]
    result = shell(
        "compare", "nets.small:Net", *AT, "HEAD", "-f", "json", PYTHONPATH=os.pathsep.join(filter(None, paths))
    )
    assert result.code == 1, result.err
    report = json.loads(result.out)
    assert (report["totals"]["macs"]["analytic"], report["other"]["totals"]["macs"]["analytic"]) == (21312, 18944)


@pytest.mark.parametrize("before", [None, pytest.param("def another(): pass\n", marks=pytest.mark.sweep)])
def test_configured_targets_and_the_inputs_of_today(cli, repository, before):
    if before is not None:
        commit(repository, "inputs", feed=before)
    table = ["[tool.cnninspect.targets.net]", "target = 'net.py:Net'", "inputs_from = 'feed.py:batch'"]
    (repository / "pyproject.toml").write_text("\n".join([*table, "budgets.max-params = '1'"]), encoding="utf-8")
    (repository / "feed.py").write_text("import torch\ndef batch(): return torch.zeros(1, 3, 8, 8)\n", encoding="utf-8")
    result = cli("compare", "--since", "HEAD")
    assert (result.code, "net" in result.out) == (0, True), result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["net.py:Net", *AT, "mian"], "git knows no revision 'mian'. Nearest: main."),
        (["net.py:Net", *AT, "--all"], "git knows no revision '--all'."),
        (["net.py:Net", *AT, "HEAD:net.py"], "git knows no revision 'HEAD:net.py'."),
        (["lenet5", "--since", "HEAD"], "so it is the same at every revision"),
        (["saved.json", "--since", "HEAD"], "is a saved report, which --since cannot build"),
        (["net.py:Net", "net.py:Net", *AT, "HEAD"], "OTHER, or with --since, not both"),
        (["net.py:Net", *AT, "HEAD", "--max-params", "5M"], "--since, or with a baseline, claims and budgets"),
        (["net.py:Nett", *AT, "HEAD"], "Nearest: Net"),
        (["../net.py:Net", *AT, "HEAD"], "--since needs a git repository"),
    ],
)  # fmt: skip
def test_wrong_uses(cli, repository, arguments, words):
    result = cli("compare", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "Traceback" not in result.err
    assert not left(repository)


def test_a_shallow_clone_says_how_to_fetch_the_revision(cli, repository, monkeypatch):
    commit(repository, "width 9", blocks="WIDTH = 9\n")
    git(repository.parent, "clone", "-q", "--depth", "1", f"file://{repository}", "clone")
    monkeypatch.chdir(repository.parent / "clone")
    result = cli("compare", "net.py:Net", *AT, "HEAD~1")
    assert (result.code, "The clone is shallow: fetch it first" in result.err) == (2, True)


@pytest.mark.parametrize("slow", ["then", "now"])
def test_an_interrupt_leaves_nothing_behind(repository, slow):
    """Ctrl-C goes to both processes, while the code of the revision runs or that of the working tree."""
    if slow == "then":
        commit(repository, "slow", blocks=f"{SLOW}WIDTH = 8\n")
        (repository / "blocks.py").write_text("WIDTH = 8\n", encoding="utf-8")
    else:
        (repository / "blocks.py").write_text(f"{SLOW}WIDTH = 8\n", encoding="utf-8")
    before = bytes_of(repository)
    command = [sys.executable, "-m", "cnninspect", "compare", "net.py:Net", *AT, "HEAD", "--debug"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        while "started" not in (line := process.stderr.readline()):
            assert line, "it ended before it was interrupted"
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 130
    assert bytes_of(repository) == before
    assert not left(repository)


@pytest.mark.sweep
def test_it_works_in_the_folder_of_a_package_with_the_name_of_ours(shell, repository):
    """The process must not import the `cnninspect` that the revision holds."""
    other = repository / "cnninspect"
    other.mkdir()
    (other / "__init__.py").write_text("raise RuntimeError('another package')\n", encoding="utf-8")
    commit(repository, "a package called cnninspect")
    script = Path(sys.executable).with_name("cnninspect")
    done = subprocess.run([script, "compare", "net.py:Net", *AT, "HEAD"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


RECIPE = Path(__file__).parents[2] / "docs" / "ci.md"


def test_the_recipe_for_pull_requests_runs(repository, tmp_path):
    """The commands of docs/ci.md, with what GitHub would fill in, and a `gh` that keeps the comment."""
    base = git(repository, "rev-parse", "HEAD").strip()
    (repository / "net.py").write_text(f"{NET}\n", encoding="utf-8")
    commit(repository, "width 9", blocks="WIDTH = 9\n")
    (job,) = [
        text for text in re.findall(r"```yaml\n(.*?)```", RECIPE.read_text(), re.DOTALL) if "gh pr comment" in text
    ]
    steps = yaml.safe_load(job)["jobs"]["comment"]["steps"]
    (script,) = [step["run"] for step in steps if "cnninspect" in step.get("run", "")]
    filled = {"github.event.pull_request.base.sha": base, "github.event.number": "7"}
    script = re.sub(r"\$\{\{ (.*?) \}\}", lambda found: filled[found[1]], script)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(f'#!/bin/sh\necho "$@" > {tools}/arguments; cp findings.md {tools}\n', encoding="utf-8")
    (tools / "cnninspect").write_text(f'#!/bin/sh\nexec {sys.executable} -m cnninspect "$@" --input 1x3x8x8\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    place = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "MODEL": "net.py:Net"}
    subprocess.run(["bash", "-e", "-c", script], check=True, env=place)
    assert (tools / "arguments").read_text().startswith("pr comment 7 --body-file findings.md")
    comment = (tools / "findings.md").read_text(encoding="utf-8")
    assert "| 0 | 252 | 15,552 | 0 | 224 | 13,824 | 1.125 |" in comment
    # 6,022 / 5,354 = 1.1248
    assert "- **params** 6,022 against 5,354, +12.5 %, ratio 1.125" in comment
