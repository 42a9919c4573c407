"""bin/train: trains a recipe in a run directory, from its last checkpoint on."""

import contextlib
import shlex
from functools import partial

from absl import flags

from logan_tf import installation
from logan_tf.cli import app
from logan_tf.cli.running import agreement, consent, meeting, reporting
from logan_tf.cli.running.interruption import Interruption
from logan_tf.configuration import recipe, recipe_files
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training import devices

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(consent)
flags.DEFINE_multi_string("gin_file", [], "Recipe; may be given several times.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'total_steps = 100'.")
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
flags.DEFINE_enum(
    "cluster", None, ["slurm"], "Who says who the workers are; TF_CONFIG by default."
)
flags.DEFINE_float(
    "wait_minutes",
    30.0,
    "How long the workers of TF_CONFIG wait for each other at the start.",
    lower_bound=0.0,
)
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
    directory = RunDirectory(FLAGS.run_dir or _default_run_dir(), FLAGS.follow_links)
    gin_files = FLAGS.gin_file
    if not gin_files:
        directory.require()
        gin_files = [str(directory.config)]
    scanned = recipe.read(gin_files, FLAGS.gin_param, FLAGS.module)
    init_from = None
    if FLAGS.init_from:
        init_from = RunDirectory(FLAGS.init_from, FLAGS.follow_links)
    if init_from and (FLAGS.restart or not directory.progressed()):
        init_from.require_checkpoint()
    if FLAGS.cluster:
        _ask_slurm()
    devices.choose(FLAGS.strategy, FLAGS.tpu, FLAGS.virtual_devices)
    if FLAGS.dry_run:
        _describe(scanned, directory)
        return
    is_chief = devices.cluster().is_chief
    writing = directory.writing() if is_chief else contextlib.nullcontext()
    refreshed = reporting.refreshed(directory, FLAGS.module, wanted=is_chief)
    with Interruption() as interruption, refreshed, writing:
        _train(scanned, directory, interruption, init_from)
    if is_chief:
        _say_what_is_there(directory, scanned.value("Trainer.total_steps"))


def _say_what_is_there(directory: RunDirectory, total_steps: int) -> None:
    """What a training left, and what can be typed next."""
    places = {
        f"step {total_steps:,}": directory.path,
        "report": directory.report,
        "samples": directory.samples,
    }
    run = shlex.quote(str(directory.path))
    typed = (
        f"bin/sample --run_dir={run} --output=grid.png",
        f"bin/evaluate --run_dir={run}",
    )
    for what, path in places.items():
        if path.exists():
            print(f"{what:<20}{path}")
    for what, command in zip(("next", ""), typed, strict=True):
        print(f"{what:<20}{installation.as_typed(command)}")


def _describe(scanned: recipe.Recipe, directory: RunDirectory) -> None:
    """Asks neither other workers nor a TPU."""
    app.import_tensorflow()
    from logan_tf.cli.running import description
    from logan_tf.configuration import bindings

    config = bindings.apply(scanned, FLAGS.module, FLAGS.trust)
    config = directory.named(config, scanned.files[0])
    _say_unread(config)
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
    _meet(scanned, directory)
    started = app.import_tensorflow(_start_devices)
    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings
    from logan_tf.training import strategy

    config = bindings.apply(scanned, FLAGS.module, FLAGS.trust)
    config = directory.named(config, scanned.files[0])
    if strategy.is_chief(started) and not directory.has(config):
        _say_unread(config)
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


def _ask_slurm() -> None:
    """TensorFlow knows how; its devices are started later, when all have met."""
    app.import_tensorflow(lambda: None)
    from logan_tf.cli.running import slurm

    slurm.announce()


def _meet(scanned: recipe.Recipe, directory: RunDirectory) -> None:
    """With several workers: waits for all, and refuses what they have not alike."""
    cluster = devices.cluster()
    if len(cluster.workers) == 1:
        return
    place = f"worker {cluster.task + 1} of {len(cluster.workers)}"
    print(f"{place} meets the others", flush=True)
    alike = {
        "restart": FLAGS.restart,
        "init_from": FLAGS.init_from,
        "deterministic": FLAGS.deterministic,
    }
    meeting.meet(
        cluster,
        {"the cluster": ", ".join(cluster.workers)}
        | agreement.facts(scanned, alike, FLAGS.module),
        directory.path,
        seconds=60 * FLAGS.wait_minutes,
        say=partial(print, flush=True),
    )


def _say_unread(config: str) -> None:
    """Names what the files say and no part of the recipe reads."""
    from logan_tf.configuration import reach

    if unread := reach.unread(config):
        print(f"nothing reads these of the configuration: {', '.join(unread)}")


def _start_devices():
    """The strategy of the flags."""
    import tensorflow as tf

    from logan_tf.training import strategy

    if FLAGS.deterministic:
        # Every operation gives the same bits again, or raises that it cannot.
        tf.config.experimental.enable_op_determinism()
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
