"""Run the command line in this process, or in one of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnninspect.cli.app import run

NETS = Path(__file__).parent.parent / "data" / "nets.py"
INPUT = ("--input", "1x3x8x8")


@dataclass(frozen=True)
class Result:
    """What a command line left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys):
    """Runs a command line in this process; `net:` stands for the file of sample networks."""

    def call(*arguments):
        code = run([argument.replace("net:", f"{NETS}:") for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def shell():
    """Runs a command line in a process of its own."""

    def call(*arguments, **environ):
        command = [sys.executable, "-m", "cnninspect", *(each.replace("net:", f"{NETS}:") for each in arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, **environ}
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Makes the working directory one with this configuration."""

    def make(text, below="."):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        (tmp_path / below).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / below)
        return tmp_path

    return make
