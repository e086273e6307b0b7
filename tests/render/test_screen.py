"""What a stream can show, from its kind and the environment."""

import io

import pytest

from cnninspect.render.page import ASCII, UNICODE, Screen


class Stream(io.StringIO):
    def __init__(self, terminal: bool, encoding: str = "utf-8"):
        super().__init__()
        self.terminal, self._encoding = terminal, encoding

    def isatty(self):
        return self.terminal

    @property
    def encoding(self):
        return self._encoding


COLOURS = [
    ("terminal", True, {}, True),
    ("pipe", False, {}, False),
    ("NO_COLOR", True, {"NO_COLOR": "1"}, False),
    ("empty NO_COLOR", True, {"NO_COLOR": ""}, True),
    ("FORCE_COLOR in a pipe", False, {"FORCE_COLOR": "1"}, True),
    ("FORCE_COLOR=0 in a pipe", False, {"FORCE_COLOR": "0"}, False),
    ("NO_COLOR wins", False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ("dumb", True, {"TERM": "dumb"}, False),
]


@pytest.mark.parametrize(("terminal", "environ", "colour"), [c[1:] for c in COLOURS], ids=[c[0] for c in COLOURS])
def test_colour(terminal, environ, colour):
    assert Screen.of(Stream(terminal), environ).colour is colour


def test_a_pipe_has_no_width():
    assert Screen.of(Stream(terminal=False), {"FORCE_COLOR": "1"}).width is None


def test_a_terminal_has_the_width_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "97")
    assert Screen.of(Stream(terminal=True), {}).width == 97


SIGNS = [
    ("utf-8", "utf-8", {}, UNICODE),
    ("ascii", "ascii", {}, ASCII),
    ("latin-1", "latin-1", {}, ASCII),
    ("no such encoding", "martian", {}, ASCII),
    ("dumb", "utf-8", {"TERM": "dumb"}, ASCII),
]


@pytest.mark.parametrize(("encoding", "environ", "marks"), [c[1:] for c in SIGNS], ids=[c[0] for c in SIGNS])
def test_signs(encoding, environ, marks):
    assert Screen.of(Stream(terminal=True, encoding=encoding), environ).marks is marks


def test_ascii_signs_are_ascii():
    assert all(value.isascii() for value in vars(ASCII).values())
