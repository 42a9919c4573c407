"""Trains with JAX's runtime alone: on a GPU, a TPU or a CPU, without TensorFlow.

  recipe=gin/stacked_digits_logan.gin
  run=runs/elsewhere
  bin/export --gin_file=$recipe --run_dir=$run --train_step=programs
  python benchmarks/train_with_jax.py programs --steps=2000 --samples=26000
  bin/export --run_dir=$run --trained=programs/trained.npz
  bin/evaluate --run_dir=$run

It compiles the folder's programs, makes the batches, trains with the state in the
device's memory, and writes trained.npz: every variable by name. With --samples it draws
so many pictures of the averaged generator into samples.npz. Latents and fake labels are
those of bin/train; images are drawn uniformly from images.npz, or with --given_batches
taken in order from batches.npz, which has those of bin/train. Started again with more
--steps it goes on from trained.npz. Needs JAX 0.10 or later and NumPy.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np
from jax_programs import Program


class Images:
    """Real images and their labels for any number of steps.

    Args:
      folder: of the programs.
      given: whether they are those of the first steps of bin/train, in order.
      seed: draws them otherwise.
    """

    def __init__(self, folder: Path, given: bool, seed: int) -> None:
        self._given = given
        with np.load(folder / ("batches.npz" if given else "images.npz")) as file:
            self._images, self._labels = file["images"], file["labels"]
        self._seed = seed

    def __call__(self, step: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Of as many steps as a program takes, `shape[0]`, from `step` on."""
        if self._given:
            images = self._images[step : step + shape[0]]
            labels = self._labels[step : step + shape[0]]
            missing = shape[0] - len(images)
            return {
                "images": _filled(images, missing),
                "labels": _filled(labels, missing),
            }
        rng = np.random.default_rng((self._seed, step))
        chosen = rng.integers(len(self._images), size=shape[:3])
        images = self._images[chosen].astype(np.float32) / np.float32(127.5) - 1
        return {"images": images, "labels": self._labels[chosen].astype(np.int32)}


def _filled(x: np.ndarray, missing: int) -> np.ndarray:
    return np.pad(x, [(0, missing), *[(0, 0)] * (x.ndim - 1)])


def train(folder: Path, state: dict, flags: argparse.Namespace) -> None:
    """Takes steps until there are so many, and says how it goes."""
    step, draw = Program(folder, "step", state), Program(folder, "draw", {})
    images = Images(folder, flags.given_batches, flags.seed)
    shape = step.shape("images")
    print(
        f"{jax.devices()[0].device_kind}: compiled in {step.compile_seconds:.1f} s, "
        f"{shape[0]} steps a call",
        flush=True,
    )
    fakes = [each["name"] for each in draw.outputs]
    done = int(state["step"])
    started, first, said = None, done, time.monotonic()
    while done < flags.steps:
        count = min(shape[0], flags.steps - done)
        drawn = dict(zip(fakes, draw(first=np.int64(done)), strict=True))
        (rows,) = step(**images(done, shape), **drawn, count=np.int32(count))
        done += count
        if started is None:
            np.asarray(rows)
            started, first = time.perf_counter(), done
        if done > first and (time.monotonic() - said > 10 or done == flags.steps):
            last = np.asarray(rows)[count - 1]
            each = (time.perf_counter() - started) / (done - first)
            values = dict(zip(step.metric_names(), last, strict=True))
            print(
                f"step {done} of {flags.steps}: {1e3 * each:.2f} ms a step, "
                f"{each * (flags.steps - done):.0f} s left; "
                + ", ".join(
                    f"{k} {values[k]:.4f}" for k in sorted(values) if "loss" in k
                ),
                flush=True,
            )
            said = time.monotonic()
            if not np.isfinite(last).all():
                sys.exit(f"step {done}: {values} is not finite")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what bin/export --train_step wrote")
    parser.add_argument("--steps", type=int, default=2000, help="in all")
    parser.add_argument("--samples", type=int, default=0, help="pictures to draw then")
    parser.add_argument("--seed", type=int, default=0, help="of images and samples")
    parser.add_argument("--given_batches", action="store_true", help="bin/train's own")
    flags = parser.parse_args()
    folder, trained = flags.folder, flags.folder / "trained.npz"
    with np.load(trained if trained.exists() else folder / "state.npz") as file:
        device = jax.devices()[0]
        state = {name: jax.device_put(file[name], device) for name in file.files}
    train(folder, state, flags)
    np.savez(trained, **{name: np.asarray(x) for name, x in state.items()})
    print(trained)
    if flags.samples:
        sample = Program(folder, "sample", state)
        parts, count = [], 0
        while count < flags.samples:
            images, _ = sample(seed=np.int64(flags.seed), first=np.int64(count))
            parts.append(np.clip(127.5 * (np.asarray(images) + 1) + 0.5, 0, 255))
            count += len(parts[-1])
        pictures = np.concatenate(parts).astype(np.uint8)[: flags.samples]
        np.savez_compressed(folder / "samples.npz", images=pictures)
        print(folder / "samples.npz")


if __name__ == "__main__":
    main()
