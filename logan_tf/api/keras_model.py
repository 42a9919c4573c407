"""LOGAN as a `keras.Model`: two networks of yours, `compile`, `fit`, `generate`."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from logan_tf.api.adapters import (
    Adapted,
    Scores,
    latent_dim_of,
    require_objects,
    shapes_that_fit,
    warn_of_layers,
)
from logan_tf.api.rounds import Rounds
from logan_tf.data.priors import Prior, uniform_prior
from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game.augmentation import Augmentation
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.field import Metrics
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import Objective, hinge
from logan_tf.game.penalties.penalty import Penalty
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.optimization import Optimization

_STANDING_BATCHES = 16
_KEPT = "kept_"
_NOT_TAKEN = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}


class _Trained(NamedTuple):
    """What averaging reads of a network: its fixed variables need no average."""

    trainable_variables: list[keras.Variable]
    non_trainable_variables: tuple[()] = ()


def logan_rule() -> LatentRule:
    """The paper's: one natural-gradient step, α 0.9, β 0.1, of 80 % of z; w_r 0.1."""
    step = LatentOptimizer(
        lambda g: natural_gradient_step(g, step_size=0.9, damping=0.1), fraction=0.8
    )
    return LatentRule(step, regularizer_weight=0.1)


class LOGAN(keras.Model):
    """Trains two networks by LOGAN, both players at once.

    Create it, like the networks, in the scope of the strategy that trains it.

    Args:
      generator: latents [batch, latent_dim] → images, of the range that `fit` is given
        (float32 in [−1, 1] after a tanh); it may take labels [batch] as well, by that
        name.
      discriminator: images → scores [batch] or [batch, 1], not squashed; with `labels`
        likewise.
      latent_rule: how latents move; "logan" is `logan_rule`; None: they do not.
      objective: of `logan_tf.game.objectives`.
      dynamics: of `logan_tf.game.dynamics`; None: `Plain`.
      penalties: of `logan_tf.game.penalties`.
      augmentation: of `logan_tf.game.augmentation`.
      prior: (shape, seed) → latents.
      averaging: of the generator's weights, which `generate` draws with.
      latent_dim: None: the generator's `latent_dim` or the size of its input.
      num_classes: of the labels; 0: the data has none.
      seed: 0 and more, of all that is drawn in training.

    Raises:
      ConfigurationError: for a number out of range, an argument of another kind, or
        networks that do not fit together.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        latent_rule: LatentRule | str | None = "logan",
        objective: Objective = hinge,
        dynamics: Dynamics | None = None,
        penalties: Sequence[Penalty] = (),
        augmentation: Augmentation | None = None,
        *,
        prior: Prior = uniform_prior,
        averaging: ExponentialMovingAverage | None = None,
        latent_dim: int | None = None,
        num_classes: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least(0, num_classes=num_classes, seed=seed)
        require_at_least(1, latent_dim=latent_dim)
        rule: Any = logan_rule() if latent_rule == "logan" else latent_rule
        require_objects(
            generator=(generator, keras.Layer),
            discriminator=(discriminator, keras.Layer),
            latent_rule=(rule, LatentRule),
            objective=(objective, Callable),
            dynamics=(dynamics, Callable),
            augmentation=(augmentation, Callable),
            prior=(prior, Callable),
            averaging=(averaging, ExponentialMovingAverage),
        )
        self.generator, self.discriminator = generator, discriminator
        self.num_classes = num_classes
        self._dynamics = dynamics or Plain()
        if self._dynamics.rounds > 1:
            raise ConfigurationError(
                f"{type(dynamics).__name__} takes {self._dynamics.rounds} batches an "
                "update, which fit has not: let both its gradients be of one"
            )
        self._averaging = averaging or ExponentialMovingAverage(0.999)
        self.latent_dim = latent_dim or latent_dim_of(generator)
        players = Adapted(generator, latent_dim=self.latent_dim), Scores(discriminator)
        self.game = Game(
            *players,
            objective=objective,
            latent_rule=rule,
            penalties=penalties,
            augmentation=augmentation,
        )
        self._rounds = Rounds(self.game, prior, self.latent_dim, num_classes, seed)
        optimizer = self.game.latent_rule.optimizer
        with shapes_that_fit():
            graph = SamplingGraph(*players, optimizer, prior, num_classes)
            self.game.build(graph.shape)
        self._sampler = Sampler(graph)
        warn_of_layers(generator, discriminator)
        self._step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        self._average = [self._copied(v) for v in generator.trainable_variables]
        self.built = True

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | str = "adam",
        discriminator_optimizer: keras.optimizers.Optimizer | str = "adam",
        **kwargs: Any,
    ) -> None:
        """Gives each player its optimizer.

        Args:
          generator_optimizer: a Keras optimizer, or its name.
          discriminator_optimizer: another object.
          **kwargs: as `keras.Model.compile` has them, but for losses and metrics. XLA
            compiles only where `jit_compile` says so.

        Raises:
          ConfigurationError: a loss or metrics; one optimizer for both.
        """
        for name in _NOT_TAKEN & kwargs.keys():
            raise ConfigurationError(
                f"{name} is not taken: each player has its optimizer, the loss is the "
                "objective, and metrics are the game's own"
            )
        super().compile(optimizer=None, **{"jit_compile": False} | kwargs)
        optimizers = {
            DISCRIMINATOR: keras.optimizers.get(discriminator_optimizer),
            GENERATOR: keras.optimizers.get(generator_optimizer),
        }
        if optimizers[DISCRIMINATOR] is optimizers[GENERATOR]:
            raise ConfigurationError("each player needs an optimizer of its own")
        self._optimization = Optimization(self.game, optimizers, self._dynamics)
        self.discriminator_optimizer = optimizers[DISCRIMINATOR]
        self.generator_optimizer = optimizers[GENERATOR]

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """The generator's images."""
        return self.game.generator(latents, labels, training=training)

    # Its loops are Python's; autograph would rewrite every function on the way.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> Metrics:
        """One update of both players.

        Args:
          data: images, or (images, labels), this replica's part of a batch.

        Returns:
          Scalars by name, each a mean over this replica's samples.
        """
        round_ = self._rounds.of(data, self._step.value)
        self.game.advance_spectral_norms()
        metrics = self._optimization.update(self.game.field(round_))
        self._averaging.update(
            _Trained(self._average),
            _Trained(self.generator.trainable_variables),
            self._step.value,
        )
        self._step.assign_add(1)
        return metrics

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Any) -> Metrics:
        """What `evaluate` and `fit(validation_data=…)` measure; nobody moves.

        Args:
          data: as `train_step`.

        Returns:
          The metrics of `train_step` that need no update, of the players as they are.
        """
        field = self.game.field(self._rounds.of(data, self._step.value))
        field()
        return field.metrics

    def generate(
        self,
        num: int,
        seed: int = 0,
        labels: np.ndarray | None = None,
        truncation: float = 1.0,
        latent_steps: int = 0,
    ) -> np.ndarray:
        """Draws samples with the averaged weights and standing statistics of theirs.

        Args:
          num: 1 or more; the first k are those of `num` = k.
          seed: of the samples.
          labels: integers [num], the classes to draw; None draws them too.
          truncation: of the latents, in (0, 1].
          latent_steps: how often latents step uphill first.

        Returns:
          float32 [num, *shape].

        Raises:
          ConfigurationError: for a value out of range.
        """
        settings = SamplingSettings(seed, latent_steps, truncation)
        with self._averaged():
            self._sampler.collect_standing(_STANDING_BATCHES, settings)
            return np.asarray(self._sampler.sample(num, settings, labels=labels).images)

    def save_own_variables(self, store: Any) -> None:
        """Of `save_weights`: the average, the step, and what methods keep as well."""
        super().save_own_variables(store)
        for index, variable in enumerate(self._kept()):
            store[f"{_KEPT}{index}"] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Of `load_weights`; compile first, for what dynamics and optimizers keep."""
        found = {name: store[name] for name in store.keys()}  # noqa: SIM118
        number = sum(name.startswith(_KEPT) for name in found)
        values = [found.pop(f"{_KEPT}{index}") for index in range(number)]
        super().load_own_variables(found)
        kept = self._kept()
        if number > len(kept):
            warnings.warn(
                "what the dynamics keep is not loaded: compile before load_weights",
                stacklevel=2,
            )
        for variable, value in zip(kept, values, strict=False):
            variable.assign(value)

    def _kept(self) -> list[tf.Variable]:
        """By penalties, and by dynamics once the model is compiled."""
        penalties = [v for each in self.game.penalties for v in each.variables]
        return [*penalties, *self._dynamics.variables]

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """The generator has its averaged weights inside, and its own again after."""
        variables = self.generator.trainable_variables
        before = [variable.numpy() for variable in variables]
        _assign(variables, self._average)
        try:
            yield
        finally:
            _assign(variables, before)

    def _copied(self, variable: keras.Variable) -> keras.Variable:
        """A variable of the same value for the average."""
        return self.add_weight(
            name=variable.name,
            shape=variable.shape,
            dtype=variable.dtype,
            initializer=lambda *_, **__: tf.convert_to_tensor(variable.value),
            trainable=False,
        )


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
