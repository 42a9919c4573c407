"""bin/doctor: examines a run directory, and repairs what it can without loss.

bin/doctor RUN                          what a run holds, and what is broken in it
bin/doctor --prove_resume --gin_file=F  kills a run at random moments; is it the same?
bin/doctor --replay=RUN/failures/STEP   repeats a step that failed
"""

from pathlib import Path

from absl import flags

from logan_tf.cli import app, proof
from logan_tf.configuration import recipe
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.runs import examination
from logan_tf.runs.run_directory import RunDirectory

FLAGS = flags.FLAGS
flags.DEFINE_string("run_dir", None, "The run; may be given without the flag's name.")
flags.DEFINE_bool("repair", True, "Repair; else only look.")
flags.DEFINE_string("replay", None, "A bundle of the flight recorder.")
flags.DEFINE_bool("prove_resume", False, "Kill a run at random moments, and compare.")
flags.DEFINE_multi_string("gin_file", [], "Recipe to prove resumption with.")
flags.DEFINE_multi_string("gin_param", [], "A statement such as 'total_steps = 100'.")
flags.DEFINE_multi_string("module", [], "A module of yours that the recipe names.")
flags.DEFINE_multi_string("train_flag", [], "Another flag for bin/train.")
flags.DEFINE_integer("kills", 3, "How often to kill the run.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Of the moments of the kills.")


def main() -> None:
    """One of the three things that the command can do."""
    chosen = [FLAGS.run_dir is not None, FLAGS.replay is not None, FLAGS.prove_resume]
    if sum(chosen) != 1 and not (FLAGS.prove_resume and FLAGS.replay is None):
        raise ConfigurationError(
            "what shall be examined? Give a run directory, --replay=BUNDLE, or "
            "--prove_resume --gin_file=F"
        )
    if FLAGS.prove_resume:
        _prove()
    elif FLAGS.replay is not None:
        _replay(RunDirectory(FLAGS.replay))
    else:
        _examine(RunDirectory(FLAGS.run_dir))


def _examine(directory: RunDirectory) -> None:
    directory.require()
    user = examination.in_use(directory)
    print(f"{directory.path}: {directory.recipe()}")
    if user or not FLAGS.repair:
        if user:
            _print("in use", f"by {user}: looking only")
        found = examination.examine(directory, False, _unreadable)
    else:
        with directory.writing():
            found = examination.examine(directory, True, _unreadable)
    for finding in found.findings:
        _print(finding.what, finding.text, "" if finding.sound else "! ")
    _examine_configuration(directory)
    if found.resumes_at is not None:
        _print(
            "next",
            f"bin/train --run_dir={directory.path} resumes at step {found.resumes_at}",
        )
    elif not all(finding.sound for finding in found.findings):
        raise BadDataError(
            f"{directory.path} has no checkpoint to resume from: bring one back, or "
            "start anew with --restart"
        )


def _examine_configuration(directory: RunDirectory) -> None:
    """Reads it, unexecuted; imports that it needs are the user's to name."""
    try:
        read = recipe.read([str(directory.config)], [], FLAGS.module)
    except ConfigurationError as error:
        _print("configuration", str(error), "! ")
        return
    knobs = read.macros()
    shown = ", ".join(
        f"{name} {knobs[name]}"
        for name in ("total_steps", "batch_size", "seed")
        if name in knobs
    )
    _print("configuration", f"{len(read.bindings)} settings ({shown})")


def _unreadable(path: Path) -> str | None:
    app.import_tensorflow()
    from logan_tf.training import checkpoints

    return checkpoints.unreadable(path)


def _replay(bundle: RunDirectory) -> None:
    if not bundle.failure.is_file() or not bundle.config.is_file():
        raise ConfigurationError(
            f"{bundle.path} is no bundle of the flight recorder: give one of the "
            "folders in a run's failures/"
        )
    scanned = recipe.read([str(bundle.config)], [], FLAGS.module)
    app.import_tensorflow()
    from tqdm import tqdm

    from logan_tf.cli.running import lifecycle
    from logan_tf.configuration import bindings
    from logan_tf.training import replay

    bindings.apply(scanned, FLAGS.module)
    run = lifecycle.build()
    with tqdm(unit="step", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        repeated = replay.replay(run.experiment, bundle, progress)
    print(f"step {repeated.step}: {repeated.reason}")
    for name, value in repeated.recorded.items():
        _print(name, f"{value}, repeated {repeated.repeated.get(name)}", width=36)
    for name, share in repeated.not_finite.items():
        _print("not finite", f"{share:.0%} of {name}")
    different = repeated.differences()
    if different:
        raise BadDataError(
            f"the repetition differs in {', '.join(different)}: it needs the same "
            "machine, versions and flags as the run"
        )
    print("the step is repeated, bit for bit")


def _prove() -> None:
    if not FLAGS.gin_file:
        raise ConfigurationError("--prove_resume needs a recipe: give --gin_file=F")
    recipe.read(FLAGS.gin_file, FLAGS.gin_param, FLAGS.module)
    train_flags = [
        *(f"--gin_file={name}" for name in FLAGS.gin_file),
        *(f"--gin_param={statement}" for statement in FLAGS.gin_param),
        *(f"--module={name}" for name in FLAGS.module),
        *FLAGS.train_flag,
    ]
    proof.prove(train_flags, FLAGS.kills, FLAGS.seed, FLAGS.run_dir)


def _print(what: str, text: str, mark: str = "", width: int = 14) -> None:
    print(f"  {what:{width}} {mark}{text}")


if __name__ == "__main__":
    app.run(main, __doc__ or "", first="run_dir")
