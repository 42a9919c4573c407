"""Fields and their Jacobians on one device, on two, or as one of two workers.

For `replica_run`, which starts the replicas; in float64 but for `look_ahead`.
"""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf

from logan_tf.api.keras_model import LOGAN
from logan_tf.data.points import Ring
from logan_tf.game import latent, objectives, weights
from logan_tf.game.dynamics.competitive import (
    AdaptiveCompetitiveGradientDescent,
    CompetitiveGradientDescent,
)
from logan_tf.game.dynamics.consensus import Consensus
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.extrapolation_from_the_past import (
    ExtrapolationFromThePast,
)
from logan_tf.game.dynamics.follow_the_ridge import FollowTheRidge
from logan_tf.game.dynamics.joint_gradient_norm import JointGradientNorm
from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.dynamics.nagarajan_kolter import NagarajanKolter
from logan_tf.game.dynamics.optimistic import Optimistic
from logan_tf.game.dynamics.symplectic import SymplecticGradientAdjustment
from logan_tf.game.dynamics.unrolled import Unrolled
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.penalties.consistency import BalancedConsistency
from logan_tf.game.penalties.dragan import Dragan
from logan_tf.game.penalties.feature_matching import FeatureMatching
from logan_tf.game.penalties.historical_averaging import HistoricalAveraging
from logan_tf.game.penalties.lecam import LeCam
from logan_tf.game.penalties.orthogonality import Orthogonality
from logan_tf.game.penalties.penalty import Penalty
from logan_tf.game.penalties.pulling_away import PullingAway
from logan_tf.game.penalties.wgan_gp import WganGp
from logan_tf.game.penalties.zero_centred import R1, R2
from logan_tf.game.replicas import summed
from logan_tf.game.round import Round
from logan_tf.game.weights import PLAYERS
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.spectral_normalization import SpectralDense
from logan_tf.networks import mlp
from logan_tf.networks.around import minibatch
from logan_tf.training import strategy as strategies
from logan_tf.training.experiment import Experiment
from logan_tf.training.step import TrainStep

RATE, BATCH = 0.05, 8


class Shifted:
    """An augmentation of points: each by its own draws."""

    num_draws = 2

    def __call__(self, images, draws):
        return images + draws


# Each once, with as few iterations as take part in its sums.
DYNAMICS = {
    "consensus": Consensus(0.5),
    "symplectic": SymplecticGradientAdjustment(0.5, align=True),
    "nagarajan_kolter": NagarajanKolter(0.5),
    "joint_gradient_norm": JointGradientNorm(),
    "extragradient": Extragradient(),
    "extrapolation_from_the_past": ExtrapolationFromThePast(),
    "optimistic": Optimistic(),
    "momentum": Momentum(-0.5),
    "unrolled": Unrolled(2, 0.1, adam=True),
    "competitive": CompetitiveGradientDescent(0.1, iterations=1),
    "adaptive": AdaptiveCompetitiveGradientDescent(0.1, iterations=1),
    "follow_the_ridge": FollowTheRidge(iterations=1),
    "fresh": Extragradient(fresh_batch=True),
}
PENALTIES = {
    "wgan_gp": lambda: WganGp(3.0),
    "dragan": lambda: Dragan(3.0),
    "r1": lambda: R1(3.0),
    "r2": lambda: R2(3.0),
    "lecam": lambda: LeCam(3.0),
    "consistency": lambda: BalancedConsistency(3.0, 3.0, Shifted()),
    "feature_matching": lambda: FeatureMatching(3.0),
    "pulling_away": lambda: PullingAway(3.0),
    "history": lambda: HistoricalAveraging(3.0, "generator"),
    "orthogonality": lambda: Orthogonality(3.0),
}


class Nothing(Penalty):
    """Of nobody."""

    player = "nobody"


class SmallGenerator(keras.Model):
    """Batch norm and tanh: small enough for third derivatives."""

    def __init__(self) -> None:
        super().__init__()
        self.layers_ = [keras.layers.Dense(4), BatchNormalization()]
        self.points = keras.layers.Dense(2)

    def call(self, latents, labels=None, training=True):
        project, normalize = self.layers_
        return self.points(tf.tanh(normalize(project(latents), training=training)))


class SmallDiscriminator(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.score = SpectralDense(4), SpectralDense(1)

    def call(self, images, labels=None):
        return tf.squeeze(self.score(self.features(images)), -1)

    def features(self, images, labels=None):
        return tf.tanh(self.hidden(images))


@contextlib.contextmanager
def float64():
    """Networks that are built inside are the same ones, in float64."""
    keras.utils.set_random_seed(0)
    before, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    yield
    keras.config.set_dtype_policy(before)
    keras.config.set_floatx(floatx)


def networks(strategy, comparing: bool = False) -> tuple[keras.Model, keras.Model]:
    """A generator and a discriminator, the same ones every time.

    Args:
      comparing: whether the discriminator compares the samples of a batch.
    """
    with float64(), strategy.scope():
        generator, discriminator = SmallGenerator(), SmallDiscriminator()
        if comparing:
            discriminator = minibatch.Discriminator(SmallDiscriminator, 3, 2)
        discriminator(generator(tf.zeros([2, 3])))
    return generator, discriminator


def rounds(strategy, images, latents):
    """Each replica's rows, as a round without labels."""

    def rows(context):
        each = len(latents) // context.num_replicas_in_sync
        start = context.replica_id_in_sync_group * each
        part = slice(start, start + each)
        labels = tf.zeros([each], tf.int32)
        return Round(
            tf.constant(images[part]), labels, tf.constant(latents[part]), labels
        )

    return strategy.experimental_distribute_values_from_function(rows)


def second_order(strategy, name, call=lambda layer, x: layer(x)):
    """First and second derivative through batch normalization, in float64."""
    x = np.random.default_rng(1).normal(size=(BATCH, 3)) ** 3
    with strategy.scope():
        layer = BatchNormalization(dtype="float64")
        layer.build(x.shape)

    def on_replica(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                total = tf.reduce_sum(tf.tanh(call(layer, x)) ** 2)
            first = inner.gradient(total, x)
            norm = tf.reduce_sum(first**2)
        return first, outer.gradient(norm, x)

    def rows(context):
        each = BATCH // context.num_replicas_in_sync
        start = context.replica_id_in_sync_group * each
        return tf.constant(x[start : start + each])

    own = strategy.experimental_distribute_values_from_function(rows)
    found = tf.function(lambda own: strategy.run(on_replica, args=(own,)))(own)
    return {
        f"{name}/{order}": strategy.gather(value, axis=0).numpy()
        for order, value in zip(("first", "second"), found, strict=True)
    }


def products(strategy) -> dict[str, np.ndarray]:
    """The field of LOGAN elsewhere than at its own weights, J u, J'u, and one unrolled
    step, through batch norm and spectral norm.
    """
    generator, discriminator = networks(strategy)
    step = latent.LatentOptimizer(
        lambda g: latent.natural_gradient_step(g, 0.9, 0.1), fraction=0.8
    )
    game = Game(generator, discriminator, latent_rule=LatentRule(step, 0.1))
    rng = np.random.default_rng(3)
    points, latents = rng.normal(size=(BATCH, 2)), rng.uniform(-1, 1, (BATCH, 3))
    u = {
        player: [tf.constant(rng.normal(size=v.shape)) for v in game.variables(player)]
        for player in PLAYERS
    }

    def on_replica(round_):
        field = game.field(round_)
        own = field.weights
        at = weights.moved(own, u, 0.01)
        with tf.GradientTape() as tape:
            tape.watch(own["generator"])
            slope = field(own, players=["discriminator"])
            loss = field.loss("generator", weights.moved(own, slope, -0.1))
        unrolled = summed(tape.gradient(loss, own["generator"]))
        return field(at), field.along(u, at), field.transposed(u, at), unrolled

    # Eagerly: to trace third derivatives takes six times as long.
    own = rounds(strategy, points, latents)
    found = strategy.run(on_replica, args=(own,))
    first = strategy.experimental_local_results
    names = ("field", "along", "transposed", "unrolled")
    return {
        f"products/{name}/{index}": first(value)[0].numpy()
        for name, vector in zip(names, found, strict=True)
        for index, value in enumerate(tf.nest.flatten(vector))
    }


def dynamics(strategy) -> dict[str, np.ndarray]:
    """Two updates of all dynamics, from the same weights, in float64. Without latent
    optimization, which `products` has: each takes seconds to trace.
    """
    game = Game(*networks(strategy), objectives.non_saturating)
    with strategy.scope():
        for each in DYNAMICS.values():
            each.build(
                game.weights(), lambda v: weights.moved(game.weights(), v, -RATE)
            )

    def on_replica(round_, other):
        field = functools.partial(game.field, round_, others=(other,))
        return {name: each(field()) for name, each in DYNAMICS.items()}

    rng = np.random.default_rng(4)
    own, other = (
        rounds(strategy, rng.normal(size=(BATCH, 2)), rng.normal(size=(BATCH, 3)))
        for _ in range(2)
    )
    found = {}
    for update in range(2):  # Eagerly, as `products`.
        vectors = strategy.run(on_replica, args=(own, other))
        for name, vector in strategy.experimental_local_results(vectors)[0].items():
            for index, value in enumerate(tf.nest.flatten(vector)):
                found[f"dynamics/{name}/{update}/{index}"] = value.numpy()
    return found


def penalties(strategy) -> dict[str, np.ndarray]:
    """The field of LOGAN with each penalty, and a network that couples samples."""
    step = latent.LatentOptimizer(lambda g: latent.gradient_step(g, 0.5))
    rng = np.random.default_rng(6)
    own = rounds(strategy, rng.normal(size=(BATCH, 2)), rng.normal(size=(BATCH, 3)))
    found = {}
    for name, make in (PENALTIES | {"comparing": Nothing}).items():
        with strategy.scope():
            penalty = make()
        pair = networks(strategy, comparing=name == "comparing")
        game = Game(*pair, latent_rule=LatentRule(step), penalties=[penalty])
        with strategy.scope():
            game.build((2,))
            for number, variable in enumerate(penalty.variables):
                variable.assign(variable + 0.1 * (number + 1))
        played = strategy.run(lambda round_, game=game: game.field(round_)(), (own,))
        gradients = strategy.experimental_local_results(played)[0]
        for index, value in enumerate(tf.nest.flatten(gradients)):
            found[f"penalties/{name}/{index}"] = value.numpy()
    return found


def look_ahead(strategy) -> dict[str, np.ndarray]:
    """Weights after three steps of extragradient, by the players' own optimizers."""
    with strategy.scope():
        experiment = Experiment(
            dataset=Ring(),
            generator=lambda: mlp.Generator(latent_dim=4, hidden=(8,)),
            discriminator=lambda: mlp.Discriminator(hidden=(8,)),
            generator_optimizer=keras.optimizers.SGD(0.5),
            discriminator_optimizer=keras.optimizers.SGD(0.5),
            dynamics=Extragradient(),
            batch_size=BATCH,
            seed=1,
        )
    step = TrainStep(experiment, strategy)
    step.run(
        strategies.distributed(strategy, lambda part: experiment.batches(part=part)), 3
    )
    return {
        f"look_ahead/{player}/{index}": variable.numpy()
        for player in PLAYERS
        for index, variable in enumerate(experiment.game.variables(player))
    }


def keras_fit(strategy) -> dict[str, np.ndarray]:
    """A `keras.Model` after two steps: what each replica has, and its metrics."""
    with strategy.scope():
        generator = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
        discriminator = keras.Sequential([keras.Input([2]), SpectralDense(1)])
        model = LOGAN(generator, discriminator)
        model.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    points = np.random.default_rng(5).normal(size=(2 * BATCH, 2)).astype(np.float32)
    history = model.fit(points, batch_size=BATCH, shuffle=False, verbose=0)
    found = {f"keras/metric/{k}": np.array(v) for k, v in history.history.items()}
    for index, variable in enumerate(model.variables):
        copies = strategy.experimental_local_results(variable.value)
        for replica, copy in enumerate(copies):
            found[f"keras/{replica}/{index}"] = copy.numpy()
    return found
