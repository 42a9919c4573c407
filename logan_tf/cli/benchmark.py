"""bin/benchmark: what a recipe's step costs, for its game and the variants of it."""

import datetime
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.benchmarking import measures
from logan_tf.cli.running import consent
from logan_tf.configuration import recipe
from logan_tf.errors import ConfigurationError, suggestion

if TYPE_CHECKING:
    import tensorflow as tf

    from logan_tf.cli.running.lifecycle import Run

_STARTED = time.perf_counter()
_USUAL = ("steps", "operations", "process", "loop")
_MEASUREMENTS = (*_USUAL, "profile")

_SHOWN = 16  # kinds of operation of a profile

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(consent)
flags.DEFINE_multi_string("gin_file", [], "Recipe; may be given several times.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'batch_size = 16'.")
flags.DEFINE_list(
    "measure",
    list(_USUAL),
    "steps: times, interleaved in one process. operations: counted, and the floor. "
    "process: start-up and peak memory, a process a variant. loop: the input, and "
    "training with its logging beside the bare step; needs the recipe's data. profile: "
    "which operations take a step's time.",
)
flags.DEFINE_list("variants", [], "Some of the variants; all by default.")
flags.DEFINE_integer(
    "repeats", 9, "How often each step is timed.", upper_bound=app.MOST
)
flags.DEFINE_multi_string(
    "sweep",
    [],
    "Times against a macro of the recipe, 'batch_size = 16, 32, 64', or 'replicas = 1, "
    "2'. With --output it draws a picture beside it.",
)
flags.DEFINE_integer(
    "virtual_devices",
    0,
    "Times the steps on several parts of a CPU.",
    lower_bound=0,
    upper_bound=app.MOST_DEVICES,
)
flags.DEFINE_string("stablehlo", None, "Write each variant's step there, and stop.")
flags.DEFINE_bool("jit_compile", False, "Compile the steps with XLA.")
flags.DEFINE_string("output", None, "results.json")
flags.DEFINE_integer(
    "steps_per_program", 1, "Steps that a program of --stablehlo takes.", 1, 1024
)
flags.DEFINE_integer(
    "replicas", 1, "Write --stablehlo as each of so many replicas runs it.", 1, 65536
)
flags.DEFINE_list("compare", [], "old.json,new.json: their ratios. Measures nothing.")
flags.DEFINE_string("date", None, "Of the results; today by default.")
flags.DEFINE_bool("progress", True, "Show a progress bar.")


def main() -> None:
    """What can be refused early is, before TensorFlow is imported."""
    if FLAGS.compare:
        _compare(FLAGS.compare)
        return
    _check()
    scanned = recipe.read(FLAGS.gin_file, FLAGS.gin_param, FLAGS.module)
    axes = _axes(scanned)
    strategy = app.import_tensorflow(_start_devices)
    from logan_tf.benchmarks import results, variants
    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings

    names = FLAGS.variants or list(variants.NAMES)
    variants.check(names)
    bindings.apply(scanned, FLAGS.module, FLAGS.trust)
    imported = time.perf_counter()
    run = lifecycle.build(strategy)
    built = time.perf_counter()
    if FLAGS.stablehlo:
        _export(run, names)
        return
    found: dict[str, Any] = {
        "identity": results.identity(measures.recipe_name(), FLAGS.gin_param, _date())
        | {"jit_compile": FLAGS.jit_compile}
    }
    start = {"import_seconds": imported - _STARTED, "build_seconds": built - imported}
    for part, measured in measures.measured(run, names, axes, start):
        found[part] = measured
    _print(found)
    if FLAGS.output:
        results.write(FLAGS.output, found)
        print(FLAGS.output)


def _check() -> None:
    if not FLAGS.gin_file:
        raise ConfigurationError(
            "what shall be measured? Give --gin_file=gin/logan_cifar10.gin, say"
        )
    for name in FLAGS.measure:
        if name not in _MEASUREMENTS:
            raise ConfigurationError(
                f"--measure knows no {name!r}: choose among {', '.join(_MEASUREMENTS)}"
            )
    if FLAGS.virtual_devices and FLAGS.measure != ["steps"]:
        raise ConfigurationError("--virtual_devices needs --measure=steps")
    if FLAGS.repeats < 1:
        raise ConfigurationError(f"--repeats must be 1 or more, not {FLAGS.repeats}")
    if FLAGS.output and not Path(FLAGS.output).parent.is_dir():
        raise ConfigurationError(
            f"there is no folder {Path(FLAGS.output).parent}: make it first"
        )


def _start_devices() -> "tf.distribute.Strategy":
    from logan_tf.training import strategy

    name = "mirrored" if FLAGS.virtual_devices else "one_device"
    return strategy.create(name, virtual_devices=FLAGS.virtual_devices)


def _axes(scanned: recipe.Recipe) -> list:
    from logan_tf.benchmarks import sweep

    axes = [sweep.Axis.parse(text) for text in FLAGS.sweep]
    known = {sweep.REPLICAS, *scanned.macros()}
    for axis in axes:
        if axis.macro not in known:
            raise ConfigurationError(
                f"--sweep: the recipe has no macro {axis.macro!r}"
                f"{suggestion(axis.macro, known)}"
            )
    return axes


def _export(run: "Run", names: list[str]) -> None:
    from logan_tf.benchmarks import stablehlo

    with measures.bar("export", len(names)) as tick:
        manifest = stablehlo.export(
            run.experiment,
            run.strategy,
            names,
            Path(FLAGS.stablehlo),
            tick,
            FLAGS.steps_per_program,
            FLAGS.replicas,
        )
    print(manifest)


def _compare(paths: list[str]) -> None:
    from logan_tf.benchmarks import results
    from logan_tf.evaluation.receipts import format_table

    if len(paths) != 2:
        raise ConfigurationError(
            f"--compare takes two files, old.json,new.json, not {len(paths)}"
        )
    old, new = map(results.read, paths)
    for line in results.differences(old, new):
        print(line)
    rows = results.compare(old, new)
    if not rows:
        raise ConfigurationError("the two results have no number in common")
    print(format_table(rows))


def _print(found: dict[str, Any]) -> None:
    from logan_tf.benchmarks import results
    from logan_tf.evaluation.receipts import format_table

    identity = found["identity"]
    print(f"{identity['recipe']} on {', '.join(identity['devices'])}")
    if rows := results.step_rows(found):
        print(format_table(rows))
    for name, shares in found.get("profile", {}).items():
        print(f"\n{name}, {sum(share['milliseconds'] for share in shares):.1f} ms")
        print(format_table(shares[:_SHOWN]))
    if "sweep" in found:
        print(format_table(found["sweep"]))
    if "loop" in found:
        for name, value in found["loop"].items():
            shown = value["median"] if isinstance(value, dict) else value
            unit = " s" if isinstance(value, dict) else ""
            text = f"{shown:.4g}" if isinstance(shown, float) else shown
            print(f"{name.replace('_', ' '):26} {text}{unit}")


def _date() -> str:
    return FLAGS.date or datetime.date.today().isoformat()


if __name__ == "__main__":
    app.run(main, f"{__doc__}\n\nbin/benchmark --gin_file=gin/logan_cifar10.gin")
