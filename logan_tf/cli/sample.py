"""bin/sample: draws samples of a run as a picture, or as arrays."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from logan_tf.cli import app, opened
from logan_tf.errors import ConfigurationError

if TYPE_CHECKING:
    from logan_tf.evaluation.sampling import Samples

FLAGS = flags.FLAGS
flags.DEFINE_integer("num", 64, "How many samples.")
flags.DEFINE_string("output", None, "grid.png, or samples.npz for the arrays.")

_ENDINGS = (".png", ".npz")


def main() -> None:
    """The output is checked before TensorFlow is imported."""
    if FLAGS.output is None or Path(FLAGS.output).suffix not in _ENDINGS:
        raise ConfigurationError(
            f"--output must end in .png or .npz, not {FLAGS.output!r}: try "
            "--output=grid.png"
        )
    output = Path(FLAGS.output)
    if not output.parent.is_dir():
        raise ConfigurationError(f"there is no folder {output.parent}: make it first")
    if output.is_dir():
        raise ConfigurationError(f"{output} is a folder: choose another --output")
    run, _, step = opened.open_run()
    samples = run.evaluator.sample(
        FLAGS.num,
        seed=FLAGS.seed,
        latent_steps=FLAGS.latent_steps,
        truncation=FLAGS.truncation,
    )
    if output.suffix == ".png":
        run.evaluator.picture(output, samples)
    else:
        _save_arrays(output, samples)
    print(f"{FLAGS.num} samples of step {step}: {output}")


def _save_arrays(output: Path, samples: "Samples") -> None:
    """images (uint8 pictures or float32 points), latents float32, labels int32."""
    from logan_tf.evaluation.sampling import to_uint8

    images = samples.images
    images = to_uint8(images) if images.ndim == 4 else images
    np.savez(output, images=images, latents=samples.latents, labels=samples.labels)


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/sample --run_dir=DIR --output=grid.png")
