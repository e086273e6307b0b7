"""Each exit code of the contract, through the real command line."""

import pytest

from tests.cli.conftest import INPUT

EXITS = [
    # id, arguments, exit code, words on stdout, words on stderr
    ("fine", ["compare", "net:Net", *INPUT], 0, ["match"], []),
    ("a check fails", ["compare", "net:Planted", *INPUT], 1, ["liar", "6,912", "1,728"], []),
    ("usage", ["summary", "net:Net", "--input", "1x0"], 2, [], ["size 0"]),
    ("a model that does not run", ["summary", "net:Failing", *INPUT], 3, [], ["the cache is empty"]),
    (
        "incomplete",
        ["summary", "net:Fourier", *INPUT, "--strict"],
        4,
        ["≥13,824"],
        ["aten._fft_r2c", "depends on the algorithm"],
    ),
    ("interrupted", ["summary", "net:Interrupted", *INPUT], 130, [], ["cnninspect: interrupted."]),
]


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"), [case[1:] for case in EXITS], ids=[case[0] for case in EXITS]
)
def test_exit_codes_of_the_contract(shell, arguments, code, out, err):
    result = shell(*arguments, PYTHONIOENCODING="utf-8")
    assert result.code == code
    assert "Traceback" not in result.err
    for word in out:
        assert word in result.out
    for word in err:
        assert word in result.err


# The declared stride 1 gives 4 * 8*8 * 27 = 6912 MACs, the stride 2 that runs 4 * 4*4 * 27 = 1728.
QUIETER = [
    ("a summary shows a difference and exits 0", ["summary", "net:Planted"], 0),
    ("flops too", ["flops", "net:Planted"], 0),
    ("strict makes it a failure", ["summary", "net:Planted", "--strict"], 1),
    ("incomplete without strict", ["summary", "net:Fourier"], 0),
    ("incomplete comparison", ["compare", "net:Fourier"], 0),
    ("incomplete comparison, strict", ["compare", "net:Fourier", "--strict"], 4),
    ("complete, strict", ["compare", "net:Net", "--strict"], 0),
]


@pytest.mark.parametrize(("arguments", "code"), [case[1:] for case in QUIETER], ids=[case[0] for case in QUIETER])
def test_what_decides_the_exit_code(cli, arguments, code):
    assert cli(*arguments, *INPUT).code == code
