"""bin/train: trains a recipe in a run directory, from its last checkpoint on."""

import contextlib

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import reporting
from logan_tf.cli.running.interruption import Interruption
from logan_tf.configuration import recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training import devices

FLAGS = flags.FLAGS
flags.DEFINE_multi_string("gin_file", [], "Recipe; may be given several times.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'total_steps = 100'.")
flags.DEFINE_multi_string("module", [], "A module of yours whose classes recipes name.")
flags.DEFINE_string("run_dir", None, "Where the run lives; runs/<recipe> by default.")
flags.DEFINE_string("init_from", None, "A run whose weights a new run starts from.")
flags.DEFINE_bool("restart", False, "Start anew: removes what the run directory holds.")
flags.DEFINE_bool("dry_run", False, "Build, print what would run, and stop.")
flags.DEFINE_bool(
    "deterministic", False, "The same numbers bit for bit on a GPU too; slower."
)
flags.DEFINE_bool("progress", True, "Show a progress bar.")
flags.DEFINE_string("strategy", "auto", f"One of {', '.join(devices.STRATEGIES)}.")
flags.DEFINE_string("tpu", None, "The TPU's name; local on a TPU's own machine.")
flags.DEFINE_integer(
    "virtual_devices",
    0,
    "Tries several devices on one CPU; how many a --dry_run reckons with.",
    lower_bound=0,
    upper_bound=app.MOST_DEVICES,
)
flags.DEFINE_float(
    "rate", None, "Images a second that a --dry_run reckons with.", lower_bound=1e-3
)


def main() -> None:
    """Everything that can be refused early is, before TensorFlow is imported."""
    directory = RunDirectory(FLAGS.run_dir or _default_run_dir())
    gin_files = FLAGS.gin_file
    if not gin_files:
        directory.require()
        gin_files = [str(directory.config)]
    scanned = recipe.read(gin_files, FLAGS.gin_param, FLAGS.module)
    init_from = RunDirectory(FLAGS.init_from) if FLAGS.init_from else None
    if init_from and (FLAGS.restart or not directory.progressed()):
        init_from.require_checkpoint()
    devices.choose(FLAGS.strategy, FLAGS.tpu, FLAGS.virtual_devices)
    if FLAGS.dry_run:
        _describe(scanned, directory)
        return
    is_chief = devices.cluster().is_chief
    writing = directory.writing() if is_chief else contextlib.nullcontext()
    refreshed = reporting.refreshed(directory, FLAGS.module, wanted=is_chief)
    with Interruption() as interruption, refreshed, writing:
        _train(scanned, directory, interruption, init_from)


def _describe(scanned: recipe.Recipe, directory: RunDirectory) -> None:
    """Asks neither other workers nor a TPU."""
    app.import_tensorflow()
    from logan_tf.cli.running import description
    from logan_tf.configuration import bindings

    config = bindings.apply(scanned, FLAGS.module)
    config = directory.named(config, scanned.files[0])
    workers = len(devices.cluster().workers)
    rates = {"rates": [FLAGS.rate]} if FLAGS.rate else {}
    total_steps = scanned.value("Trainer.total_steps")
    replicas = FLAGS.virtual_devices or workers
    description.describe(config, total_steps, replicas, **rates)


def _train(
    scanned: recipe.Recipe,
    directory: RunDirectory,
    interruption: Interruption,
    init_from: RunDirectory | None,
) -> None:
    started = app.import_tensorflow(_start_devices)
    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings
    from logan_tf.training import strategy

    config = bindings.apply(scanned, FLAGS.module)
    config = directory.named(config, scanned.files[0])
    with strategy.watched(started):
        lifecycle.train(
            lifecycle.build(started),
            directory,
            config,
            progress=FLAGS.progress,
            restart=FLAGS.restart,
            interruption=interruption,
            init_from=init_from,
        )


def _start_devices():
    """The strategy of the flags."""
    import tensorflow as tf

    from logan_tf.training import strategy

    if FLAGS.deterministic:
        # Every operation gives the same bits again, or raises that it cannot.
        tf.config.experimental.enable_op_determinism()
    workers, task = devices.cluster()
    if len(workers) > 1:
        print(f"worker {task + 1} of {len(workers)} meets the others", flush=True)
    return strategy.create(FLAGS.strategy, FLAGS.tpu, FLAGS.virtual_devices)


def _default_run_dir() -> str:
    if not FLAGS.gin_file:
        raise ConfigurationError(
            "what shall be trained? Give --gin_file=gin/stacked_digits_logan.gin, "
            "say, or the --run_dir of a run to resume"
        )
    return f"runs/{recipe_files.find(FLAGS.gin_file[0]).stem}"


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/train --gin_file=gin/stacked_digits_logan.gin")
