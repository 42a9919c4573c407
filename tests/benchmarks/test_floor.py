"""The floor against its published formulas, and the step's graph against the floor."""

import pytest
import tensorflow as tf

from logan_tf.benchmarks import floor, variants
from logan_tf.game.schedules import Alternating, Simultaneous
from logan_tf.training import cost


def _units(experiment, name):
    variant = variants.of(experiment, name)
    return floor.of_step(variant.game, variant.schedule)


def test_simultaneous(small_sngan):
    experiment = small_sngan()
    assert _units(experiment, "baseline") == (3, 7)
    assert _units(experiment, "ngd") == _units(experiment, "gd") == (11, 11)
    assert _units(experiment, "ngd_first_order") == (3 + 2, 7 + 2)
    assert str(floor.Units(3, 7)) == "3g + 7d"
    assert floor.shared_backward(Simultaneous()) == 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_alternating(n, small_sngan):
    experiment = small_sngan(Alternating(n))
    assert _units(experiment, "baseline") == (n + 3, 6 * n + 2)
    assert _units(experiment, "ngd") == (5 * n + 9, 10 * n + 4)
    assert floor.shared_backward(Alternating(n)) == 0


def _games():
    """(schedule, variant); what tracing takes time for is not measured every day."""
    every_day = {
        (0, "baseline"),
        (0, "ngd"),
        (0, "ngd_stop_discriminator"),
        (0, "ngd_first_order"),
        (1, "ngd"),
    }
    for number, schedule in enumerate((Simultaneous(), Alternating(2))):
        for name in variants.NAMES:
            marks = () if (number, name) in every_day else pytest.mark.slow
            yield pytest.param(schedule, name, marks=marks, id=f"{number}-{name}")


@pytest.mark.parametrize(("schedule", "name"), _games())
def test_a_step_does_no_convolution_twice(schedule, name, small_sngan):
    """Convolutions ≤ 1.02 × the floor, and little less: the graph has all of them.

    The floor counts gradients of the first layers' inputs, some of which nobody needs.
    """
    experiment = small_sngan(schedule, batch_size=64)
    variant = variants.of(experiment, name)
    counted = cost.count_step(variant, tf.distribute.get_strategy())
    least = floor.of_step(variant.game, schedule).operations(
        cost.count_forward_pass(experiment)
    )
    assert 0.9 < counted.products / least <= 1.02


@pytest.mark.slow
def test_three_latent_steps(small_sngan):
    experiment = small_sngan(batch_size=64)
    rule = experiment.game.latent_rule
    rule.optimizer = rule.optimizer.with_steps(3)
    assert _units(experiment, "baseline") == (3, 7)
    units = _units(experiment, "ngd")
    counted = cost.count_step(experiment, tf.distribute.get_strategy())
    ratio = counted.products / units.operations(cost.count_forward_pass(experiment))
    assert 0.97 < ratio <= 1.02
