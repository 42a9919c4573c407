"""Measures the error of eq. 26 on a run's next batch; a study's own command."""

import json

from absl import flags

from logan_tf import atomic_file
from logan_tf.cli import app
from logan_tf.cli.running import run_flags
from logan_tf.errors import ConfigurationError

FLAGS = flags.FLAGS
flags.DEFINE_string("output", None, "Where the numbers are written, as JSON.")


def main() -> None:
    """Writes each player's error, the step and the size of the batch."""
    if FLAGS.output is None:
        raise ConfigurationError("where to? Give --output=FILE.json")
    run, _, step = run_flags.open_run()
    from logan_tf.game import local_approximation

    game = run.experiment.game
    if game.latent_rule.optimizer is None:
        raise ConfigurationError("eq. 26 is about latent steps, and this run has none")
    batch = next(iter(run.experiment.batches(step)))
    found = local_approximation.errors(
        game, batch.latents[:, 0], batch.fake_labels[:, 0]
    )
    numbers = {player: float(error) for player, error in found.items()}
    numbers |= {"step": step, "batch_size": run.experiment.batch_size}
    atomic_file.write_text(FLAGS.output, json.dumps(numbers, indent=2) + "\n")
    print(FLAGS.output)


if __name__ == "__main__":
    app.run(main, __doc__ or "")
