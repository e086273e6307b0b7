"""The sign of life: on terminals, and only for steps that take long."""

import io
import sys
from typing import ClassVar

import pytest

from cnninspect.cli import session
from cnninspect.cli.session import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Timer:
    """A timer that a test lets run out."""

    started: ClassVar[list] = []

    def __init__(self, seconds, function, arguments):
        self.seconds, self.run_out, self.cancelled = seconds, lambda: function(*arguments), False

    def start(self):
        self.started.append(self)

    def cancel(self):
        self.cancelled = True

    def join(self):
        pass


@pytest.fixture
def timers(monkeypatch):
    Timer.started = []
    monkeypatch.setattr(session.threading, "Timer", Timer)
    monkeypatch.setenv("TERM", "xterm")
    return Timer.started


@pytest.fixture
def terminal(monkeypatch):
    """Makes stderr a terminal; called in the test, because pytest takes stderr for itself before it."""

    def attach():
        monkeypatch.setattr("sys.stderr", Terminal())
        return sys.stderr

    return attach


def test_a_long_step_is_named_and_the_sign_removed(timers, terminal):
    stream = terminal()
    with Progress(shown=True) as show:
        show("running [bold] net")
        timers[0].run_out()
    assert "running [bold] net" in stream.getvalue()
    assert timers[0].seconds == 1.0
    assert stream.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


def test_a_short_step_is_not_named(timers, terminal):
    stream = terminal()
    with Progress(shown=True) as show:
        show("building")
        show("running")
        assert timers[0].cancelled
    assert timers[1].cancelled
    assert stream.getvalue() == ""


@pytest.mark.parametrize("shown", [True, False], ids=["pipe", "quiet"])
def test_nothing_is_timed_in_a_pipe_or_when_quiet(timers, monkeypatch, shown):
    monkeypatch.setattr("sys.stderr", io.StringIO() if shown else Terminal())
    with Progress(shown=shown) as show:
        show("running")
    assert timers == []


def test_nothing_is_timed_on_a_dumb_terminal(timers, terminal, monkeypatch):
    terminal()
    monkeypatch.setenv("TERM", "dumb")
    with Progress(shown=True) as show:
        show("running")
    assert timers == []


def test_a_step_of_known_length_has_a_bar_that_is_drawn_when_it_says_so(timers, terminal):
    stream = terminal()
    with Progress(shown=True) as show:
        show("running")
        for done in (1, 2, 3, 4):
            show("timing", done, 4)
            if done == 2:
                drawn = stream.getvalue()
    assert [timer.cancelled for timer in timers] == [True]
    assert "timing" in drawn
    assert "50%" in drawn
    assert "100%" not in drawn
    assert "100%" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


def test_no_bar_where_nothing_is_shown(timers, monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with Progress(shown=True) as show:
        show("timing", 1, 4)
    assert sys.stderr.getvalue() == ""
    assert timers == []
