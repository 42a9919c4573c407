"""Eigenvalues that a run writes while it trains."""

import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.cli.running import lifecycle, spectra
from logan_tf.configuration import bindings, recipe
from logan_tf.game.round import Round
from logan_tf.game.weights import PLAYERS as GAME
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training.monitor import Monitor


@pytest.fixture(scope="module")
def experiment():
    small = ("mlp.Generator.hidden = (4,)", "mlp.Discriminator.hidden = (4,)")
    params = ["batch_size = 4", "latent_dim = 2", *small]
    bindings.apply(recipe.read(["ring_baseline"], params, []), [])
    return lifecycle.build().experiment


def events(folder) -> dict[str, list[int]]:
    """Tag → the steps that have it."""
    found: dict[str, list[int]] = {}
    for path in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(event.step)
    return found


class Measured:
    """A Jacobian of the experiment's sizes that is known."""

    made: ClassVar[list] = []

    def __init__(self, game, round_):
        sizes = {
            p: sum(w.shape.num_elements() for w in game.weights()[p]) for p in GAME
        }
        self.sizes, self.size = sizes, sum(sizes.values())
        self.game, self.round = game, round_
        self.made.append(self)

    def matrix(self):
        found = np.diag(1.0 + np.arange(self.size))
        found[:2, :2] = [[60, 40], [-40, 60]]  # 60 ± 40i, the largest, and D's
        return found

    def gradient(self):
        return np.eye(self.size)[-1]


def test_a_file_scalars_and_a_picture(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(spectra, "Jacobian", Measured)
    directory = RunDirectory(tmp_path)
    measure = spectra.hook(experiment, directory)
    with Monitor(directory, 0, 10, progress=False) as monitor:
        rounds = []
        for step in (0, 3):
            measure(step, monitor)
            (jacobian,) = Measured.made  # Traced once.
            assert jacobian.game is experiment.game
            rounds.append(jacobian.round)
    expected = Round.of(next(iter(experiment.batches(3))), 0)
    np.testing.assert_array_equal(rounds[1].latents, expected.latents)
    assert not np.allclose(rounds[0].latents, expected.latents)
    found = json.loads(directory.spectrum_path(3).read_text())
    assert (found["step"], len(found["real"])) == (3, 22 + 17)
    assert found["real"][:3] == pytest.approx([60, 60, 39])
    assert found["imaginary"][:3] == pytest.approx([40, -40, 0])
    assert found["gradient"] == pytest.approx([0, 0, 1] + [0] * 36)
    assert found["shares"]["discriminator"][:3] == pytest.approx([1, 1, 0])
    assert directory.spectrum_path(3).with_suffix(".png").stat().st_size > 1000
    tags = events(directory.events)
    assert tags["spectrum/eigenvalue_1_real"] == [0, 3]
    assert tags["spectrum/eigenvalue_6_share_of_discriminator"] == [0, 3]
    assert tags["pictures/spectrum"] == [0, 3]
    # What a killed run had of a step that it repeats goes, as its pictures do.
    Monitor(directory, 3, 10, progress=False, pictures_follow=True).__exit__()
    assert events(directory.events)["spectrum/eigenvalue_1_real"] == [0]
