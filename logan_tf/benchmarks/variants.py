"""What is compared: the recipe's game without a latent step, with each kind of step,
and with each part of the second-order gradient left out.
"""

import copy
from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from logan_tf.data.batch import Batch
from logan_tf.errors import ConfigurationError
from logan_tf.game import latent
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS
from logan_tf.training.cost import batch_spec
from logan_tf.training.experiment import Experiment

# Settings of Table 4; a step's numbers do not change its time.
_STEPS = {
    "gd": partial(latent.gradient_step, step_size=0.01),
    "ngd": partial(latent.natural_gradient_step, step_size=0.9, damping=0.1),
}
_FRACTION, _REGULARIZER_WEIGHT = 0.8, 0.1

_STOPS: dict[str, tuple[str, ...]] = {
    "ngd_stop_discriminator": (DISCRIMINATOR,),
    "ngd_stop_generator": (GENERATOR,),
    "ngd_stop_both": PLAYERS,
    "ngd_first_order": PLAYERS,
}

NAMES = ("baseline", *_STEPS, *_STOPS)
"""The baseline; eq. 4; eq. 16; Fig. 5b's ablations, in which Δz is a constant in the
adversarial term; and first-order LOGAN, in which it is one in the regularizer too.
"""


def check(names: Sequence[str]) -> None:
    """Raises ConfigurationError for a name that no variant has."""
    for name in names:
        if name not in NAMES:
            raise ConfigurationError(
                f"there is no variant {name!r}: choose among {', '.join(NAMES)}"
            )


def of(experiment: Experiment, name: str) -> Experiment:
    """The same networks and optimizers in another game.

    The latent's fraction, steps and bounds are the recipe's where it has a latent step.

    Args:
      experiment: whose variables the result shares.
      name: one of `NAMES`.

    Returns:
      An experiment that can be trained as any other.
    """
    base = experiment.game
    variant = copy.copy(experiment)
    variant.game = copy.copy(base)
    variant.game.latent_rule = _rule(base.latent_rule, name)
    return variant


def _rule(base: LatentRule, name: str) -> LatentRule:
    """A variant's latent rule, with what the recipe's has of its numbers."""
    if name == "baseline":
        return LatentRule()
    own = base.optimizer
    optimizer = latent.LatentOptimizer(
        _STEPS[name.split("_")[0]],
        own.fraction if own else _FRACTION,
        own.num_steps if own else 1,
        own.bounds if own else (-1.0, 1.0),
    )
    return LatentRule(
        optimizer,
        base.regularizer_weight if own else _REGULARIZER_WEIGHT,
        stop_gradient=_STOPS.get(name, ()),
        stop_regularizer=name == "ngd_first_order",
    )


def noise(experiment: Experiment, replicas: int = 1) -> Batch:
    """A batch of the experiment's shapes: uniform noise, labels 0; needs no data.

    Args:
      replicas: that share it; it is one's part.
    """
    spec = batch_spec(experiment, replicas)
    least = {"images": -1, "latents": -1}  # The rest is uniform in [0, 1), or labels.
    return Batch(
        **{
            name: tf.nest.map_structure(
                lambda x, name=name, seed=seed: (
                    tf.zeros(x.shape, x.dtype)
                    if x.dtype.is_integer
                    else tf.random.stateless_uniform(
                        x.shape, (0, seed), least.get(name, 0), 1
                    )
                ),
                each,
            )
            for seed, (name, each) in enumerate(spec._asdict().items())
        }
    )


def split(batch: Batch, strategy: tf.distribute.Strategy) -> Batch:
    """The same batch with an equal part of it for each replica."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batch
    return strategy.experimental_distribute_values_from_function(
        lambda context: Batch(
            *(
                tf.nest.map_structure(
                    lambda x: tf.split(x, replicas)[context.replica_id_in_sync_group],
                    tuple(batch),
                )
            )
        )
    )
