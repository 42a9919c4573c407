"""A real collapse: the generator's steps are so large that all points fly one way."""

import json

from logan_tf.runs.checkpoint_files import CheckpointFiles


def test_a_run_that_collapses_stops_and_says_so_until_it_is_told_to_go_on(
    command, params, tmp_path
):
    run = tmp_path / "run"
    bindings = {
        "generator/keras.optimizers.Adam.learning_rate": 30.0,
        "Trainer.collapse_factor": 1.5,
        "Trainer.collapse_floor": 1.2,
    }
    flags = params(bindings, total_steps=6, evaluate_every=2, checkpoint_every=1)
    flags += [f"--run_dir={run}", "--noprogress"]
    done = command("train", "--gin_file=ring_logan", *flags)
    assert done.exit_code == 4
    (line,) = done.err.splitlines()
    assert line.startswith("error: step 2: reverse_kl is ")
    assert "more than 1.5 times the best" in line
    assert "kept: step 0 (the best, reverse_kl " in line
    files = CheckpointFiles(run / "checkpoints")
    assert files.steps() == [0, 1, 2]
    evaluation = json.loads((run / "evaluations" / "step-00000002.json").read_text())
    assert evaluation["metrics"]["reverse_kl"]["value"] > 1.5 * files.best().value

    again = command("train", f"--run_dir={run}", "--noprogress")
    assert (again.exit_code, again.err.splitlines()) == (4, [line])
    on = ["--gin_param=Trainer.collapse_factor = 0"]
    done = command("train", f"--run_dir={run}", "--noprogress", *on)
    assert (done.exit_code, done.err) == (0, "")
    assert files.steps() == [0, 4, 5, 6]
    assert files.choose("best") == [0]
