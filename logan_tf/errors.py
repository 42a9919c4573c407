"""What can go wrong through no defect of this package, and how a command then exits.

Each error carries one line for the user: the cause and the remedy. The commands print
that line without a traceback and exit with the class's code; any other exception is a
defect and keeps its traceback (exit 1).
"""


class ConfigurationError(ValueError):
    """A flag, a gin binding or an input that cannot work. The user can mend it."""

    exit_code = 2


class BadDataError(RuntimeError):
    """Data or a checkpoint that cannot be read."""

    exit_code = 3


class DivergedError(RuntimeError):
    """A loss or a gradient is NaN or infinite."""

    exit_code = 4


class Preempted(RuntimeError):  # noqa: N818  An interruption is no error.
    """The run was interrupted, and goes on with the same command."""

    exit_code = 42
