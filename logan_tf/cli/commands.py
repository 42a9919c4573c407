"""logan-tf COMMAND --flag=value …: all of bin, for an installed package.

Each command runs as `python -m logan_tf.cli.COMMAND` would, and has a --help.
"""

import ast
import runpy
import sys
from pathlib import Path

import logan_tf
from logan_tf.errors import ConfigurationError, suggestion
from logan_tf.installation import COMMANDS, as_typed

_NAMES = (*COMMANDS, "quickstart")


def main() -> None:
    """Runs the command that the first argument names."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-help", "-h", "help"):
        print(_help())
    elif name == "--version":
        print(logan_tf.__version__)
    elif name in _NAMES:
        sys.argv = [f"logan-tf {name}", *arguments]
        runpy.run_module(f"logan_tf.cli.{name}", run_name="__main__")
    else:
        print(
            f"error: there is no command {name!r}{suggestion(name, _NAMES)}",
            file=sys.stderr,
        )
        sys.exit(ConfigurationError.exit_code)


def _help() -> str:
    lines = [__doc__.strip(), ""]
    lines += [f"  {name:11} {_about(name)}" for name in _NAMES]
    return "\n".join(lines)


def _about(name: str) -> str:
    """The first line of a command's docstring, without importing it: flags clash."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(source)) or ""
    return as_typed(text.splitlines()[0].partition(": ")[2])


if __name__ == "__main__":
    main()
