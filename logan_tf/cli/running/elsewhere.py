"""A run that leaves to train where there is no TensorFlow, and comes back."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import run_flags
from logan_tf.configuration import recipe
from logan_tf.errors import ConfigurationError
from logan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run

FLAGS = flags.FLAGS


def leave(
    folder: Path, batches: int, gin_files: Sequence[str], gin_params: Sequence[str]
) -> None:
    """Writes what a foreign runner needs to train on from a run's checkpoint.

    Args:
      folder: is made where it is missing.
      batches: how many of the first are written as they are.
      gin_files, gin_params: of a run that is yet to begin; its initial weights are its
        first checkpoint.

    Raises:
      ConfigurationError: there is no run, and no recipe to begin one.
    """
    run, _, step = _begun(gin_files, gin_params) or run_flags.open_run()
    from logan_tf.programs import training

    evaluator = run.evaluator
    source = training.Source(
        run.experiment, evaluator.graph, evaluator.standing_batches
    )
    source.steps_done.assign(step)
    print(
        "tracing the training step and writing it, minutes for a large one", flush=True
    )
    training.write(source, folder, batches)
    print(
        f"step {step} of {FLAGS.run_dir}, to train elsewhere: {folder}; "
        f"bin/export --run_dir={FLAGS.run_dir} --trained=FILE takes it back"
    )


def come_back(trained: Path) -> None:
    """Makes a runner's state the newest checkpoint of the run.

    Args:
      trained: .npz of every variable, by name, as the runner writes it.

    Raises:
      ConfigurationError: there is no run, the state is of another recipe, or of no
        later step than the run's checkpoint.
      BadDataError: the file cannot be read, or the checkpoint not be written.
    """
    run, directory, before = run_flags.open_run()
    import tensorflow as tf

    from logan_tf.programs import training
    from logan_tf.programs.names import names_of
    from logan_tf.training.checkpoints import Checkpoints

    steps_done = tf.Variable(0, dtype=tf.int64)
    checkpoints = Checkpoints(directory.checkpoints, run.experiment, steps_done)
    checkpoints.restore(FLAGS.checkpoint)  # Which is the best stays known.
    with directory.writing():
        step = training.read_state(trained, names_of(run.experiment, steps_done))
        if step <= before:
            raise ConfigurationError(
                f"{trained} has {step} steps, the run has {before}: train on from there"
            )
        checkpoints.save(hooks_pending=True)
    print(f"step {step} of {directory.path} is that of {trained}")


def _begun(
    gin_files: Sequence[str], gin_params: Sequence[str]
) -> tuple["Run", RunDirectory, int] | None:
    """A new run of a recipe, with its initial weights as its first checkpoint."""
    directory = RunDirectory(FLAGS.run_dir or ".", FLAGS.follow_links)
    if not gin_files or (FLAGS.run_dir and directory.exists()):
        return None
    if FLAGS.run_dir is None:
        raise ConfigurationError("where shall the run be? Give --run_dir=DIR")
    scanned = recipe.read(gin_files, gin_params, FLAGS.module)
    app.import_tensorflow()
    import tensorflow as tf

    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings
    from logan_tf.training.checkpoints import Checkpoints

    config = bindings.apply(scanned, FLAGS.module, FLAGS.trust)
    config = directory.named(config, scanned.files[0])
    run = lifecycle.build()
    with directory.writing():
        lifecycle.write_beginning(directory, config)
        steps_done = tf.Variable(0, dtype=tf.int64)
        Checkpoints(directory.checkpoints, run.experiment, steps_done).save()
    return run, directory, 0
