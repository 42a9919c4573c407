"""The frame of every command: flags, help, errors in one line, exit codes.

0 done · 2 the user's mistake · 3 bad data or checkpoint · 4 diverged · 42 interrupted,
goes on with the same command · 1 a defect of ours, the only case with a traceback.
"""

import logging
import math
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn

from absl import flags
from absl import logging as absl_logging

from logan_tf.cli import xla
from logan_tf.cli.running import full_disk, screen
from logan_tf.errors import (
    BadDataError,
    ConfigurationError,
    DivergedError,
    PreemptedError,
    first_line,
)
from logan_tf.installation import as_typed

# TensorFlow's start-up notes would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Else the first process takes all of a GPU, and no run can be sampled while it trains.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

MOST = 2**31 - 1
"""Of what is counted: TensorFlow counts in 32 bits."""

MOST_DEVICES = 1024  # that one CPU can be cut into

PATHS = frozenset(
    {
        *("run_dir", "output", "saved_model", "init_from", "work_dir", "images"),
        *("train_step", "trained"),
        *("data_dir", "gin_file", "compare", "with", "stablehlo", "python", "trust"),
    }
)
"""The flags that name files and folders: ~ is the home, as in the shell's own words."""

_HELP = {"--help", "-help", "-h"}


def run(main: Callable[[], None], about: str, first: str | None = None) -> NoReturn:
    """Parses the flags of the command line, runs `main` and exits.

    Args:
      main: reads its flags from `absl.flags.FLAGS`.
      about: what the command does, for `--help`.
      first: the flag whose value may be given without its name.
    """
    screen.open_missing()
    before = sys.stdout, sys.stderr
    out, err = (screen.Screen(stream) for stream in before)
    sys.stdout, sys.stderr = out, err
    try:
        code = _ended(main, about, first)
        out.flush()
        if out.is_lost and not code:
            print(f"error: the output was lost: {out.error}", file=sys.stderr)
            code = BadDataError.exit_code
        err.flush()
    finally:
        sys.stdout, sys.stderr = before
    sys.exit(code)


def _ended(main: Callable[[], None], about: str, first: str | None) -> int:
    """Runs `main`; the exit code."""
    try:
        if _HELP & set(sys.argv[1:]):
            print(as_typed(_help(about)))
            return 0
        _parse(sys.argv, first)
        main()
    except (ConfigurationError, BadDataError, DivergedError) as error:
        # gin appends lines that say in which call of which object.
        print(as_typed(f"error: {first_line(error, None)}"), file=sys.stderr)
        return error.exit_code
    except PreemptedError as error:
        print(as_typed(str(error)), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return PreemptedError.exit_code
    except PermissionError as error:
        print(
            f"error: {first_line(error)}: choose another place, or change who may "
            "write there",
            file=sys.stderr,
        )
        return ConfigurationError.exit_code
    except Exception as error:
        cause = full_disk.cause(error)
        if cause is None:
            raise
        print(
            f"error: {cause}: make room or another place for it; what was saved before "
            "is intact, and the same command goes on",
            file=sys.stderr,
        )
        return BadDataError.exit_code
    return 0


def list_devices() -> Any:
    """Starts TensorFlow's devices as they are."""
    import tensorflow as tf

    return tf.config.list_logical_devices()


def import_tensorflow(start: Callable[[], Any] = list_devices) -> Any:
    """Imports TensorFlow and starts its devices without their pages of start-up notes.

    The notes come from C++ before any level can be set, so the standard error is held
    back meanwhile; it is shown if something fails that has no message of ours.

    Args:
      start: starts the devices, before anything else can.

    Returns:
      What `start` returns.
    """
    xla.prepare()
    if "tensorflow" not in sys.modules:
        print("starting TensorFlow", flush=True)
    with tempfile.TemporaryFile() as held:
        standard_error = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            absl_logging.get_absl_logger().addFilter(_is_news)
            return start()
        except ConfigurationError:
            raise
        except BaseException:
            held.seek(0)
            os.write(standard_error, held.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def _is_news(record: logging.LogRecord) -> bool:
    """TensorFlow Datasets warns of its own deprecated property at each use of it."""
    return "FeatureConnector.dtype" not in record.getMessage()


def _parse(argv: list[str], first: str | None) -> None:
    try:
        rest = flags.FLAGS(argv)[1:]
        if first and rest and flags.FLAGS[first].using_default_value:
            flags.FLAGS[first].parse(rest.pop(0))
        for flag in _flags():
            if flag.name in PATHS:
                flag.value = _expanded(flag.value)
            # absl takes NaN to be within all bounds.
            if isinstance(flag.value, float) and not math.isfinite(flag.value):
                raise flags.Error(f"--{flag.name} is {flag.value}: give a number")
    except flags.Error as error:
        line = " ".join(str(error).split())
        raise ConfigurationError(f"{line} (see --help)") from error
    if rest:
        raise ConfigurationError(
            f"{rest[0]!r} is no flag: every argument is --name=value (see --help)"
        )


def _expanded(value: str | list[str] | None) -> str | list[str] | None:
    if isinstance(value, list):
        return list(map(os.path.expanduser, value))
    return value and os.path.expanduser(value)


def _help(about: str) -> str:
    """The flags of this command; absl's own flags stay out."""
    lines = [about.strip(), "", "Flags:"]
    for flag in sorted(_flags(), key=lambda flag: flag.name):
        default = f" ({flag.default})" if flag.default not in (None, [], False) else ""
        # absl appends a note to the help of flags that can be repeated.
        text = flag.help.split(";\n", 1)[0] + default
        indent = " " * 6
        lines.append(f"  --{flag.name}")
        lines.append(
            textwrap.fill(text, 84, initial_indent=indent, subsequent_indent=indent)
        )
    return "\n".join(lines)


def _flags() -> list[flags.Flag]:
    by_module = flags.FLAGS.flags_by_module_dict()
    return [
        flag
        for module, defined in by_module.items()
        if module == "__main__" or module == sys.argv[0] or "logan_tf" in module
        for flag in defined
    ]
