"""All that trains a recipe where there is XLA and no TensorFlow.

A folder of programs and numbers: `step.stablehlo` takes several training steps,
`draw.stablehlo` makes the latents for them, the same ones as `bin/train`,
`sample.stablehlo` draws samples of the averaged generator. `state.npz` has every
variable at the start, `images.npz` training images, `batches.npz` the batches of the
first steps exactly as `bin/train` takes them; `manifest.json` says what goes in and
out. `benchmarks/train_with_jax.py` is a runner; the state that it brings back becomes a
checkpoint of a run.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from logan_tf import atomic_file, small_files
from logan_tf.data.batch import Batch
from logan_tf.errors import BadDataError, ConfigurationError, first_line
from logan_tf.programs.lowering import Program, lower, make_folder
from logan_tf.programs.names import names_of
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.training import compilation
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

MANIFEST = "manifest.json"
_IMAGES = 60_000


class Source:
    """What is written of one recipe.

    Args:
      experiment: of one replica, as it stands.
      graph: that samples its averaged generator.
      standing_batches: behind the standing statistics.

    Attributes:
      steps_done: int64 variable.
      variables: all that a step reads, by name.
    """

    def __init__(
        self, experiment: Experiment, graph: SamplingGraph, standing_batches: int
    ) -> None:
        self._experiment = experiment
        self._graph = graph
        self._standing_batches = standing_batches
        self._step = TrainStep(experiment, tf.distribute.get_strategy(), False)
        self.steps_done = self._step.step
        self.variables = names_of(experiment, self.steps_done)
        self._spec = experiment.batches().element_spec
        self._most = compilation.steps_per_program(self._spec)

    def step(self) -> Program:
        """Several training steps, with as many batches as they may be."""
        given = {
            name: tf.TensorSpec([self._most, *x.shape], x.dtype)
            for name, x in self._spec._asdict().items()
            if x != ()
        }

        def steps(*tensors: tf.Tensor) -> tf.Tensor:
            *each, count = tensors
            named = dict(zip(given, each, strict=True))
            return self._step.several_steps(Batch(**named), count)

        return lower(
            steps,
            given | {"count": tf.TensorSpec([], tf.int32)},
            self.variables,
            lambda: ["metrics: " + ", ".join(self._step.metric_names)],
        )

    def drawn(self) -> Program:
        """Latents and all else that is drawn for as many steps as `step` takes."""
        names: list[str] = []

        def draw(first: tf.Tensor) -> list[tf.Tensor]:
            steps = [
                self._experiment.drawn(first + index) for index in range(self._most)
            ]
            names[:] = [n for n, x in steps[0]._asdict().items() if tf.is_tensor(x)]
            return [tf.stack([getattr(step, n) for step in steps]) for n in names]

        first = {"first": tf.TensorSpec([], tf.int64)}
        return lower(draw, first, self.variables, lambda: names)

    def sampler(self) -> Program:
        """A batch of samples, from number `first` of a seed on, as `bin/sample` has it.

        They are plain samples: no truncation, no latent steps.
        """

        def sample(seed: tf.Tensor, first: tf.Tensor) -> list[tf.Tensor]:
            statistics = self._graph.collect(
                seed,
                tf.constant(1.0),
                None,
                num_batches=self._standing_batches,
                batch_size=self._experiment.batch_size,
            )
            samples = self._graph.batch(first, seed, statistics)
            return [samples.images, samples.labels]

        number = tf.TensorSpec([], tf.int64)
        return lower(
            sample,
            {"seed": number, "first": number},
            self.variables,
            lambda: ["images", "labels"],
        )

    def state(self) -> dict[str, np.ndarray]:
        """Every variable, by name."""
        return {name: each.numpy() for name, each in self.variables.items()}

    def batches(self, number: int) -> dict[str, np.ndarray]:
        """The first batches of training: [number, …] each."""
        taken = list(self._experiment.batches().take(number))
        names = [name for name, x in taken[0]._asdict().items() if tf.is_tensor(x)]
        return {
            name: np.stack([getattr(batch, name).numpy() for batch in taken])
            for name in names
        }

    def images(self) -> dict[str, np.ndarray]:
        """The first training images in the data's order, uint8, and their labels."""
        images, labels = [], []
        for some, theirs in self._ordered():
            images.append(some)
            labels.append(theirs)
            if sum(map(len, images)) >= _IMAGES:
                break
        joined = {"images": images, "labels": labels}
        return {name: np.concatenate(x)[:_IMAGES] for name, x in joined.items()}

    def _ordered(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        ordered = getattr(self._experiment.dataset, "ordered", None)
        if ordered is None:
            raise ConfigurationError(
                "this data set has no pictures to hand over: points are drawn here"
            )
        return ordered("train")


def write(source: Source, folder: Path, batches: int) -> None:
    """Writes all that a runner needs.

    Args:
      source: of the recipe.
      folder: is made where it is missing.
      batches: how many are written as they are.
    """
    make_folder(folder, "train_step")
    manifest: dict[str, Any] = {}
    for name, program in (
        ("step", source.step()),
        ("draw", source.drawn()),
        ("sample", source.sampler()),
    ):
        path = folder / f"{name}.stablehlo"
        atomic_file.write_text(path, program.text)
        manifest[name] = program.entry(path.name)
    for name, arrays in (
        ("state", source.state()),
        ("images", source.images()),
        ("batches", source.batches(batches)),
    ):
        with atomic_file.replacing(folder / f"{name}.npz") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    atomic_file.write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def read_state(path: Path, variables: dict[str, tf.Variable]) -> int:
    """Gives the variables the values of a runner's file.

    Args:
      path: .npz of an array a variable, by name.
      variables: as `Source.variables`.

    Returns:
      The steps done.

    Raises:
      BadDataError: the file cannot be read.
      ConfigurationError: it is of another recipe.
    """
    try:
        values = small_files.read_arrays(path)
    except Exception as error:  # whatever NumPy and zipfile say of damage
        raise BadDataError(
            f"{path} is no state of a run ({first_line(error)}): let the runner write "
            "it again"
        ) from error
    if missing := sorted(variables.keys() - values.keys()):
        raise ConfigurationError(
            f"{path} lacks {missing[0]} and {len(missing) - 1} more: it is of another "
            "recipe"
        )
    for name, variable in variables.items():
        kind = values[name].dtype, values[name].shape
        expected = variable.dtype.as_numpy_dtype, tuple(variable.shape)
        if kind != expected:
            raise ConfigurationError(
                f"{path} has {name} of {kind[0]} and shape {kind[1]}, the recipe "
                f"of {variable.dtype.name} and {expected[1]}: it is of another recipe"
            )
    for name, variable in variables.items():
        variable.assign(values[name])
    return int(values["step"])
