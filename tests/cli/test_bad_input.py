"""Every mistake of a user's: one line with the remedy, exit 2, nothing written."""

import os
import shutil
import subprocess

import pytest

from logan_tf.configuration import recipe_files

ROOT = recipe_files.RECIPES.parent
RING, DIGITS = "--gin_file=ring_logan", "--gin_file=digits_logan"


def refused(result, *parts: str, exit_code: int = 2) -> None:
    assert result.exit_code == exit_code
    (line,) = result.err.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def param(statement: str) -> str:
    return f"--gin_param={statement}"


def dynamics(name: str) -> str:
    return param(f"Experiment.dynamics = @{name}()")


ALTERNATING, ADAPTIVE = (
    param(f"Experiment.schedule = @{name}()") for name in ("Alternating", "Adaptive")
)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        # Before TensorFlow is imported.
        (["--gin_file=gin/ring_logn.gin"], ["did you mean 'ring_logan.gin'?"]),
        ([RING, "--gin_flie=x"], ["'gin_flie'", "--help"]),
        ([RING, "gin/ring_logan.gin"], ["'gin/ring_logan.gin' is no flag", "--help"]),
        ([RING, "--restart=perhaps"], ["restart", "--help"]),
        ([RING, param("totl_steps = 5")], ["did you mean 'total_steps'?"]),
        ([RING, param("total_steps = 'ten'")], ["total_steps must be int"]),
        ([RING, param("total_steps = ")], ["--gin_param, line 1"]),
        ([RING, param("Ring.sigma = %sgma")], ["%sgma has no value"]),
        ([RING, param("include 'none.gin'")], ["no file 'none.gin'"]),
        ([RING, param("import evil")], ["--module=evil"]),
        # Before anything is built.
        ([RING, param("Rng.sigma = 1.0")], ["gin knows no 'Rng'", "did you mean"]),
        ([RING, param("Ring.sgma = 1.0")], ["did you mean 'sigma'?"]),
        ([RING, param("Ring.sigma = 'wide'")], ["Ring.sigma must be float"]),
        (
            [
                "--gin_file=ring_baseline",
                param("Game.latent_rule = @LatentRule()"),
                param("LatentRule.optimizer = @LatentOptimizer()"),
                param("LatentOptimizer.step = @natural_gradient_step"),
                param("natural_gradient_step.step_size = 0.9"),
            ],
            ["natural_gradient_step needs damping"],
        ),
        ([RING, "--module=no_such_module"], ["--module=no_such_module", "PYTHONPATH"]),
        # As the parts are built.
        ([RING, param("batch_size = 0")], ["batch_size must be 2 or more", "not 0"]),
        ([RING, param("seed = -1")], ["seed must be 0 to"]),
        ([RING, param("Ring.num_modes = 0")], ["num_modes must be at least 1"]),
        ([RING, param("mlp.Generator.hidden = (-1,)")], ["'Generator': ", "-1"]),
        ([RING, param("latent_dim = -1")], ["latent_dim must be 1 or more"]),
        ([RING, param("latent_dim = 2147483648")], ["would take", "GiB", "latent_dim"]),
        ([RING, param("batch_size = 2147483648")], ["would take", "lower batch_size"]),
        (
            [RING, param("mlp.Generator.hidden = (3000000000,)")],
            ["the networks, the average and the optimizers", "would take", "GiB"],
        ),
        ([DIGITS, param("width = 10000")], ["would take 429.0 GiB"]),
        ([RING, param("total_steps = 0")], ["total_steps must be 1 or more, not 0"]),
        # Dynamics, and what they do not go with.
        (
            [RING, dynamics("FollowTheRidge"), ALTERNATING],
            ["FollowTheRidge needs a schedule", "not Alternating", "@Simultaneous()"],
        ),
        (
            [RING, dynamics("Optimistic"), ADAPTIVE, param("Adaptive.threshold = 1.0")],
            ["Optimistic needs a schedule", "not Adaptive"],
        ),
        (
            [
                RING,
                dynamics("SymplecticGradientAdjustment"),
                param("SymplecticGradientAdjustment.align = True"),
                ALTERNATING,
            ],
            ["SymplecticGradientAdjustment needs a schedule", "all players at once"],
        ),
        (
            [RING, dynamics("Consensus"), param("accumulation = 2")],
            ["accumulation = 2 needs plain dynamics, not Consensus"],
        ),
        (
            [RING, dynamics("Momentum"), param("Momentum.beta = {'critic': 0.1}")],
            ["Momentum.beta names 'critic'", "discriminator and generator"],
        ),
        (
            [RING, dynamics("Unrolled"), param("Unrolled.players = ('critic',)")],
            ["Unrolled.players names 'critic'"],
        ),
        (
            [RING, dynamics("NagarajanKolter"), param("NagarajanKolter.player = 'D'")],
            ["NagarajanKolter.player is 'D'"],
        ),
        ([RING, ADAPTIVE], ["Adaptive needs threshold"]),
        ([RING, param("spectrum_every = -1")], ["spectrum_every must be 0 or more"]),
        ([RING, param("log_every = 0")], ["log_every must be 1 or more"]),
        ([RING, param("standing_batches = 0")], ["standing_batches must be 1"]),
        ([RING, param("evaluation_latent_steps = -1")], ["must be 0 or more"]),
        (
            ["--gin_file=ring_baseline", param("evaluation_latent_steps = 3")],
            ["evaluation_latent_steps is 3", "no latent optimizer"],
        ),
        (
            [
                "--gin_file=logan_cifar10",
                param("evaluate_every = 5"),
                param("Evaluator.protocol = None"),
            ],
            ["evaluate_every is 5", "no protocol", "set it to 0"],
        ),
        ([RING, param("LatentOptimizer.fraction = 1.5")], ["fraction is a portion"]),
        ([DIGITS, param("image_size = 17")], ["not 17", "another image_size"]),
        ([DIGITS, param("Digits.size = 32")], ["the generator makes", "(32, 32, 1)"]),
        ([DIGITS, param("channels = 3")], ["(16, 16, 3)", "(16, 16, 1)"]),
        ([RING, param("Experiment.discriminator = @sngan.Discriminator")], ["(2,)"]),
        # As the data is opened.
        ([DIGITS, param("batch_size = 5000"), param("width = 2")], ["5000 examples"]),
        (
            ["--gin_file=logan_cifar10", param("TFDSImages.name = 'cifar11'")],
            ["'cifar11'", "did you mean cifar10"],
        ),
        (
            [DIGITS, param("Digits.data_dir = 5")],
            ["data_dir must be str | None"],
        ),
    ],
)
def test_training_that_cannot_work_is_refused_and_leaves_nothing(
    arguments, parts, command, data_dir, tmp_path
):
    run_dir = tmp_path / "new" / "run"
    given = [*arguments, f"--run_dir={run_dir}", "--noprogress"]
    if arguments[0] != RING and not any("data_dir" in a for a in arguments):
        given.append(param(f"data_dir = {data_dir!r}"))
    refused(command("train", *given), *parts)
    assert os.listdir(tmp_path) == []


def test_no_recipe_and_no_run(command, tmp_path):
    refused(command("train"), "--gin_file=", "--run_dir")
    refused(command("train", f"--run_dir={tmp_path}"), "no config.gin")
    assert os.listdir(tmp_path) == []


def test_an_unwritable_run_directory(command, tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/run"):
        result = command("train", RING, f"--run_dir={tmp_path / place}")
        refused(result, "choose another with --run_dir")


def test_data_that_cannot_be_had_is_no_mistake_and_leaves_nothing(command, tmp_path):
    (tmp_path / "file").write_text("")
    result = command(
        "train",
        "--gin_file=digits_logan",
        param(f"data_dir = '{tmp_path}/file'"),
        param("width = 2"),
        f"--run_dir={tmp_path}/run",
    )
    assert result.exit_code == 3
    (line,) = result.err.splitlines()
    assert line.startswith("error: digits is not in ")
    assert "set data_dir to" in line
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["batch_size = 0"], ["batch_size"]),
        (["mlp.Generator.hidden = (16,)"], ["ckpt-4 holds other networks"]),
        (["Experiment.generator_optimizer = @generator/SGD()"], ["other networks or"]),
        (["total_steps = 0"], ["total_steps"]),
    ],
)
def test_a_run_that_refuses_a_change_stays_as_it_is(
    changes, parts, command, ring_run, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(ring_run, run)
    before = contents(run)
    restart = "other networks" not in parts[0]
    for flags in ([], ["--restart"] if restart else []):
        given = [param(change) for change in changes]
        result = command("train", f"--run_dir={run}", *given, "--noprogress", *flags)
        refused(result, *parts)
        assert contents(run) == before


def contents(folder) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["sample", "evaluate"])
@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--checkpoint=7"], ["no checkpoint '7'", "2, 4"]),
        (["--checkpoint=best"], ["which checkpoint is the best", "evaluate_every"]),
        (["--truncation=0"], ["truncation is 0.0"]),
        (["--truncation=1.5"], ["truncation is 1.5"]),
        (["--latent_steps=-1"], ["latent_steps must be 0 or more, not -1"]),
        (["--seed=x"], ["seed", "--help"]),
    ],
)
def test_settings_out_of_range(name, flags, parts, command, ring_run, tmp_path):
    output = [f"--output={tmp_path}/grid.png"] if name == "sample" else []
    before = contents(ring_run)
    refused(command(name, f"--run_dir={ring_run}", *output, *flags), *parts)
    assert os.listdir(tmp_path) == []
    assert contents(ring_run) == before


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_no_run_or_no_checkpoint(name, command, ring_run, tmp_path):
    output = [f"--output={tmp_path}/grid.png"] if name == "sample" else []
    refused(command(name, *output), "--run_dir=DIR")
    refused(command(name, *output, f"--run_dir={tmp_path}"), "not a run directory")
    shutil.copy(ring_run / "config.gin", tmp_path)
    refused(
        command(name, *output, f"--run_dir={tmp_path}"), "no checkpoint", "bin/train"
    )


def test_a_damaged_checkpoint_is_bad_data(command, ring_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(ring_run, run)
    for step in (0, 2, 4):
        (run / "checkpoints" / f"ckpt-{step}" / "state.index").write_bytes(b"")
    for name in ("train", "evaluate"):
        result = command(name, f"--run_dir={run}")
        assert result.exit_code == 3
        (line,) = result.err.splitlines()
        assert "step 4 is damaged: " in line
        assert "--restart" in line


def test_a_damaged_checkpoint_gives_way_to_the_one_before(command, ring_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(ring_run, run)
    (run / "checkpoints" / "ckpt-4" / "state.index").write_bytes(b"")
    judged = command("evaluate", f"--run_dir={run}", "--num_samples=50")
    assert (judged.exit_code, judged.err) == (0, "")
    assert "going on from that of step 2" in judged.out
    assert (run / "evaluations" / "step-00000002-samples50.json").is_file()
    refused(
        command("evaluate", f"--run_dir={run}", "--checkpoint=4"),
        "step 4 is damaged",
        "choose --checkpoint=latest",
        exit_code=3,
    )
    assert not (run / "checkpoints" / "set_aside").exists()
    trained = command("train", f"--run_dir={run}", "--noprogress")
    assert (trained.exit_code, trained.err) == (0, "")
    assert "resumed at step 2" in trained.out
    assert (run / "checkpoints" / "set_aside" / "ckpt-4").is_dir()


def test_samples_that_are_all_alike_stop_a_run(command, params, tmp_path):
    """A generator without a network's breadth left: its last layer is zero."""
    flags = params({"ExponentialMovingAverage.decay": 0.0}, sample_every=2)
    flags.append("--gin_param=generator/keras.optimizers.SGD.learning_rate = 1.0")
    flags.append("--gin_param=generator/keras.optimizers.SGD.weight_decay = 1.0")
    flags.append(
        "--gin_param=Experiment.generator_optimizer = @generator/keras.optimizers.SGD()"
    )
    run = f"--run_dir={tmp_path}/run"
    result = command("train", "--gin_file=ring_logan", run, *flags, "--noprogress")
    refused(
        result, "step 2: the samples do not differ", "bin/train --run_dir=", exit_code=4
    )


def test_latent_steps_without_a_latent_optimizer(command, params, tmp_path):
    baseline = ["--gin_file=ring_baseline", f"--run_dir={tmp_path}/run", "--noprogress"]
    given = [flag for flag in params(total_steps=1) if "LatentOptimizer" not in flag]
    assert command("train", *baseline, *given).exit_code == 0
    result = command("evaluate", f"--run_dir={tmp_path}/run", "--latent_steps=2")
    refused(result, "no latent optimizer", "set latent_steps to 0")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--num=0"], ["0 samples", "at least 1"]),
        (["--num=many"], ["num", "--help"]),
        (["--output=grid.jpg"], [".png, .npz or .gif", "'grid.jpg'"]),
        (["--output=grid"], ["--output=grid.png"]),
        (["--output=none/grid.png"], ["no folder none", "make it first"]),
        (["--output=folder.png"], ["folder.png is a folder"]),
    ],
)
def test_samples_that_cannot_be_drawn(
    flags, parts, command, ring_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    given = [] if "--output" in flags[0] else ["--output=grid.png"]
    refused(command("sample", f"--run_dir={ring_run}", *given, *flags), *parts)
    assert os.listdir(tmp_path) == ["folder.png"]


def test_samples_need_an_output(command, ring_run):
    refused(command("sample", f"--run_dir={ring_run}"), "--output=grid.png")


def test_fewer_than_one_sample_to_judge(command, ring_run):
    result = command("evaluate", f"--run_dir={ring_run}", "--num_samples=0")
    refused(result, "--num_samples must be 1 or more, not 0")


@pytest.mark.parametrize(
    ("name", "arguments", "parts"),
    [
        ("train", ["--gin_file=ring_logn"], ["did you mean"]),
        ("train", ["--gin_file=ring_logan", param("totl_steps = 1")], ["total_steps"]),
        ("train", ["--gin_file=ring_logan", param("import evil")], ["--module=evil"]),
        ("train", ["--gin_file=ring_logan", "--run_dir=/proc/run"], ["--run_dir"]),
        ("sample", ["--run_dir=.", "--output=grid.jpg"], [".png, .npz or .gif"]),
        ("evaluate", ["--run_dir=."], ["not a run directory"]),
    ],
)
def test_commands_refuse_what_they_can_before_they_import_tensorflow(
    name, arguments, parts, tmp_path
):
    """A process of its own, in which importing TensorFlow ends with another code."""
    (tmp_path / "tensorflow.py").write_text("raise SystemExit(77)")
    (tmp_path / "evil.py").write_text("raise SystemExit(78)")
    done = subprocess.run(
        [str(ROOT / "bin" / name), *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for part in parts:
        assert part in line
    assert sorted(os.listdir(tmp_path)) == ["evil.py", "tensorflow.py"]
