"""What must not import torch, because it takes seconds."""

import json
import subprocess
import sys
from types import SimpleNamespace

from cnninspect.cli.app import run

WITHOUT_TORCH = [
    ("help", ["--help"], 0),
    ("help of a command", ["summary", "--help"], 0),
    ("version", ["--version"], 0),
    ("no command", [], 2),
    ("unknown command", ["sumary"], 2),
    ("unknown option", ["summary", "x", "--fromat", "json"], 2),
    ("bad shape", ["summary", "x", "--input", "1x0"], 2),
    ("bad argument", ["compare", "x", "--arg", "depth"], 2),
    ("bad dtype", ["flops", "x", "--dtype", "floaty"], 2),
    ("pickle", ["summary", "weights.pth"], 2),
    ("unknown column", ["summary", "x", "--columns", "y"], 2),
    ("unwritable file", ["summary", "x", "-o", "/nowhere/at/all"], 2),
]
CODE = """
import json, sys
from cnninspect.cli.app import run
for name, arguments, _ in json.loads(sys.argv[1]):
    code = run(arguments)
    print(json.dumps([name, code, 'torch' in sys.modules]))
"""


def test_torch_is_not_imported():
    """One process runs all: the first command that imports torch is named."""
    command = [sys.executable, "-c", CODE, json.dumps(WITHOUT_TORCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
    assert results == [[name, code, False] for name, _, code in WITHOUT_TORCH]


def test_a_reader_of_the_help_that_has_seen_enough_is_no_finding(monkeypatch):
    def gone(*arguments, **options):
        raise SystemExit(1)

    monkeypatch.setattr("cnninspect.cli.app.get_command", lambda _: SimpleNamespace(main=gone))
    assert run(["--help"]) == 0


def test_shell_completion_does_not_import_torch():
    code = "import sys, atexit\natexit.register(lambda: print('torch' in sys.modules))\n"
    code += "from cnninspect.__main__ import main\nmain()"
    environ = {"_CNNINSPECT_COMPLETE": "complete_bash", "COMP_WORDS": "cnninspect summ", "COMP_CWORD": "1", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)
    assert done.stdout.split() == ["summary", "False"]


INTERRUPTED_IMPORT = """
import sys
from cnninspect.__main__ import main

class Interrupt:
    def find_spec(self, name, *_):
        if name == "cnninspect.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""


def test_an_interrupt_before_the_commands_are_loaded_is_one_sentence():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "cnninspect: interrupted.\n")
