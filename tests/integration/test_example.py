"""examples/own_loop.py: forty lines, and they train."""

import runpy
from pathlib import Path

import numpy as np
import tensorflow as tf

EXAMPLE = Path(__file__).parents[2] / "examples/own_loop.py"


def test_example_is_short_enough_to_read() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 40


def test_example_moves_its_samples_to_the_data() -> None:
    tf.random.set_seed(0)
    example = runpy.run_path(str(EXAMPLE))
    latents = tf.random.uniform([500, 16], -1, 1)
    data = np.array([2.0, 1.0])

    def distance() -> float:
        mean = example["generator"](latents).numpy().mean(0)
        return float(np.linalg.norm(mean - data))

    before = distance()
    for _ in range(600):
        example["train_step"](tf.random.normal([64, 2], data, 0.1))
    assert before > 1.5
    assert distance() < 0.5
