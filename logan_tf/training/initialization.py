"""Another run's weights as those that a new run starts from.

The new run takes both players, the averaged generator and the spectral-norm vectors. It
counts its steps from 0, and optimizers, data and everything random are its own. An
average that starts late (`ExponentialMovingAverage.start_step`) is a copy of the
generator until then.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from logan_tf import small_files
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.checkpoints import reading
from logan_tf.training.experiment import Experiment

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_TAKEN = ("generator", "averaged_generator", "discriminator")  # Of the state.


def initialize(
    experiment: Experiment,
    source: RunDirectory,
    *,
    warn: Callable[[str], None] = print,
    io_device: str | None = None,
) -> dict[str, Any]:
    """Gives an experiment the weights of a run's newest checkpoint that is whole.

    Args:
      experiment: just built.
      source: the run; nothing of it is changed.
      warn: is told of damaged checkpoints that were passed over.
      io_device: what reads files, as for `Checkpoints`.

    Returns:
      Where the weights came from: "run" and "step".

    Raises:
      ConfigurationError: if the run holds no checkpoint or has other networks.
      BadDataError: if none of its checkpoints is whole.
    """
    files = CheckpointFiles(source.checkpoints)
    for step in files.choose("latest"):
        try:
            with reading(files, step) as path:
                _read(experiment, path, io_device)
            return {"run": str(source.path.resolve()), "step": step}
        except BadDataError as error:
            warn(f"the checkpoint of step {step} of {source.path} is damaged: {error}")
    raise BadDataError(
        f"{source.path} holds no checkpoint that is whole: see bin/doctor {source.path}"
    )


def require_same_source(directory: RunDirectory, source: RunDirectory) -> None:
    """A run that goes on does so from its own checkpoint, whatever it began with.

    Raises:
      ConfigurationError: unless it began with the weights of `source`.
    """
    try:
        noted = small_files.read_json(directory.initialization)["run"]
    except small_files.GARBLED:
        noted = None
    if noted != str(source.path.resolve()):
        raise ConfigurationError(
            f"{directory.path} has checkpoints of its own and did not begin with the "
            f"weights of {source.path}: leave out --init_from to go on, or start anew "
            "with --restart or another --run_dir"
        )


def _read(experiment: Experiment, path: str, io_device: str | None) -> None:
    networks = {name: experiment.state()[name] for name in _TAKEN}
    own = {
        f"{name}/{index}": variable.shape.as_list()
        for name, variables in networks.items()
        for index, variable in enumerate(variables)
    }
    shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
    found = {
        name.removesuffix(_VALUE): shape
        for name, shape in shapes.items()
        if name.split("/")[0] in networks and name.endswith(_VALUE)
    }
    for name in (*own, *sorted(found)):
        if found.get(name) != own.get(name):
            raise ConfigurationError(
                "--init_from holds other networks than this configuration (variable "
                f"{name} is {found.get(name, 'missing')} there and "
                f"{own.get(name, 'missing')} here): give them the same sizes, "
                "or choose another --init_from"
            )
    options = tf.train.CheckpointOptions(experimental_io_device=io_device)
    status = tf.train.Checkpoint(**networks).read(path, options=options)
    status.assert_existing_objects_matched().expect_partial()
