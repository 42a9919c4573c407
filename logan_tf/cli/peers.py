"""make benchmark-peers: our step beside PyTorch's, and the gradients compared."""

import json
from pathlib import Path

from absl import flags

from logan_tf import atomic_file
from logan_tf.cli import app
from logan_tf.errors import BadDataError, ConfigurationError

_FORMS = ("contiguous", "channels_last", "compiled")

FLAGS = flags.FLAGS
flags.DEFINE_string("python", ".venv-peers/bin/python", "That which has PyTorch.")
flags.DEFINE_integer(
    "width", 64, lower_bound=1, upper_bound=app.MOST, help="Of both networks."
)
flags.DEFINE_integer(
    "batch_size", 64, lower_bound=1, upper_bound=app.MOST, help="Of one update."
)
flags.DEFINE_integer("repeats", 9, "How often each step is timed.", 1, app.MOST)
flags.DEFINE_list("forms", list(_FORMS), "Of PyTorch.")
flags.DEFINE_string("output", None, "results.json")


def main() -> None:
    """Prints both tables; ends with an error where the gradients differ."""
    if not Path(FLAGS.python).exists():
        raise ConfigurationError(
            f"there is no {FLAGS.python}: `make benchmark-peers` makes it"
        )
    app.import_tensorflow()
    from logan_tf.benchmarks.peers import comparison

    found = comparison.compare(
        FLAGS.python, FLAGS.width, FLAGS.batch_size, FLAGS.repeats, FLAGS.forms
    )
    if FLAGS.output:
        atomic_file.write_text(FLAGS.output, json.dumps(found, indent=1) + "\n")
    worst = max(found["differences"].values())
    if not worst <= comparison.TOLERANCE:
        raise BadDataError(f"the gradients differ by {worst:.1e}")


if __name__ == "__main__":
    app.run(main, __doc__ or "")
