"""The wheel and the source archive: built, installed elsewhere, and run from there. Slow: python -m pytest -m sweep."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = ("cnninspect/report/schema.json", "cnninspect/py.typed")


def run(*command, cwd, **environ):
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The two archives, built with the setuptools that is installed here, from a copy of the tracked files."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip("needs setuptools 77")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    (source / "all.tar").write_bytes(listed)
    with tarfile.open(source / "all.tar") as archive:
        archive.extractall(source, filter="data")
    (source / "all.tar").unlink()
    build = "import setuptools.build_meta as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"
    return [out / run("-c", build, name, str(out), cwd=source).split()[-1] for name in ("build_wheel", "build_sdist")]


@pytest.mark.sweep
def test_what_is_built_runs_elsewhere(built, tmp_path):
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert set(DATA) <= names
    assert {"pyproject.toml", "LICENSE"} <= names
    with zipfile.ZipFile(wheel) as archive:
        assert set(DATA) <= set(archive.namelist())
        archive.extractall(tmp_path / "site")
    there = {"cwd": tmp_path, "PYTHONPATH": str(tmp_path / "site")}
    where = run("-c", "import cnninspect; print(cnninspect.__file__)", **there)
    assert where.startswith(str(tmp_path / "site"))
    assert run("-m", "cnninspect", "-V", **there).startswith("cnninspect ")
    # LeNet-5 of LeCun et al. 1998, with full connections in C3: 156 + 2,416 + 48,120 + 10,164 + 850 params.
    text = run("-m", "cnninspect", "summary", "lenet5", **there)
    assert f"{156 + 2416 + 48120 + 10164 + 850:,}" in text
