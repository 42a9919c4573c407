"""Differentiable augmentation against NumPy, one image and one pixel at a time."""

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.game.augmentation import DiffAugment, InstanceNoise
from logan_tf.game.game import PLAYERS, Game

HEIGHT, WIDTH = 8, 12
ALL = ("color", "translation", "cutout")


def color(image, draws):
    image = image + (draws[0] - 0.5)
    gray = image.mean(-1, keepdims=True)
    image = gray + 2 * draws[1] * (image - gray)
    return image.mean() + (0.5 + draws[2]) * (image - image.mean())


def translation(image, draws, part):
    moved = np.zeros_like(image)
    shifts = []
    for size, draw in zip(image.shape, draws, strict=False):
        most = int(part * size + 0.5)
        shifts.append(int(np.floor(draw * (2 * most + 1))) - most)
    for y, x in np.ndindex(image.shape[:2]):
        to = y + shifts[0], x + shifts[1]
        if 0 <= to[0] < image.shape[0] and 0 <= to[1] < image.shape[1]:
            moved[to] = image[y, x]
    return moved


def cutout(image, draws, part):
    cut = image.copy()
    ranges = []
    for size, draw in zip(image.shape, draws, strict=False):
        side = int(part * size + 0.5)
        center = int(np.floor(draw * (size + 1 - side % 2)))
        ranges.append(range(center - side // 2, center - side // 2 + side))
    for y, x in np.ndindex(image.shape[:2]):
        if y in ranges[0] and x in ranges[1]:
            cut[y, x] = 0
    return cut


def oracle(image, draws, policy, translated, cut):
    for name in policy:
        if name == "color":
            image, draws = color(image, draws[:3]), draws[3:]
        elif name == "translation":
            image, draws = translation(image, draws[:2], translated), draws[2:]
        else:
            image, draws = cutout(image, draws[:2], cut), draws[2:]
    return image


@pytest.mark.parametrize(
    ("policy", "translated", "cut"),
    [
        (ALL, 0.125, 0.5),
        (("color",), 0.125, 0.5),
        (("cutout", "translation"), 0.3, 0.4),
        (("translation",), 1.0, 0.5),
        ((), 0.0, 0.0),
    ],
)
def test_equals_numpy(policy, translated, cut):
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (40, HEIGHT, WIDTH, 3))
    augmentation = DiffAugment(policy, translated, cut)
    draws = rng.uniform(size=(40, augmentation.num_draws)).astype(np.float32)
    draws[0], draws[1] = 0, np.nextafter(np.float32(1), 0)
    found = augmentation(tf.constant(images), tf.constant(draws))
    expected = [
        oracle(image, draw, policy, translated, cut)
        for image, draw in zip(images, draws.astype(float), strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    if policy:
        assert np.abs(np.array(expected) - images).max(axis=(1, 2, 3)).min() > 0.01


def test_every_shift_and_every_center_is_as_likely_as_another():
    """The authors' −1 … 1 of 8 pixels, and 0 … 8 for the center of a square of 4."""
    draws = tf.constant((np.arange(9000)[:, None] + 0.5) / 9000, tf.float32)
    one = tf.ones([9000, 8, 8, 1])
    halves = tf.fill([9000, 1], 0.5)
    moved = DiffAugment(["translation"])(one, tf.concat([draws, halves], 1))
    rows = np.array(moved)[:, :, 4, 0]
    for row in ([0] + 7 * [1], 8 * [1], 7 * [1] + [0]):
        assert np.all(rows == row, -1).sum() == 3000
    cut = DiffAugment(["cutout"])(one, tf.concat([draws, halves], 1))
    first = 8 - np.array(cut)[:, :, 4, 0].sum(-1)
    assert np.bincount(first.astype(int)).tolist() == [0, 0, 2000, 2000, 5000]


def test_gradients_of_both_orders(central_difference):
    rng = np.random.default_rng(1)
    images = tf.Variable(rng.uniform(-1, 1, (3, 6, 6, 2)))
    augmentation = DiffAugment()
    draws = tf.constant(rng.uniform(size=(3, 7)), tf.float32)

    def loss():
        return tf.reduce_sum(tf.sin(2 * augmentation(images, draws)))

    def slope():
        with tf.GradientTape() as tape:
            total = loss()
        return tape.gradient(total, images)

    weights = tf.constant(rng.normal(size=images.shape))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(weights * slope())
    second = tape.gradient(total, images)
    along = rng.normal(size=images.shape)
    expected = central_difference(slope, [images], [along])
    np.testing.assert_allclose(
        np.sum(second * along), np.sum(weights * expected), rtol=1e-6
    )
    expected = central_difference(loss, [images], [along])
    np.testing.assert_allclose(np.sum(slope() * along), expected, rtol=1e-6)


class Spy:
    """Scales by a draw, and notes what it sees."""

    num_draws = 1

    def __init__(self):
        self.seen = []

    def __call__(self, images, draws):
        self.seen.append(np.array(draws)[:, 0])
        return images * tf.cast(draws, images.dtype)


def test_a_sample_has_the_same_draw_before_and_after_its_step(smooth, settings):
    pair, round_ = smooth
    real, fake = (tf.fill([12, 1], number) for number in (0.5, 2.0))
    game = settings().game(pair)
    game.augmentation = Spy()
    game.play(round_._replace(image_draws=real, fake_draws=fake))
    assert [seen[0] for seen in game.augmentation.seen] == [2.0, 2.0, 0.5]
    assert game.num_draws == 1
    assert Game(*pair).num_draws == 0


def test_gradients_pass_through_it(smooth, settings, plain_game, assert_same_gradients):
    """Scaling an image is scaling the first kernel's input by hand."""
    pair, round_ = smooth
    draws = tf.constant(np.linspace(0.5, 1.5, 12)[:, None])
    game = settings().game(pair)
    game.augmentation = Spy()
    outcome = game.play(round_._replace(image_draws=draws, fake_draws=draws))
    discriminator = pair[1]
    scaled = pair[0], lambda images, labels=None: discriminator(images * draws)
    plain = plain_game(scaled, settings())
    plain.pair["discriminator"] = scaled[1]
    scaled[1].trainable_variables = discriminator.trainable_variables
    assert_same_gradients(outcome.gradients, plain.gradients(round_))
    without = settings().game(pair).play(round_).gradients
    for player in PLAYERS:
        difference = np.abs(outcome.gradients[player][0] - without[player][0]).max()
        assert difference > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": ("colour",)}, "of color, translation, cutout, not .'colour'"),
        ({"policy": "color"}, "a tuple of transformations"),
        ({"cutout": 1.5}, "cutout is a part from 0 to 1, not 1.5"),
        ({"translation": -0.1}, "translation is a part"),
    ],
)
def test_what_cannot_be(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        DiffAugment(**arguments)


def test_points_are_no_pictures():
    with pytest.raises(ConfigurationError, match=r"not examples of shape \(2,\)"):
        DiffAugment()(tf.zeros([3, 2]), tf.zeros([3, 7]))


def test_instance_noise_falls_along_a_line():
    """Of N(0, σ²), with one image's noise by its own draws alone."""
    augmentation = InstanceNoise(level=0.5, steps=4)
    rng = np.random.default_rng(0)
    draws = tf.constant(rng.uniform(size=(20, 2)), tf.float32)
    images = tf.constant(rng.normal(size=(20, 8, 8, 3)), tf.float32)
    levels, noises = [], []
    for players in (PLAYERS, ("discriminator",), *[PLAYERS] * 4):
        noises.append((augmentation(images, draws) - images).numpy())
        levels.append(float(augmentation.advance(players)["instance_noise"]))
    np.testing.assert_allclose(levels, [0.5, 0.375, 0.375, 0.25, 0.125, 0], atol=1e-7)
    for level, noise in zip(levels, noises, strict=True):
        assert noise.std() == pytest.approx(level, rel=0.03)
        np.testing.assert_allclose(noise, noises[0] * level / 0.5, atol=1e-6)
    assert abs(np.corrcoef(noises[0][0].ravel(), noises[0][1].ravel())[0, 1]) < 0.3
    alone = augmentation(images[3:4], draws[3:4]) - images[3:4]
    np.testing.assert_allclose(alone[0], noises[-1][3], atol=1e-6)


def test_instance_noise_is_kept_with_a_run(smooth):
    game = Game(*smooth[0], augmentation=InstanceNoise(0.1, 10))
    assert [v.name for v in game.kept] == ["noisy_updates:0"]
    game.advance(PLAYERS, {})
    assert int(game.kept[0]) == 1
    assert game.num_draws == 2
    with pytest.raises(ConfigurationError, match="level must be 0"):
        InstanceNoise(-1.0)
