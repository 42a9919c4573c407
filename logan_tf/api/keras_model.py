"""LOGAN as a `keras.Model`: two networks of yours, `compile`, `fit`, `generate`."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from logan_tf.api.adapters import Adapted, Scores, latent_dim_of, warn_of_layers
from logan_tf.data.priors import Prior, uniform_prior
from logan_tf.data.random_access import derive_seed
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
from logan_tf.game.round import Round
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR
from logan_tf.sampling.graph import SamplingGraph
from logan_tf.sampling.sampler import Sampler
from logan_tf.sampling.settings import SamplingSettings
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.optimization import Optimization

_LATENTS, _LABELS, _REAL_DRAWS, _FAKE_DRAWS = range(4)
_STANDING_BATCHES = 16
_KEPT = "kept_"


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
      generator: latents [batch, latent_dim] → images; it may take labels [batch] as
        well, by that name.
      discriminator: images → scores [batch] or [batch, 1]; with `labels` likewise.
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
      ConfigurationError: for a number out of range, or networks that do not fit.
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
        if isinstance(latent_rule, str) and latent_rule != "logan":
            raise ConfigurationError(
                f'latent_rule is "logan", a LatentRule or None, not {latent_rule!r}'
            )
        self.generator, self.discriminator = generator, discriminator
        self.num_classes = num_classes
        self._prior, self._seed = prior, seed
        self._dynamics = dynamics or Plain()
        if self._dynamics.rounds > 1:
            raise ConfigurationError(
                f"{type(dynamics).__name__} takes {self._dynamics.rounds} batches an "
                "update, which fit has not: let both its gradients be of one"
            )
        self._averaging = averaging or ExponentialMovingAverage(0.999)
        self.latent_dim = latent_dim or latent_dim_of(generator)
        players = Adapted(generator, latent_dim=self.latent_dim), Scores(discriminator)
        rule = logan_rule() if isinstance(latent_rule, str) else latent_rule
        self.game = Game(
            *players,
            objective=objective,
            latent_rule=rule,
            penalties=penalties,
            augmentation=augmentation,
        )
        self._sampler = Sampler(
            SamplingGraph(*players, self.game.latent_rule.optimizer, prior, num_classes)
        )
        self.game.build(self._sampler.graph.shape)
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
        """
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
        round_ = self._round(*data) if isinstance(data, tuple) else self._round(data)
        self.game.advance_spectral_norms()
        metrics = self._optimization.update(self.game.field(round_))
        self._averaging.update(
            _Trained(self._average),
            _Trained(self.generator.trainable_variables),
            self._step.value,
        )
        self._step.assign_add(1)
        return metrics

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

    def _round(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> Round:
        """What this replica's update needs, drawn by (seed, step, replica)."""
        size = tf.shape(images)[0]
        replica = tf.distribute.get_replica_context()
        seed = derive_seed(
            tf.constant((self._seed, 0), tf.int64),
            self._step.value,
            0 if replica is None else replica.replica_id_in_sync_group,
        )
        streams = [derive_seed(seed, stream) for stream in range(4)]
        none = tf.zeros([size], tf.int32)
        if labels is None and self.num_classes:
            raise ConfigurationError("num_classes is set: fit needs (images, labels)")
        fake_labels = none
        if self.num_classes:
            fake_labels = tf.random.stateless_uniform(
                [size], streams[_LABELS], 0, self.num_classes, tf.int32, alg="philox"
            )
        draws: tuple[Any, Any] = ((), ())
        if self.game.num_draws:
            draws = tuple(
                tf.random.stateless_uniform([size, self.game.num_draws], each)
                for each in streams[_REAL_DRAWS:]
            )
        return Round(
            images=tf.cast(images, keras.config.floatx()),
            labels=none if labels is None else tf.cast(labels, tf.int32),
            latents=self._prior((size, self.latent_dim), streams[_LATENTS]),
            fake_labels=fake_labels,
            image_draws=draws[0],
            fake_draws=draws[1],
        )


def _assign(variables: Sequence[keras.Variable], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
