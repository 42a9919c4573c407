"""What somebody sees who waits, at a terminal and in a log."""

import sys

import pytest

from logan_tf import progress


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_PER_LINE", 1e-9)


def test_a_log_has_lines(at_once, capsys):
    with progress.bar(total=4, desc="judged", unit=" samples") as bar:
        bar.update(1)
        with progress.bar(total=9, desc="inner") as inner:  # Moves no cursor either.
            inner.update(3)
        bar.update(2)
    seen = capsys.readouterr()
    first, within, second = seen.err.splitlines()
    assert (seen.out, "\r" in seen.err, "\x1b" in seen.err) == ("", False, False)
    assert first.startswith("judged:  25%")
    assert " 1/4 " in first
    assert within.startswith("inner:  33%")
    assert " 3/4 " in second


def test_short_work_leaves_no_line_in_a_log(capsys):
    with progress.bar(total=4) as bar:
        bar.update(4)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress.bar(total=4, desc="judged") as bar:
        bar.update(4)
    seen = capsys.readouterr().err
    assert "\rjudged: 100%" in seen


def test_what_nobody_wants_to_see(at_once, capsys):
    with progress.bar(total=4, disable=True) as bar:
        bar.update(4)
    assert capsys.readouterr().err == ""
