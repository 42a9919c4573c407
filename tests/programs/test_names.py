"""Names that do not depend on what a process built before."""

import keras

from logan_tf.programs.names import canonical, names_of
from logan_tf.training.step import TrainStep


def test_layers_are_counted_anew():
    paths = [
        "net_3/conv_7/kernel",
        "net_3/conv_7/bias",
        "net_3/conv_8/kernel",
        "net_3/block_1/conv_9/kernel",
        "net_3/block_2/conv_10/kernel",
        "net_3/scale",
    ]
    assert canonical(paths) == [
        "conv/kernel",
        "conv/bias",
        "conv_1/kernel",
        "block/conv/kernel",
        "block_1/conv/kernel",
        "scale",
    ]


def test_whatever_was_built_before(small_sngan, strategy):
    def names():
        experiment = small_sngan()
        step = TrainStep(experiment, strategy).step
        return names_of(experiment, step)

    first = names()
    keras.layers.Conv2D(3, 3).build((None, 4, 4, 3))
    second = names()
    assert list(first) == list(second)
    handles = {id(variable.handle) for variable in second.values()}
    assert len(handles) == len(second)


def test_they_say_what_a_variable_is_of(small_sngan, strategy):
    experiment = small_sngan()
    named = names_of(experiment, TrainStep(experiment, strategy).step)
    for holder, network in (
        ("generator", experiment.generator),
        ("averaged_generator", experiment.averaged_generator),
        ("discriminator", experiment.discriminator),
    ):
        own = [v for name, v in named.items() if name.startswith(f"{holder}/")]
        assert [id(v) for v in own] == [id(v.value) for v in network.variables]
    momentum = "generator_optimizer/generator/dense/kernel/momentum"
    assert named[momentum].shape == named["generator/dense/kernel"].shape
    assert "generator_optimizer/learning_rate" in named
    assert "step" in named
    # Nothing that training changes is missing.
    state = [v for own in experiment.state().values() for v in own]
    assert {id(v.handle) for v in state} <= {id(v.handle) for v in named.values()}
