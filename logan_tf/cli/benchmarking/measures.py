"""What bin/benchmark measures of a run, part by part, as its flags ask for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from logan_tf import progress
from logan_tf.configuration import recipe_files
from logan_tf.errors import BadDataError, ConfigurationError

if TYPE_CHECKING:
    from logan_tf.cli.running.lifecycle import Run

FLAGS = flags.FLAGS


def measured(
    run: "Run", names: list[str], axes: list, start: dict[str, float]
) -> Iterator[tuple[str, Any]]:
    """(name, results) of each part that was asked for."""
    from logan_tf.benchmarks import process, steps

    experiment, strategy = run.experiment, run.strategy
    wanted = [] if axes else FLAGS.measure
    if "process" in wanted:
        if wanted == ["process"] and len(names) == 1:
            here = process.measure_here(
                experiment, strategy, names[0], jit_compile=FLAGS.jit_compile
            )
            yield "process", {names[0]: start | here}
        else:
            yield "process", _processes(names)
    if "operations" in wanted:
        yield "operations", steps.count_operations(experiment, strategy, names)
    if "steps" in wanted:
        with bar("steps", len(names) * (FLAGS.repeats + 1)) as tick:
            yield (
                "steps",
                steps.time_steps(
                    experiment,
                    strategy,
                    names,
                    repeats=FLAGS.repeats,
                    jit_compile=FLAGS.jit_compile,
                    tick=tick,
                ),
            )
    if "profile" in wanted:
        yield "profile", _profile(run, names)
    if "loop" in wanted:
        yield "loop", _loop(run)
    if axes:
        yield "sweep", _sweep(axes)


def _processes(names: list[str]) -> dict[str, Any]:
    from logan_tf.benchmarks import process

    measured: dict[str, Any] = {}
    with bar("processes", len(names)) as tick:
        for name in names:
            child = process.in_a_child(
                [*_same_recipe(), "--measure=process", f"--variants={name}"]
            )
            measured |= child["process"]
            tick()
    return measured


def _profile(run: "Run", names: list[str]) -> dict[str, Any]:
    """By variant, a dict a kind of operation."""
    from logan_tf.benchmarks import operation_times, steps, variants

    profiles = {}
    with bar("profile", len(names)) as tick:
        for name in names:
            experiment = variants.of(run.experiment, name)
            step = steps.compiled(experiment, run.strategy, FLAGS.jit_compile)
            step()
            shares = operation_times.measure(step, FLAGS.repeats)
            profiles[name] = [share._asdict() for share in shares]
            tick()
    return profiles


def _sweep(axes: list) -> list[dict[str, Any]]:
    """Measures each point in a process of its own, which then gives its memory back."""
    from logan_tf.benchmarks import process, sweep

    points = [(axis, value) for axis in axes for value in axis.values]
    rows = []
    with bar("sweep", len(points)) as tick:
        for axis, value in points:
            child = process.in_a_child(
                [
                    *_same_recipe(),
                    axis.flag(value),
                    "--measure=steps",
                    f"--variants={','.join(sweep.VARIANTS)}",
                    f"--repeats={FLAGS.repeats}",
                ]
            )
            rows.append(sweep.row(axis, value, child["steps"]))
            tick()
    if FLAGS.output:
        sweep.plot(Path(FLAGS.output).with_suffix(".png"), rows, recipe_name())
    return rows


def _same_recipe() -> list[str]:
    """The flags that make another process measure the same."""
    given = [("gin_file", FLAGS.gin_file), ("gin_param", FLAGS.gin_param)]
    given += [("module", FLAGS.module), ("trust", FLAGS.trust)]
    repeated = [f"--{name}={value}" for name, values in given for value in values]
    return [*repeated, f"--jit_compile={FLAGS.jit_compile}"]


def _loop(run: "Run") -> dict[str, Any]:
    """The loop; where there is no data, why not."""
    import gin

    from logan_tf.benchmarks import loop
    from logan_tf.training.trainer import Trainer

    make_trainer = partial(
        gin.get_configurable(Trainer),
        run.experiment,
        run.strategy,
        checkpoint_every=10**9,
        evaluate_every=0,
    )
    try:
        with bar("loop", FLAGS.repeats + 2) as tick:
            return loop.measure(
                run.experiment,
                run.strategy,
                make_trainer,
                repeats=FLAGS.repeats,
                tick=tick,
            )
    except (ConfigurationError, BadDataError) as error:
        return {"skipped": str(error)}


def recipe_name() -> str:
    """Of all files that were given."""
    return " ".join(recipe_files.find(name).stem for name in FLAGS.gin_file)


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[], object]]:
    """A progress bar with the time that is left; yields what moves it by one."""
    with progress.bar(total=total, desc=name, disable=not FLAGS.progress) as shown:
        yield shown.update
