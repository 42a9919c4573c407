"""One experiment: the data, the players, the game and how they learn.

Everything scientific meets here; what runs it (the trainer, sampling, evaluation) takes
an `Experiment` and needs no configuration of its own.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from logan_tf import host_memory
from logan_tf.data.batch import WHOLE, Dataset, Drawn, Part, batches, drawn
from logan_tf.data.priors import uniform_prior
from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.game.dynamics.dynamics import Dynamics
from logan_tf.game.dynamics.plain import Plain
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer
from logan_tf.game.schedules import Schedule, Simultaneous
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.networks import fitting
from logan_tf.training.averaging import ExponentialMovingAverage
from logan_tf.training.optimization import Optimization, numbers_kept
from logan_tf.training.strategy import require_divisible

MOST_SEED = 2**31 - 1
PRECISIONS = ("float32", "mixed_bfloat16")
# What shapes without values raise.
_OF_SHAPES = (AttributeError, NotImplementedError, TypeError, ValueError)
_RATE = "learning_rate"  # So Keras names the variable of a constant one.


class Experiment:
    """Builds the networks and optimizers, all variables included.

    Create it inside a strategy's scope. Networks and the game are given as factories,
    because the averaged generator is a second network of the same kind.

    Args:
      dataset: real examples (`logan_tf.data`).
      generator: makes a generator.
      discriminator: makes a discriminator.
      generator_optimizer: a Keras optimizer.
      discriminator_optimizer: a Keras optimizer, another object.
      game: (generator, discriminator) → `Game`.
      schedule: `Simultaneous` or `Alternating`.
      dynamics: how the game's field becomes the players' update
        (`logan_tf.game.dynamics`); `Plain` where none is given.
      prior: (shape, seed) → latents.
      averaging: of the generator.
      batch_size: examples per update, over all replicas; 2 or more.
      precision: a Keras dtype policy of the networks: "float32", or "mixed_bfloat16",
        in which layers compute in bfloat16 with float32 variables; scores, losses and
        the latent step are float32 all the same.
      accumulation: micro-batches that an update's batch is split into; their gradients
        are averaged and applied once. A network without batch normalization then gets
        the gradient of the whole batch; batch normalization takes its moments over one
        micro-batch (of all replicas), and wants 2 examples or more in each.
      seed: 0 to 2³¹ − 1: of the initial weights, and of every batch.
      discriminator_constraint: what its optimizer holds each of the discriminator's
        weights to (`layers.weight_clipping`); None: what the network says of them.

    Raises:
      ConfigurationError: for parts that do not fit together.
    """

    def __init__(
        self,
        dataset: Dataset,
        generator: Callable[[], keras.Model],
        discriminator: Callable[[], keras.Model],
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        game: Callable[[keras.Model, keras.Model], Game] = Game,
        schedule: Schedule | None = None,
        dynamics: Dynamics | None = None,
        prior: Callable = uniform_prior,
        averaging: ExponentialMovingAverage | None = None,
        batch_size: int = 64,
        seed: int = 0,
        accumulation: int = 1,
        precision: str = "float32",
        discriminator_constraint: keras.constraints.Constraint | None = None,
    ) -> None:
        if batch_size < 2:
            raise ConfigurationError(
                f"batch_size must be 2 or more (batch normalization), not {batch_size}"
            )
        require_divisible(batch_size, 1, accumulation)
        if not 0 <= seed <= MOST_SEED:
            raise ConfigurationError(f"seed must be 0 to {MOST_SEED}, not {seed}")
        keras.utils.set_random_seed(seed)
        self.dataset = dataset
        self.schedule = schedule or Simultaneous()
        dynamics = dynamics or Plain()
        _require_one_evaluation(dynamics, accumulation)
        _require_all_players(dynamics, self.schedule)
        self.prior = prior
        self.averaging = averaging or ExponentialMovingAverage(decay=0.0)
        self.batch_size = batch_size
        self.accumulation = accumulation
        self.seed = seed
        optimizers = {
            DISCRIMINATOR: discriminator_optimizer,
            GENERATOR: generator_optimizer,
        }
        with _policy(precision):
            self.generator = generator()
            self.averaged_generator = generator()
            self.discriminator = discriminator()
            self.latent_dim = self.generator.latent_dim
            self._require_sizes()
            self._require_memory(optimizers)
            networks = (self.averaged_generator, self.generator)
            fitting.build(networks, self.discriminator, dataset)
        if discriminator_constraint is not None:
            for variable in self.discriminator.trainable_variables:
                variable.constraint = discriminator_constraint
        self.averaging.update(self.averaged_generator, self.generator, -1)
        self.game = game(self.generator, self.discriminator)
        self.game.build(self.dataset.shape)
        _require_whole_batches(self.game, accumulation)
        self.optimization = Optimization(self.game, optimizers, dynamics)

    @property
    def latent_optimizer(self) -> LatentOptimizer | None:
        """What moves the game's latents, or None."""
        return self.game.latent_rule.optimizer

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """By player."""
        return self.optimization.optimizers

    @property
    def images_per_step(self) -> int:
        """How many rounds of images a step takes."""
        return self.schedule.images_per_step * self.dynamics.rounds

    @property
    def latents_per_step(self) -> int:
        """How many rounds of latents it takes."""
        return self.schedule.latents_per_step * self.dynamics.rounds

    @property
    def dynamics(self) -> Dynamics:
        """How the field becomes the players' update."""
        return self.optimization.dynamics

    def state(self) -> dict[str, list[tf.Variable]]:
        """All that training changes, by what it belongs to, in a fixed order.

        What a checkpoint holds beside the numbers of the step and of the attempt, and
        the one list of it: networks with their spectral-norm vectors, the average, the
        optimizers, and what dynamics and penalties keep. Learning rates are no part of
        it, though Keras has them among an optimizer's variables: they are the recipe's.
        """
        networks = {
            "generator": self.generator,
            "averaged_generator": self.averaged_generator,
            "discriminator": self.discriminator,
        }
        state = {
            name: [v.value for v in held.variables] for name, held in networks.items()
        }
        for player, optimizer in self.optimizers.items():
            state[f"{player}_optimizer"] = [
                variable.value
                for variable in optimizer.variables
                if variable.name != _RATE
            ]
        state["dynamics"] = list(self.dynamics.variables)
        state["penalties"] = self.game.kept  # and what its augmentation keeps
        return state

    def require_replicas(self, replicas: int) -> None:
        """Raises ConfigurationError unless so many replicas can share a batch."""
        require_divisible(self.batch_size, replicas, self.accumulation)

    def _require_sizes(self) -> None:
        require_at_least(1, latent_dim=self.latent_dim)
        numbers = self.batch_size * (math.prod(self.dataset.shape) + self.latent_dim)
        host_memory.require(
            4 * numbers,
            f"a batch of {self.batch_size} examples with latents of {self.latent_dim} "
            "numbers",
            "lower batch_size or latent_dim",
        )

    def _require_memory(
        self, optimizers: Mapping[str, keras.optimizers.Optimizer]
    ) -> None:
        """Makes the variables without values, and asks whether these have room.

        An accelerator refuses what does not fit; without one, the system would kill the
        process.
        """
        if any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU")):
            return
        labels = keras.KerasTensor([2], "int32")
        latents = keras.KerasTensor([2, self.latent_dim])
        networks = (self.averaged_generator, self.generator, self.discriminator)
        inputs = (latents, latents, keras.KerasTensor([2, *self.dataset.shape]))
        # What is wrong with a network, or asks for values, is found where it is called.
        with (
            keras.StatelessScope(initialize_variables=False),
            contextlib.suppress(*_OF_SHAPES),
        ):
            for network, given in zip(networks, inputs, strict=True):
                network(given, labels)
        numbers = sum(_numbers(network.variables) for network in networks)
        for player, network in zip(
            (GENERATOR, DISCRIMINATOR), networks[1:], strict=True
        ):
            kept = numbers_kept(optimizers[player])
            numbers += kept * _numbers(network.trainable_variables)
        try:
            host_memory.require(
                4 * numbers,
                f"the networks, the average and the optimizers, {numbers:,} numbers,",
                "make the networks smaller",
            )
        except ConfigurationError:
            keras.utils.clear_session()  # Of variables that are to have values yet.
            raise
        with keras.StatelessScope():
            pass  # As it ends, all of them get their values.

    def batches(
        self, first_step: int = 0, attempt: int = 0, part: Part = WHOLE
    ) -> tf.data.Dataset:
        """The batches of training from `first_step` on; see `logan_tf.data.batch`."""
        return batches(
            self.dataset,
            **self._drawing(),
            seed=self.seed,
            attempt=attempt,
            first_step=first_step,
            part=part,
        )

    def drawn(self, step: tf.Tensor) -> Drawn:
        """What is drawn for a step's batch; see `logan_tf.data.batch`."""
        return drawn(
            step,
            **self._drawing(),
            seed=(self.seed, 0),
            num_classes=self.dataset.num_classes,
        )

    def _drawing(self) -> dict[str, Any]:
        return {
            "batch_size": self.batch_size,
            "latent_dim": self.latent_dim,
            "prior": self.prior,
            "images_per_step": self.images_per_step,
            "latents_per_step": self.latents_per_step,
            "num_draws": self.game.num_draws,
        }


def _numbers(variables: Iterable[keras.Variable]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _require_one_evaluation(dynamics: Dynamics, accumulation: int) -> None:
    """Refuses micro-batches to what evaluates the field at other weights too.

    Those are a loop around `strategy.run`, which no replica can enter from inside.
    """
    if accumulation > 1 and type(dynamics) is not Plain:
        raise ConfigurationError(
            f"accumulation = {accumulation} needs plain dynamics, not "
            f"{type(dynamics).__name__}: set accumulation = 1 and a smaller "
            "batch_size, or Experiment.dynamics = @Plain()"
        )


def _require_whole_batches(game: Game, accumulation: int) -> None:
    """Refuses micro-batches to penalties of the batch as a whole."""
    for penalty in game.penalties:
        if accumulation > 1 and penalty.needs_whole_batches:
            raise ConfigurationError(
                f"{type(penalty).__name__} is of a whole batch, and accumulation = "
                f"{accumulation} would make another penalty of it: set accumulation = "
                "1, or leave it out of Game.penalties"
            )


def _require_all_players(dynamics: Dynamics, schedule: Schedule) -> None:
    """Refuses updates of some players to what is defined for all at once."""
    together = all(set(update.players) == set(PLAYERS) for update in schedule.updates)
    if dynamics.needs_all_players and not together:
        raise ConfigurationError(
            f"{type(dynamics).__name__} needs a schedule that updates all players at "
            f"once, not {type(schedule).__name__}: set Experiment.schedule = "
            "@Simultaneous()"
        )


@contextlib.contextmanager
def _policy(precision: str) -> Iterator[None]:
    """Networks that are built inside have this dtype policy; later ones as before."""
    before = keras.config.dtype_policy()
    if precision not in PRECISIONS:
        raise ConfigurationError(
            f"Experiment.precision is one of {', '.join(PRECISIONS)}, not {precision!r}"
        )
    try:
        if precision != "float32":
            keras.config.set_dtype_policy(precision)
        yield
    finally:
        keras.config.set_dtype_policy(before)
