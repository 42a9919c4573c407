import keras
import numpy as np
import pytest
import tensorflow as tf

import logan_tf
from logan_tf.errors import ConfigurationError
from logan_tf.game.dynamics.extragradient import Extragradient
from logan_tf.game.dynamics.momentum import Momentum
from logan_tf.game.game import Game
from logan_tf.game.latent import LatentOptimizer, natural_gradient_step
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.penalties.lecam import LeCam
from logan_tf.layers.batch_normalization import BatchNormalization
from logan_tf.layers.spectral_normalization import SpectralDense
from logan_tf.training.averaging import ExponentialMovingAverage

RATE = 0.1
dense = keras.layers.Dense


def networks(normalization=BatchNormalization):
    keras.utils.set_random_seed(1)
    generator = keras.Sequential(
        [keras.Input([4]), dense(8), normalization(), keras.layers.ReLU(), dense(2)]
    )
    discriminator = keras.Sequential(
        [keras.Input([2]), SpectralDense(8), keras.layers.ReLU(), SpectralDense(1)]
    )
    return generator, discriminator


def model(**arguments):
    found = logan_tf.LOGAN(*networks(), **arguments)
    found.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    return found


def points(num=32):
    return np.random.default_rng(0).normal(size=(num, 2)).astype(np.float32)


class WithLabels(keras.Model):
    """As the game calls a network, in other words than the model's adapter."""

    def __init__(self, network, is_generator):
        super().__init__()
        self.network, self.is_generator = network, is_generator

    def call(self, inputs, labels=None, training=True):
        outputs = self.network(inputs, training=training)
        return outputs if self.is_generator else outputs[:, 0]


def test_a_step_goes_along_the_gradients_of_the_game():
    """Those of a game that is built apart, from the same weights, on the same draws."""
    trained, twins = model(), networks()
    step = LatentOptimizer(lambda g: natural_gradient_step(g, 0.9, 0.1), fraction=0.8)
    game = Game(
        WithLabels(twins[0], True),
        WithLabels(twins[1], False),
        latent_rule=LatentRule(step, 0.1),
    )
    round_ = trained._rounds.of(tf.constant(points()), trained._step.value)
    game.discriminator(game.generator(round_.latents))
    before = game.weights()
    game.advance_spectral_norms()
    gradients = game.field(round_)()
    metrics = trained.train_step(tf.constant(points()))
    for player in ("generator", "discriminator"):
        after = getattr(trained, player).trainable_variables
        found = [
            (w - v.value) / RATE for w, v in zip(before[player], after, strict=True)
        ]
        for one, other in zip(found, gradients[player], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)
    norm = tf.linalg.global_norm(gradients["generator"])
    np.testing.assert_allclose(metrics["generator_gradient_norm"], norm, rtol=1e-4)
    assert metrics["delta_z_norm"] > 0


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model after two epochs, with what its callbacks have left."""
    folder = tmp_path_factory.mktemp("fitted")
    trained = model(dynamics=Extragradient(), averaging=ExponentialMovingAverage(0.5))
    callbacks = [
        keras.callbacks.TensorBoard(folder / "events"),
        keras.callbacks.ModelCheckpoint(
            folder / "{epoch}.weights.h5", save_weights_only=True
        ),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        keras.callbacks.EarlyStopping(
            "generator_loss", patience=0, baseline=-1e9, mode="min"
        ),
    ]
    data = tf.data.Dataset.from_tensor_slices(points()).batch(16)
    history = trained.fit(data, epochs=5, callbacks=callbacks, verbose=0)
    return trained, history, folder


def test_fit_serves_callbacks(fitted):
    _, history, folder = fitted
    assert len(history.history["generator_loss"]) == 2  # Stopped early.
    assert "delta_z_norm" in (folder / "log.csv").read_text().splitlines()[0]
    assert list(folder.glob("events/train/*"))


def test_saved_weights_draw_the_same_images(fitted):
    trained, _, folder = fitted
    images = trained.generate(3, seed=5)
    restored = model()
    assert np.abs(restored.generate(3, seed=5) - images).max() > 1e-3
    restored.load_weights(folder / "2.weights.h5")
    np.testing.assert_array_equal(restored.generate(3, seed=5), images)
    vectors = [
        [v.numpy() for v in each.discriminator.non_trainable_variables]
        for each in (trained, restored)
    ]
    np.testing.assert_equal(*vectors)


def test_generate_draws_with_the_average_and_leaves_the_weights(fitted):
    trained, *_ = fitted
    before = [v.numpy() for v in trained.generator.trainable_variables]
    images = trained.generate(4)
    np.testing.assert_array_equal(trained.generate(2), images[:2])
    for old, variable in zip(
        before, trained.generator.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(variable.numpy(), old)
    for mean in trained._average:
        mean.assign(tf.zeros_like(mean))
    np.testing.assert_array_equal(trained.generate(2), np.zeros((2, 2)))


def test_latents_of_a_step_are_its_own():
    trained = model()
    first = trained._rounds.of(
        tf.constant(points()), trained._step.value
    ).latents.numpy()
    trained._step.assign_add(1)
    second = trained._rounds.of(
        tf.constant(points()), trained._step.value
    ).latents.numpy()
    assert not np.isin(first, second).any()


def test_labels_are_drawn_where_there_are_classes():
    trained = model(num_classes=3)
    step = trained._step.value
    round_ = trained._rounds.of((tf.constant(points()), tf.zeros([32], tf.int64)), step)
    assert set(round_.fake_labels.numpy()) == {0, 1, 2}
    with pytest.raises(ConfigurationError, match=r"\(images, labels\)"):
        trained._rounds.of(tf.constant(points()), trained._step.value)


def test_keras_batch_normalization_is_warned_of():
    with pytest.warns(UserWarning, match="a wrong second derivative"):
        logan_tf.LOGAN(*networks(keras.layers.BatchNormalization))


def test_layers_that_change_while_they_are_called_are_warned_of():
    with pytest.warns(UserWarning, match="the same numbers in every step"):
        logan_tf.LOGAN(*networks(lambda: keras.layers.Dropout(0.5)))
    generator, _ = networks()
    spectral = keras.layers.SpectralNormalization(dense(1))
    with pytest.warns(UserWarning, match="does not normalize"):
        logan_tf.LOGAN(generator, keras.Sequential([keras.Input([2]), spectral]))


def test_what_methods_keep_is_saved(tmp_path):
    def made():
        return model(dynamics=Momentum(0.5), penalties=[LeCam()])

    trained, restored = made(), made()
    trained.train_step(tf.constant(points()))
    trained.save_weights(tmp_path / "a.weights.h5")
    restored.load_weights(tmp_path / "a.weights.h5")
    kept = [[v.numpy() for v in each._kept()] for each in (trained, restored)]
    assert all(np.abs(value).max() > 0 for value in kept[0][:2])
    assert len(kept[0]) == 2 + len(trained.trainable_variables)
    np.testing.assert_equal(*kept)


def test_embeddings_and_networks_of_two_inputs():
    latents, labels = keras.Input([4]), keras.Input([], dtype="int32")
    embedded = keras.layers.Embedding(3, 4)(labels)
    images = dense(1)(keras.layers.Concatenate()([latents, embedded]))
    generator = keras.Model([latents, labels], images)
    discriminator = keras.Sequential([keras.Input([1]), dense(1)])
    trained = logan_tf.LOGAN(generator, discriminator, latent_dim=4, num_classes=3)
    trained.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    metrics = trained.train_step((tf.ones([8, 1]), tf.zeros([8], tf.int32)))
    assert metrics["generator_update_norm"] > 0
    assert trained.generate(2, labels=np.array([0, 2])).shape == (2, 1)


def test_evaluating_measures_and_moves_nothing(fitted):
    fitted, _, _ = fitted
    variables = [*fitted.weights, *fitted.generator_optimizer.variables]
    before = [variable.numpy() for variable in variables]
    found = fitted.evaluate(points(32), batch_size=32, return_dict=True, verbose=0)
    round_ = fitted._rounds.of(tf.constant(points(32)), fitted._step.value)
    field = fitted.game.field(round_)
    gradients = field()
    norm = tf.linalg.global_norm(gradients["generator"])
    np.testing.assert_allclose(found["generator_gradient_norm"], norm, rtol=1e-5)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latent_dim": 0}, "latent_dim must be 1 or more"),
        ({"latent_dim": 7}, "do not fit together"),
        ({"latent_rule": "ngd"}, "latent_rule must be a LatentRule, not 'ngd'"),
        ({"objective": "hinge"}, "objective must be a function, not 'hinge'"),
        ({"dynamics": Extragradient}, r"write Extragradient\(…\)"),
        ({"averaging": 0.9}, "must be a ExponentialMovingAverage"),
        ({"penalties": LeCam(0.1)}, "is a list"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        logan_tf.LOGAN(*networks(), **arguments)


def test_networks_that_are_none_or_swapped_are_refused():
    with pytest.raises(ConfigurationError, match="generator must be a Layer"):
        logan_tf.LOGAN("a", "b")
    with pytest.raises(ConfigurationError, match="do not fit together"):
        logan_tf.LOGAN(*networks()[::-1])


@pytest.mark.parametrize("name", ["optimizer", "loss", "metrics"])
def test_what_compile_does_not_take_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"{name} is not taken"):
        logan_tf.LOGAN(*networks()).compile(**{name: "adam"})


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ConfigurationError, match="of its own"):
        logan_tf.LOGAN(*networks()).compile(adam, adam)


def test_dynamics_of_several_batches_are_refused():
    with pytest.raises(ConfigurationError, match="2 batches"):
        logan_tf.LOGAN(*networks(), dynamics=Extragradient(fresh_batch=True))


def test_latents_of_unknown_size_are_refused():
    generator = keras.Sequential([dense(2)])
    with pytest.raises(ConfigurationError, match="latent_dim=N"):
        logan_tf.LOGAN(generator, networks()[1])


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="nothing"):
        _ = logan_tf.nothing
