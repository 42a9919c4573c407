"""bin/sample: draws samples of a run or an export as a picture, or as arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from logan_tf import atomic_file
from logan_tf.cli import app
from logan_tf.cli.running import run_flags
from logan_tf.errors import ConfigurationError, suggestion
from logan_tf.installation import PRETRAINED
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.sampling import saved_assets

if TYPE_CHECKING:
    from logan_tf.evaluation.evaluator import Evaluator
    from logan_tf.sampling.sampler import Samples

FLAGS = flags.FLAGS
flags.DEFINE_integer("num", 64, "How many samples.", upper_bound=app.MOST)
flags.DEFINE_integer(
    "interpolate",
    0,
    "Pictures a row: rows that go from one sample to the next along a straight line of "
    "latents; 0: the samples themselves.",
    0,
    app.MOST,
)
flags.DEFINE_list(
    "classes",
    [],
    "Names of classes or labels, such as cat,dog or 0,3,7, or 'all': of a "
    "class-conditional generator, equally many of each, a class a row.",
)
flags.DEFINE_bool(
    "apart",
    False,
    "Each picture of a run with its three channels behind it, beside real held-out "
    "ones: stacked digits become readable.",
)
flags.DEFINE_string(
    "saved_model",
    None,
    "Instead of a run: what bin/export made of it. A SavedModel is a program: give "
    "none that you would not run.",
)
flags.DEFINE_string(
    "pretrained",
    None,
    "Instead of a run: a generator that comes with the package; 'digits' is one.",
)
flags.DEFINE_string(
    "output",
    None,
    "grid.png; samples.npz for the arrays; training.gif for the run's pictures of its "
    "fixed latents over the training.",
)


@flags.validator("num")
def _require_some(num: int) -> bool:
    if num < 1:
        raise flags.ValidationError(f"{num} samples are asked for: ask for at least 1")
    return True


_ENDINGS = (".png", ".npz", ".gif")


def main() -> None:
    """The output is checked before TensorFlow is imported."""
    if FLAGS.output is None or Path(FLAGS.output).suffix not in _ENDINGS:
        raise ConfigurationError(
            f"--output must end in .png, .npz or .gif, not {FLAGS.output!r}: try "
            "--output=grid.png"
        )
    output = Path(FLAGS.output)
    if not output.parent.is_dir():
        raise ConfigurationError(f"there is no folder {output.parent}: make it first")
    if output.is_dir():
        raise ConfigurationError(f"{output} is a folder: choose another --output")
    if output.suffix == ".gif":
        _animate(output)
    else:
        _draw(output)


def _animate(output: Path) -> None:
    if FLAGS.run_dir is None:
        raise ConfigurationError("a .gif shows a run's training: give its --run_dir")
    directory = RunDirectory(FLAGS.run_dir, FLAGS.follow_links)
    directory.require()
    frames = directory.drawn_samples()
    if len(frames) < 2:
        raise ConfigurationError(
            f"{directory.samples} holds {len(frames)} pictures, too few for a film: "
            "train with a smaller sample_every"
        )
    from logan_tf.plots import animation

    shown = animation.save(output, frames)
    print(f"{shown} pictures up to step {max(frames)}: {output}")


def _draw(output: Path) -> None:
    if FLAGS.classes and FLAGS.interpolate:
        raise ConfigurationError("--classes or --interpolate: give one at a time")
    if FLAGS.apart and (output.suffix != ".png" or FLAGS.run_dir is None):
        raise ConfigurationError(
            "--apart draws a run's pictures beside real ones: give --run_dir and "
            "--output=apart.png"
        )
    sampler, step = _sampler()
    labels: np.ndarray | None = None
    columns, rows = FLAGS.interpolate or None, []
    if FLAGS.classes:
        names = sampler.class_names() if sampler.num_classes else []
        wanted = _labels(FLAGS.classes, names)
        columns = _each(len(wanted))
        labels = np.repeat(np.array(wanted, np.int32), columns)
        rows = [names[label] for label in wanted]
    print(f"drawing {FLAGS.num} samples of step {step}", flush=True)
    samples = sampler.sample(
        FLAGS.num,
        run_flags.settings(sampler.latent_steps),
        labels=labels,
        interpolate=FLAGS.interpolate,
    )
    if FLAGS.apart:
        _draw_apart(output, sampler, samples)
    elif output.suffix == ".png":
        from logan_tf.plots import samples as sample_pictures

        sample_pictures.save(output, samples, sampler.points(), columns, rows)
    else:
        _save_arrays(output, samples)
    print(f"{FLAGS.num} samples of step {step}: {output}")


def _draw_apart(output: Path, evaluator: "Evaluator", samples: "Samples") -> None:
    from logan_tf.plots import pictures
    from logan_tf.sampling.sampler import to_uint8

    if evaluator.points() is not None:
        raise ConfigurationError("this run makes points: draw without --apart")
    images = to_uint8(samples.images)
    real = evaluator.held_out_images(len(images))
    pictures.save_apart(output, {"generated": images, "real, held out": real})


def _labels(classes: list[str], names: Sequence[str]) -> list[int]:
    """The classes that are asked for, by name or number; a name goes first."""
    if not names:
        raise ConfigurationError(
            "the generator is not class-conditional: draw without --classes"
        )
    if classes == ["all"]:
        return list(range(len(names)))
    known = {str(label): label for label in range(len(names))}
    known |= {name: label for label, name in reversed(list(enumerate(names)))}
    for name in classes:
        if name not in known:
            raise ConfigurationError(
                f"--classes={','.join(classes)}: give labels from 0 to "
                f"{len(names) - 1}, names of classes, or 'all'{suggestion(name, names)}"
            )
    labels = [known[name] for name in classes]
    if len(set(labels)) < len(labels):
        raise ConfigurationError(f"--classes={','.join(classes)}: give each once")
    return labels


def _each(num_classes: int) -> int:
    """How many of `--num` samples each class has."""
    each, rest = divmod(FLAGS.num, num_classes)
    if rest or not each:
        raise ConfigurationError(
            f"{FLAGS.num} samples are not equally many of {num_classes} classes: make "
            f"--num a multiple of {num_classes}"
        )
    return each


def _sampler():
    """The run's evaluator or the export that samples alike, and its step."""
    given = [n for n in ("saved_model", "pretrained") if FLAGS[n].value is not None]
    if not given:
        run, _, step = run_flags.open_run()
        return run.evaluator, step
    others = FLAGS.run_dir is not None or not FLAGS["checkpoint"].using_default_value
    if others or len(given) > 1:
        raise ConfigurationError(
            f"--{given[0]} holds one checkpoint of one run: give it without "
            f"{'--pretrained' if len(given) > 1 else '--run_dir and --checkpoint'}"
        )
    folder = FLAGS.saved_model or _carried(FLAGS.pretrained)
    receipt = saved_assets.read_receipt(folder)
    app.import_tensorflow()
    from logan_tf.sampling.saved_sampler import SavedSampler

    return SavedSampler(folder), receipt["checkpoint_step"]


def _carried(name: str) -> Path:
    """The folder of a generator that comes with the package."""
    known = sorted(path.name for path in PRETRAINED.glob("*") if path.is_dir())
    if name not in known:
        raise ConfigurationError(
            f"no generator {name!r} comes with the package"
            f"{suggestion(name, known) or ': there is ' + ', '.join(known)}"
        )
    return PRETRAINED / name


def _save_arrays(output: Path, samples: "Samples") -> None:
    """images (uint8 pictures or float32 points), latents float32, labels int32."""
    from logan_tf.sampling.sampler import to_uint8

    images = samples.images
    images = to_uint8(images) if images.ndim == 4 else images
    arrays = {"latents": samples.latents, "labels": samples.labels}
    with atomic_file.replacing(output) as file:
        np.savez(file, images=images, **arrays)


if __name__ == "__main__":
    usage = (
        "bin/sample --run_dir=DIR --output=grid.png\n"
        "bin/sample --pretrained=digits --output=grid.png"
    )
    app.run(main, f"{__doc__}\n\n{usage}")
