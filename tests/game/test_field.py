"""v(w) and its Jacobian's products, against central differences in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from logan_tf.game import weights
from logan_tf.game.field import Field, Played
from logan_tf.game.game import Game
from logan_tf.game.latent_rule import LatentRule
from logan_tf.game.objectives import non_saturating
from logan_tf.game.weights import DISCRIMINATOR, GENERATOR, PLAYERS

CASES = ["plain", "logan", "stopped"]
H = 1e-4


@pytest.fixture
def case(smooth, settings):
    """name → (game, round) of the smooth networks, without a kink anywhere near."""

    def make(name):
        pair, round_ = smooth
        if name == "plain":
            return Game(*pair, non_saturating), round_
        stops = {"stop_gradient": (DISCRIMINATOR,)} if name == "stopped" else {}
        # So small a step that no latent is clipped.
        own = settings(alpha=0.05, objective="non_saturating", **stops)
        return own.game(pair), round_

    return make


def _direction(like, seed):
    rng = np.random.default_rng(seed)
    return {
        player: [tf.constant(rng.normal(size=each.shape)) for each in tensors]
        for player, tensors in like.items()
    }


def _flat(vector):
    return np.concatenate([np.ravel(x) for p in sorted(vector) for x in vector[p]])


def _difference(field, at, u):
    """J u by a central difference of v of fourth order."""

    def slope(h):
        ahead, behind = (field(weights.moved(at, u, sign * h)) for sign in (1, -1))
        return (_flat(ahead) - _flat(behind)) / (2 * h)

    return (4 * slope(H) - slope(2 * H)) / 3


def _relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", CASES)
def test_products_are_central_differences(name, case):
    game, round_ = case(name)
    field = game.field(round_)
    own = game.weights()
    at = weights.moved(own, _direction(own, 1), 0.1)
    u, w = _direction(own, 2), _direction(own, 3)
    along = field.along(u, at)
    expected = _difference(field, at, u)
    assert _relative(_flat(along), expected) < 2e-10
    transposed = field.transposed(w, at)
    left, right = weights.inner(w, along), weights.inner(transposed, u)
    assert float(left) == pytest.approx(float(right), rel=1e-11)
    for player in PLAYERS:  # Each player's own rows and columns.
        only = {player: u[player]}
        expected = _difference(field, at, only)
        assert _relative(_flat(field.along(only, at)), expected) < 2e-10
        rows = field.transposed({player: w[player]}, at)
        found = float(weights.inner(rows, u))
        assert found == pytest.approx(
            float(weights.inner({player: w[player]}, along)), rel=1e-10
        )


def test_products_through_convolutions(small_sngan, settings):
    """Spectral norm, batch norm and convolutions; the kinks are where they are."""
    pair, round_ = small_sngan
    field = settings(alpha=0.05, objective="non_saturating").game(pair).field(round_)
    own = field.weights
    u, w = _direction(own, 2), _direction(own, 3)
    along = field.along(u)
    ahead, behind = (field(weights.moved(own, u, sign * 1e-7)) for sign in (1, -1))
    expected = (_flat(ahead) - _flat(behind)) / 2e-7
    assert _relative(_flat(along), expected) < 1e-5
    left = float(weights.inner(w, along))
    assert left == pytest.approx(float(weights.inner(field.transposed(w), u)), rel=1e-9)


def test_the_field_elsewhere_is_that_of_networks_with_those_weights(case, evaluate):
    game, round_ = case("logan")
    own = game.weights()
    at = weights.moved(own, _direction(own, 1), 0.1)
    found, along = game.field(round_)(at), game.field(round_).along(at, at)
    here = game.field(round_)()
    for player in PLAYERS:
        for variable, value in zip(game.variables(player), at[player], strict=True):
            variable.assign(value)
    expected = game.field(round_)()
    np.testing.assert_allclose(_flat(found), _flat(expected), rtol=1e-12)
    assert _relative(_flat(here), _flat(expected)) > 1e-3
    np.testing.assert_allclose(_flat(along), _flat(game.field(round_).along(at)), 1e-9)


def test_a_player_without_weights_has_its_own(case):
    game, round_ = case("logan")
    own = game.weights()
    at = weights.moved(own, {GENERATOR: _direction(own, 1)[GENERATOR]}, 0.1)
    field = game.field(round_)
    found = field({GENERATOR: at[GENERATOR]})
    np.testing.assert_array_equal(_flat(found), _flat(field(at)))


def test_inside_of_a_stateless_scope_gradients_are_those_of_its_weights(case):
    """They were 0, without a word."""
    game, round_ = case("logan")
    own = game.weights()
    at = weights.moved(own, _direction(own, 1), 0.1)
    pairs = [
        pair for p in PLAYERS for pair in zip(game.variables(p), at[p], strict=True)
    ]
    with keras.StatelessScope(pairs):
        found = game.field(round_)()
    np.testing.assert_array_equal(_flat(found), _flat(game.field(round_)(at)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("player", PLAYERS)
def test_a_loss_has_the_fields_gradient(name, player, case):
    """By one tape with its stops, where the field has two."""
    game, round_ = case(name)
    field = game.field(round_)
    at = weights.moved(field.weights, _direction(field.weights, 1), 0.1)
    with tf.GradientTape() as tape:
        tape.watch(at)
        loss = field.loss(player, at)
    found = {player: tape.gradient(loss, at[player])}
    expected = field(at)
    np.testing.assert_allclose(_flat(found), _flat({player: expected[player]}), 1e-9)
    noted = float(field.metrics[f"{player}_loss"])
    assert noted == pytest.approx(float(loss), rel=1e-12)


def test_metrics_are_those_of_the_first_evaluation(case):
    game, round_ = case("logan")
    field = game.field(round_)
    field()
    expected = dict(field.metrics)
    field(weights.moved(field.weights, _direction(field.weights, 1), 0.1))
    assert field.metrics == expected
    assert {f"{player}_gradient_norm" for player in PLAYERS} < expected.keys()


def test_who_is_not_updated_can_be_asked_for(case):
    game, round_ = case("logan")
    both, alone = game.field(round_)(), game.field(round_, [GENERATOR])
    assert alone().keys() == {GENERATOR}
    other = alone(players=[DISCRIMINATOR])
    found = _flat(other | alone())
    np.testing.assert_allclose(found, _flat(both), rtol=1e-12)
    assert alone.along(_direction(alone.weights, 1)).keys() == {GENERATOR}


class Toy:
    """A game of any number of players, each with one vector, given by their losses."""

    def __init__(self, losses, start):
        self.losses = losses
        self.start = {name: [tf.constant(x, tf.float64)] for name, x in start.items()}

    def weights(self):
        return dict(self.start)

    def play(self, round_, players, at=None):
        at = self.weights() | (at or {})
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(at)
            losses = {player: self.loss(round_, player, at) for player in players}
        gradients = {p: tape.gradient(loss, at[p]) for p, loss in losses.items()}
        return Played(gradients, {}, {f"{p}_loss": loss for p, loss in losses.items()})

    def loss(self, round_, player, at=None):
        del round_
        return self.losses[player](**{p: x for p, (x,) in at.items()})


def test_one_player_descends():
    """½ w' A w: v = A w and J = A, on both sides."""
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    toy = Toy(
        {
            "only": lambda only: (
                tf.tensordot(only, tf.linalg.matvec(matrix, only), 1) / 2
            )
        },
        {"only": [1.0, -2.0]},
    )
    field = Field(toy, None, ["only"])
    np.testing.assert_allclose(_flat(field()), matrix @ [1, -2])
    u = {"only": [tf.constant([0.3, 0.7], tf.float64)]}
    for product in (field.along(u), field.transposed(u)):
        np.testing.assert_allclose(_flat(product), matrix @ [0.3, 0.7])
    assert field.metrics["only_second_order_share"] == 0


def test_three_players_go_round_in_a_circle():
    """a pays b·a, b pays c·b, c pays a·c: J is a permutation, J' its inverse."""
    toy = Toy(
        {
            "a": lambda a, b, c: tf.reduce_sum(b * a),
            "b": lambda a, b, c: tf.reduce_sum(c * b),
            "c": lambda a, b, c: tf.reduce_sum(a * c),
        },
        {"a": [1.0], "b": [2.0], "c": [3.0]},
    )
    field = Field(toy, None, "abc")
    assert _flat(field()).tolist() == [2, 3, 1]
    u = {
        name: [tf.constant([x], tf.float64)]
        for name, x in zip("abc", (5, 7, 11), strict=True)
    }
    assert _flat(field.along(u)).tolist() == [7, 11, 5]
    assert _flat(field.transposed(u)).tolist() == [11, 5, 7]


def test_latents_as_a_third_player_have_the_latent_steps_gradient(smooth):
    """App. A.1: the latents pay −f, so that Δz = α g is their plain update."""
    (generator, discriminator), round_ = smooth
    game = Game(generator, discriminator, latent_rule=LatentRule())

    class Three(Toy):
        def __init__(self):
            self.losses = {
                "latents": lambda z: -tf.reduce_sum(game.score(z, round_.fake_labels))
            }

        def weights(self):
            return {"latents": [round_.latents]}

        def loss(self, round_, player, at=None):
            return self.losses[player](at["latents"][0])

    (found,) = Field(Three(), None, ["latents"])()["latents"]
    with tf.GradientTape() as tape:
        tape.watch(round_.latents)
        score = tf.reduce_sum(game.score(round_.latents, round_.fake_labels))
    np.testing.assert_array_equal(found, -tape.gradient(score, round_.latents))
