"""What can go wrong through no defect of this package, and how a command then exits.

Each error carries one line for the user: the cause and the remedy. The commands print
that line without a traceback and exit with the class's code; any other exception is a
defect and keeps its traceback (exit 1).
"""

import difflib
import operator
from collections.abc import Iterable


class ConfigurationError(ValueError):
    """A flag, a gin binding or an input that cannot work. The user can mend it."""

    exit_code = 2


class BadDataError(RuntimeError):
    """Data or a checkpoint that cannot be read."""

    exit_code = 3


class DivergedError(RuntimeError):
    """A loss or a gradient is NaN or infinite."""

    exit_code = 4


class CollapsedError(DivergedError):
    """The generator's samples are all alike."""


class PreemptedError(RuntimeError):
    """The run was interrupted, and goes on with the same command."""

    exit_code = 42


def suggestion(name: str, known: Iterable[str]) -> str:
    """': did you mean …?', or nothing where nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f": did you mean {close[0]!r}?" if close else ""


def require_at_least(least: float, **numbers: float | None) -> None:
    """Raises ConfigurationError for the first number below `least`; None is none."""
    for name, number in numbers.items():
        if number is not None and not number >= least:
            raise ConfigurationError(f"{name} must be {least} or more, not {number}")


def require_counts(most: int, **numbers: object) -> None:
    """Raises ConfigurationError for the first that is no integer from 0 to `most`."""
    for name, number in numbers.items():
        try:
            found = operator.index(number)  # type: ignore[arg-type]  # Any is asked.
        except TypeError:
            found = -1
        if not 0 <= found <= most:
            raise ConfigurationError(
                f"{name} is {number!r}: give an integer from 0 to {most}"
            )


def require_above(limit: float, **numbers: float) -> None:
    """Raises ConfigurationError for the first number that is not above `limit`."""
    for name, number in numbers.items():
        if not number > limit:
            raise ConfigurationError(f"{name} must be above {limit}, not {number}")


def first_line(error: BaseException, length: int | None = 200) -> str:
    """The first line of an error's text, cut to a length, or the error's name."""
    text = str(error).strip()
    return text.splitlines()[0][:length] if text else type(error).__name__
