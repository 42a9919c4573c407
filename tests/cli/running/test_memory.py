"""Memory that runs out for real: one line with the remedy, and nothing lost."""

import pytest
import tensorflow as tf

from logan_tf.cli.running import memory
from logan_tf.errors import ConfigurationError

# Its training step, not its building, asks for 2⁴² bytes a sample.
GREEDY = """
import gin
import tensorflow as tf
from logan_tf.networks import mlp

class Generator(mlp.Generator):
    def call(self, latents, labels=None, training=True):
        points = super().call(latents, labels, training)
        if tf.executing_eagerly():
            return points
        shape = [tf.shape(points, tf.int64)[0], 2**40]
        wide = tf.random.stateless_uniform(shape, [0, 0])
        return points + tf.reduce_sum(wide)

gin.external_configurable(Generator, module="greedy")
"""


@pytest.mark.slow  # TensorFlow waits ten seconds for memory before each refusal.
def test_a_step_that_does_not_fit(command, params, tmp_path, monkeypatch):
    (tmp_path / "greedy.py").write_text(GREEDY)
    monkeypatch.syspath_prepend(tmp_path)
    run = f"--run_dir={tmp_path}/run"
    given = ["--gin_file=ring_logan", run, "--noprogress"]
    assert command("train", *given, *params(total_steps=2)).exit_code == 0
    result = command(
        "train",
        *given,
        *params(total_steps=4, batch_size=6),
        "--module=greedy",
        "--gin_param=Experiment.generator = @greedy.Generator",
        "--gin_param=greedy.Generator.latent_dim = %latent_dim",
        "--gin_param=greedy.Generator.hidden = (8,)",
    )
    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("error: a step with batch_size 6 does not fit into ")
    assert "the memory of CPU:0: " in line
    assert "--gin_param='batch_size = 3'" in line
    again = command("train", *given, *params(total_steps=3))
    assert (again.exit_code, again.err) == (0, "")
    assert "resumed at step 2" in again.out


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("OOM when allocating tensor on /job:a/device:GPU:1 by GPU_1_bfc", "GPU:1"),
        ("Out of memory while trying to allocate 17179869184 bytes.", "the device's"),
        ("Ran out of memory in memory space hbm.", "the device's memory"),
    ],
)
def test_the_messages_of_the_devices(message, named):
    for kind in (tf.errors.ResourceExhaustedError, tf.errors.InternalError):
        with (
            pytest.raises(ConfigurationError, match=named),
            memory.enough_for(2),
        ):
            raise kind(None, None, message)


def test_what_is_no_lack_of_memory_keeps_its_error():
    for error in (
        tf.errors.ResourceExhaustedError(None, None, "file system; No room on device"),
        tf.errors.InternalError(None, None, "cuDNN failed"),
        ValueError("out of memory"),
    ):
        with pytest.raises(type(error)) as caught, memory.enough_for(2):
            raise error
        assert caught.value is error
