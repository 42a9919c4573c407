"""bin/report: writes a run's report.html, one page that needs no other file.

bin/report RUN
"""

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import consent, full_disk, reporting
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(consent)
flags.DEFINE_string("run_dir", None, "The run; may be given without the flag's name.")

FIRST = "run_dir"


def main() -> None:
    """Writes the page and prints where it lies."""
    if FLAGS.run_dir is None:
        raise ConfigurationError("a report of which run? bin/report RUN_DIR")
    directory = RunDirectory(FLAGS.run_dir, FLAGS.follow_links)
    directory.require()
    try:
        print(reporting.write(directory, FLAGS.module))
    except OSError as error:
        if full_disk.cause(error):
            raise
        raise ConfigurationError(
            f"cannot write {directory.report} ({error.strerror}): take a copy of "
            "the run that you may write to"
        ) from error


if __name__ == "__main__":
    app.run(main, __doc__ or "", FIRST)
