"""bin/doctor RUN: examines a run directory, and repairs what it can without loss."""

import contextlib

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running import consent
from logan_tf.configuration import recipe
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.installation import as_typed
from logan_tf.runs import examination, run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(consent)
flags.DEFINE_string("run_dir", None, "The run; may be given without the flag's name.")
flags.DEFINE_bool("repair", True, "Repair; else only look.")


def main() -> None:
    """Says what the run holds, and what is broken in it."""
    if FLAGS.run_dir is None:
        raise ConfigurationError("what shall be examined? Give a run directory")
    directory = RunDirectory(FLAGS.run_dir, FLAGS.follow_links)
    directory.require()
    print(f"{directory.path}: {directory.recipe()}")
    user = run_lock.holder(directory.path)
    if user:
        _print("in use", f"by {user}: looking only")
    repair = FLAGS.repair and not user
    with directory.writing() if repair else contextlib.nullcontext():
        files = CheckpointFiles(directory.checkpoints)
        files.require_layout()
        damages = {step: _damage(files, step) for step in files.steps()}
        findings = list(examination.examine(directory, repair, damages))
    for finding in findings:
        _print(finding.what, finding.text, "" if finding.sound else "! ")
    _examine_configuration(directory)
    whole = [step for step, damage in damages.items() if damage is None]
    if whole:
        command = as_typed(f"bin/train --run_dir={directory.path}")
        _print("next", f"{command} resumes at step {whole[-1]}")
    elif not all(finding.sound for finding in findings):
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


def _damage(files: CheckpointFiles, step: int) -> str | None:
    app.import_tensorflow()
    from logan_tf.training import checkpoints

    return checkpoints.damage(files, step)


def _print(what: str, text: str, mark: str = "") -> None:
    print(f"  {what:14} {mark}{text}")


if __name__ == "__main__":
    app.run(main, __doc__ or "", first="run_dir")
