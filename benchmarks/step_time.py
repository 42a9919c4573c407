"""Step times in one process, interleaved: variants of the step, and the loop around it.

    python -m benchmarks.step_time

1. SN-GAN 32x32, width 64, batch 64, simultaneous updates: baseline, LOGAN (NGD), LOGAN
   without second-order terms. Medians, and their ratios to the baseline.
2. Stacked digits: the loop with its input (as training runs it) against the same steps
   on one fixed batch, and the input alone.
"""

import statistics
import time
from collections.abc import Callable

from logan_tf.cli import app, recipe

REPEATS = 9
LOOP_STEPS = 100

VARIANTS = {
    "baseline": ("sngan_cifar10", []),
    "LOGAN (NGD)": ("logan_cifar10", []),
    "LOGAN, first order": (
        "logan_cifar10",
        [
            "Game.stop_gradient = ('discriminator', 'generator')",
            "Game.stop_regularizer = True",
        ],
    ),
}


def main() -> None:
    """Prints both tables."""
    app.import_tensorflow()
    compare_variants()
    compare_loop()


def compare_variants() -> None:
    """Times one step of each variant on a fixed batch of noise."""
    import tensorflow as tf

    steps = {}
    for name, (recipe_name, gin_params) in VARIANTS.items():
        experiment, train_step = build(recipe_name, gin_params)
        step = tf.function(train_step.one_step)
        batch = noise(experiment)
        steps[name] = lambda step=step, batch=batch: step(batch).numpy()
    seconds = interleaved(steps, REPEATS)
    print(f"SN-GAN 32x32, width 64, batch 64, {REPEATS} repeats")
    for name, times in seconds.items():
        median = statistics.median(times)
        ratio = median / statistics.median(seconds["baseline"])
        spread = f"{min(times):.3f} to {max(times):.3f}"
        print(f"  {name:20} {median:.3f} s ({spread})  {ratio:.2f} x")


def compare_loop() -> None:
    """Times the loop with real input, the bare steps, and the input alone."""
    import tensorflow as tf

    experiment, train_step = build("stacked_digits_logan", [])
    batches = iter(experiment.batches())
    alone = iter(experiment.batches())
    batch = noise(experiment)

    @tf.function
    def bare() -> tf.Tensor:
        row = train_step.one_step(batch)
        for _ in tf.range(LOOP_STEPS - 1):
            row = train_step.one_step(batch)
        return row

    def read() -> None:
        for _ in range(LOOP_STEPS):
            next(alone)

    seconds = interleaved(
        {
            "loop": lambda: train_step.run(batches, LOOP_STEPS),
            "bare step": lambda: bare().numpy(),
            "input alone": read,
        },
        REPEATS,
    )
    loop = statistics.median(seconds["loop"])
    print(f"stacked digits, LOGAN, {LOOP_STEPS} steps, {REPEATS} repeats")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"  {name:20} {1e3 * median / LOOP_STEPS:.2f} ms  {median / loop:.1%}")


def build(name: str, gin_params: list[str]):
    """The experiment of a recipe and its inner loop."""
    import tensorflow as tf

    from logan_tf.cli import configuration, runs
    from logan_tf.training.step import TrainStep

    scanned = recipe.read([name], gin_params, [])
    configuration.apply(scanned, [])
    experiment = runs.build().experiment
    return experiment, TrainStep(experiment, tf.distribute.get_strategy())


def noise(experiment):
    """One batch of uniform noise in the experiment's shapes."""
    import tensorflow as tf

    from logan_tf.data.batch import Batch

    size, shape = experiment.batch_size, experiment.dataset.shape
    return Batch(
        images=tf.random.uniform([size, 1, *shape], -1, 1),
        labels=tf.zeros([size, 1], tf.int32),
        latents=tf.random.uniform([size, 1, experiment.latent_dim], -1, 1),
        fake_labels=tf.zeros([size, 1], tf.int32),
    )


def interleaved(
    calls: dict[str, Callable[[], object]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each call, in turn, after one call each that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if repeat:
                seconds[name].append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
