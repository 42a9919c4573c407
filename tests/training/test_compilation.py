"""Who has XLA compile a step, and that a run which has it trains as any other."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.training import compilation
from logan_tf.training.step import TrainStep

STRATEGY = tf.distribute.get_strategy()
TWO = types.SimpleNamespace(num_replicas_in_sync=2)


def test_a_cpu_is_faster_without():
    assert not compilation.pays(STRATEGY)
    assert not compilation.pays(STRATEGY, False)
    assert compilation.pays(STRATEGY, True)


def test_a_device_where_it_pays(monkeypatch):
    monkeypatch.setitem(compilation._PAYS, "CPU", True)
    assert compilation.pays(STRATEGY)
    assert not compilation.pays(STRATEGY, False)
    assert not compilation.pays(TWO)


def test_what_cannot_be():
    assert not compilation.pays(TWO)
    with pytest.raises(ConfigurationError, match=r"one device.*2 replicas exchange"):
        compilation.pays(TWO, True)
    with pytest.raises(ConfigurationError, match="'auto', not 'yes'"):
        compilation.pays(STRATEGY, "yes")


@pytest.mark.usefixtures("xla")
def test_steps_that_xla_compiles(toy):
    rows = {}
    for wanted in (False, True):
        experiment = toy(optimizer=lambda: keras.optimizers.SGD(0.01))
        step = TrainStep(experiment, STRATEGY, wanted)
        batches = iter(STRATEGY.experimental_distribute_dataset(experiment.batches()))
        rows[wanted] = step.run(batches, 2)
        (traced,) = step._run._list_all_concrete_functions()
        library = traced.graph.as_graph_def().library.function
        compiled = [f for f in library if f.attr["_XlaMustCompile"].b]
        assert bool(compiled) == wanted
        assert int(step.step) == 2
    for name, values in rows[False].items():
        np.testing.assert_allclose(rows[True][name], values, 1e-3, 1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
def test_where_host_calls_end_changes_no_bit(toy, state, monkeypatch):
    """Seven steps by a program that takes up to three, in one call and in three."""
    monkeypatch.setattr(compilation, "_MOST_STEPS", 3)
    found = []
    for calls in ((7,), (1, 4, 2)):
        experiment = toy(optimizer=lambda: keras.optimizers.SGD(0.01))
        step = TrainStep(experiment, STRATEGY, True)
        batches = iter(experiment.batches())
        rows = [step.run(batches, count) for count in calls]
        assert int(step.step) == 7
        metrics = {
            name: np.concatenate([row[name] for row in rows]) for name in rows[0]
        }
        assert all(len(values) == 7 for values in metrics.values())
        found.append([*metrics.values(), *state(experiment).values()])
    for expected, values in zip(*found, strict=True):
        np.testing.assert_array_equal(values, expected)


def test_steps_of_a_program():
    def spec(size):
        return {"images": tf.TensorSpec([size], tf.float32)}

    assert compilation.steps_per_program(spec(64 * 16 * 16 * 3)) == 16
    assert compilation.steps_per_program(spec(2**22)) == 4
    assert compilation.steps_per_program(spec(2**26)) == 1
