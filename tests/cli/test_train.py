"""bin/train: new runs, resumed ones, dry runs, modules of the user's."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.configuration import recipe_files

ROOT = recipe_files.RECIPES.parent
RING = "--gin_file=ring_logan"


def lines(run) -> list[dict]:
    """The metrics but the speed, which no two runs share."""
    read = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    return [
        {k: v for k, v in line.items() if k != "images_per_second"} for line in read
    ]


def test_a_run_directory_is_the_whole_truth(digits_run):
    found = {str(path.relative_to(digits_run)) for path in digits_run.rglob("*")}
    assert {"config.gin", "operative_config.gin", "metrics.jsonl"} <= found
    page = (digits_run / "report.html").read_text("utf-8")
    # Neighbors of its samples, which other tests ask for, are on the page too.
    assert len(re.findall("data:image/(?:png|jpeg);base64,", page)) >= 3
    steps = ("step-00000000.png", "step-00000002.png", "step-00000004.png")
    assert {f"samples/{name}" for name in steps} <= found
    assert not [name for name in found if "/." in name or name.startswith(".")]
    assert [line["step"] for line in lines(digits_run)] == [1, 2, 3, 4]
    config = (digits_run / "config.gin").read_text()
    assert config.startswith("# Recipe: digits_logan\n")
    assert "total_steps = 4" in config
    assert "include" not in config


def test_samples_are_also_on_tensorboard(digits_run):
    tags = {}
    for path in (digits_run / "events").iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                tags.setdefault(value.tag, []).append((event.step, value))
    assert [step for step, _ in tags["pictures/samples"]] == [0, 2, 4]
    shown = tf.io.decode_png(tf.make_ndarray(tags["pictures/samples"][-1][1].tensor)[2])
    path = digits_run / "samples" / "step-00000004.png"
    saved = tf.io.decode_png(path.read_bytes(), channels=3)
    np.testing.assert_array_equal(shown, saved)
    assert "total_steps" in str(tf.make_ndarray(tags["configuration"][0][1].tensor))
    assert [step for step, _ in tags["losses/generator_loss"]] == [1, 2, 3, 4]


def test_a_run_resumed_in_another_process_is_the_uninterrupted_one(
    train, params, ring_run, same_run, tmp_path
):
    """Two steps, and two more by bin/train itself, which needs the run alone."""
    run = tmp_path / "run"
    train(RING, f"--run_dir={run}", *params(total_steps=2))
    done = subprocess.run(
        [
            str(ROOT / "bin" / "train"),
            f"--run_dir={run}",
            "--gin_param=total_steps = 4",
            "--noprogress",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "resumed at step 2" in done.stdout
    assert "-total_steps = 2\n+total_steps = 4\n" in done.stdout
    same_run(run, ring_run, 4)
    assert (run / "config.gin").read_text() == (ring_run / "config.gin").read_text()


def test_the_configuration_alone_reproduces_a_run(train, ring_run, same_run, tmp_path):
    before = (ring_run / "metrics.jsonl").read_text()
    out = train(f"--gin_file={ring_run}/config.gin", f"--run_dir={tmp_path}/again")
    assert "resumed" not in out
    same_run(tmp_path / "again", ring_run, 4)
    # A finished run does nothing, and says nothing of a change.
    out = train(f"--run_dir={ring_run}")
    assert f"\nresumed at step 4\nstep 4              {ring_run}\n" in out
    assert f"bin/sample --run_dir={ring_run} --output=grid.png\n" in out
    assert (ring_run / "metrics.jsonl").read_text() == before


def test_restart_removes_what_the_run_made(train, params, ring_run, same_run, tmp_path):
    run = tmp_path / "run"
    train(RING, f"--run_dir={run}", *params(total_steps=6, seed=5))
    (run / "notes.txt").write_text("mine")
    out = train(RING, f"--run_dir={run}", *params(), "--restart")
    assert "\ntracing the step: seconds for small" in out
    assert "resumed" not in out
    same_run(run, ring_run, 4)
    names = sorted(os.listdir(run / "checkpoints"))
    assert names == ["ckpt-0", "ckpt-2", "ckpt-4"]
    assert (run / "notes.txt").read_text() == "mine"


def test_learning_rates_changed_on_a_resume_hold(train, params, saved, tmp_path):
    """Rates of 0 leave the weights as they were; the moments go on."""
    run = tmp_path / "run"
    train(RING, f"--run_dir={run}", *params(total_steps=2))
    players = ("generator", "discriminator")
    rates = {f"{player}/Adam.learning_rate": 0.0 for player in players}
    out = train(f"--run_dir={run}", *params(rates, total_steps=4))
    assert "+generator/Adam.learning_rate = 0.0" in out
    before, after = saved(run, 2), saved(run, 4)
    weights = [name for name in before if name.split("/")[0] in players]
    assert len(weights) == 8
    for name in weights:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
    moments = [name for name in before if name.startswith("generator_optimizer")]
    assert any(np.any(before[name] != after[name]) for name in moments)


def test_the_operative_configuration_is_a_recipe_of_the_same_run(
    train, params, ring_run, same_run, tmp_path
):
    recipe, run = ring_run / "operative_config.gin", tmp_path / "run"
    assert "natural_gradient_step.damping = 0.01\n" in recipe.read_text()
    assert "changed" not in train(f"--gin_file={recipe}", f"--run_dir={run}")
    same_run(run, ring_run, 4)


def test_the_run_directory_is_named_after_the_recipe(
    train, params, ring_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    train(RING, *params(total_steps=1))
    assert [str(p) for p in (tmp_path / "runs").iterdir()] == [
        str(tmp_path / "runs" / "ring_logan")
    ]


def test_later_files_and_parameters_win(train, params, tmp_path):
    mine = tmp_path / "mine.gin"
    mine.write_text("batch_size = 6\nseed = 7\n")
    out = train(RING, f"--gin_file={mine}", "--dry_run", "--gin_param=seed = 8")
    assert "batch_size = 6\n" in out
    assert "seed = 8\n" in out


def test_a_diverging_run_stops_with_4_and_its_checkpoint_is_intact(
    command, train, params, ring_run, same_run, tmp_path
):
    run = tmp_path / "run"
    train(RING, f"--run_dir={run}", *params(total_steps=2))
    flags = params(
        {"LatentRule.regularizer_weight": 1e38, "natural_gradient_step.step_size": 1e10}
    )
    result = command("train", f"--run_dir={run}", *flags, "--noprogress")
    assert result.exit_code == 4
    (line,) = result.err.splitlines()
    assert line.startswith("error: step 3: ")
    assert result.out.count("going back to step 2: rollback ") == 3
    assert "the checkpoint of step 2 is intact: lower generator_rate" in line
    assert sorted(os.listdir(run / "checkpoints")) == ["ckpt-0", "ckpt-2"]
    assert lines(run) == lines(ring_run)[:2]
    train(RING, f"--run_dir={run}", *params())
    same_run(run, ring_run, 4)


def test_a_dry_run_touches_no_data_and_no_disk(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    flags = ["--gin_param=data_dir = 'data'", "--gin_param=batch_size = 2"]
    done = command("train", "--gin_file=logan_cifar10", "--dry_run", *flags)
    assert (done.exit_code, done.err) == (0, "")
    assert [str(path) for path in tmp_path.rglob("*")] == [str(tmp_path / "data")]
    assert "total_steps = 200000" in done.out
    rows = printed(done.out)
    assert rows["generator"] == "3,812,355 parameters"
    assert rows["discriminator"] == "2,935,873 parameters"
    per_image = float(rows["one step"].split("(")[1].split()[0])
    # One D(G(z)) is 2·(convolutions' and matrices' multiplications); a step of LOGAN
    # runs it, and what is as dear backwards, eleven times.
    assert 10 < per_image / forward_gflop() < 13
    # 200,000 steps of 2 images, one real image for each.
    assert rows["at 100 images/s"].startswith(
        "1.1 hours for 200,000 steps, if the data come at 100"
    )


def test_a_dry_run_reckons_with_replicas_and_a_rate(command):
    """What does not depend on the batch is the same; the rest is a replica's share."""
    memory = {}
    for replicas in (1, 4):
        flags = [f"--virtual_devices={replicas}", "--rate=1024"]
        params = ["batch_size = 1024", "width = 8", "total_steps = 7200"]
        flags += [f"--gin_param={param}" for param in params]
        done = command("train", "--gin_file=sngan_cifar10", "--dry_run", *flags)
        assert (done.exit_code, done.err) == (0, "")
        rows = printed(done.out)
        assert rows["at 1,024 images/s"].startswith("2.0 hours")
        found = re.search(
            r"([\d.]+) of variables, ([\d.]+) for ([\d,]+)", rows["memory"]
        )
        memory[replicas] = [float(number.replace(",", "")) for number in found.groups()]
    (variables, whole, images), (same, quarter, fewer) = memory[1], memory[4]
    assert (variables, images, fewer) == (same, 1024, 256)
    assert whole / quarter == pytest.approx(4, rel=0.1)


def printed(out: str) -> dict[str, str]:
    """The rows below the configuration."""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("generator  "))
    return {line[:20].strip(): line[20:].strip() for line in lines[first:]}


def forward_gflop() -> float:
    """Operations of D(G(z)) at 32x32 and width 64, layer by layer, in 1e9."""
    generator = 128 * 8192
    for size, inputs, outputs in ((8, 512, 256), (16, 256, 128), (32, 128, 64)):
        generator += size**2 // 4 * 16 * inputs * outputs  # 4x4, stride 2, transposed
    generator += 32**2 * 9 * 64 * 3
    discriminator = 0
    for size, inputs, width in ((32, 3, 64), (16, 64, 128), (8, 128, 256)):
        discriminator += size**2 * 9 * inputs * width
        discriminator += (size // 2) ** 2 * 16 * width * width
    discriminator += 4**2 * 9 * 256 * 512 + 4**2 * 512
    return 2 * (generator + discriminator) / 1e9


MODULE = """
import gin
import keras
import tensorflow as tf


class MyGenerator(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.latent_dim = 3
        self.dense = keras.layers.Dense(units, activation="tanh")
        self.out = keras.layers.Dense(2)

    def call(self, latents, labels=None, training=True):
        return self.out(self.dense(latents))


class MyDiscriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(5, activation="tanh")
        self.out = keras.layers.Dense(1)

    def call(self, images, labels=None):
        return tf.squeeze(self.out(self.dense(images)), -1)


gin.external_configurable(MyGenerator)
gin.external_configurable(MyDiscriminator)
"""


def test_a_module_of_the_users_brings_networks(
    command, train, saved, tmp_path, monkeypatch
):
    (tmp_path / "my_networks_of_train.py").write_text(MODULE)
    (tmp_path / "mine.gin").write_text(
        "include 'ring_logan.gin'\n"
        "import my_networks_of_train\n"
        "Experiment.generator = @MyGenerator\n"
        "Experiment.discriminator = @MyDiscriminator\n"
        "MyGenerator.units = 4\n"
        "batch_size = 4\ntotal_steps = 1\nsample_every = 0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run, module = tmp_path / "run", "--module=my_networks_of_train"
    recipe_, directory = f"--gin_file={tmp_path}/mine.gin", f"--run_dir={run}"
    result = command("train", recipe_, directory)
    assert result.exit_code == 2
    assert "my_networks_of_train" not in sys.modules
    result = command(
        "train", recipe_, directory, module, "--gin_param=MyGenerator.u = 1"
    )
    assert "no parameter 'u'" in result.err
    assert not run.exists()

    train(recipe_, directory, module)
    shapes = {value.shape for value in saved(run, 1).values()}
    assert {(3, 4), (4, 2), (2, 5), (5, 1)} <= shapes
    assert "\nresumed at step 1\nstep 1 " in train(directory, module)
    config = (run / "config.gin").read_text()
    assert config.count("import my_networks_of_train") == 1
    output = f"--output={tmp_path}/points.npz"
    refused = command("sample", directory, output)
    assert (refused.exit_code, "--module=my_networks" in refused.err) == (2, True)
    done = command("sample", directory, output, module, "--num=5")
    assert (done.exit_code, done.err) == (0, "")
    assert np.load(tmp_path / "points.npz")["images"].shape == (5, 2)


@pytest.mark.parametrize("name", ["train", "sample", "evaluate", "doctor"])
def test_help_is_quick_and_imports_no_tensorflow(name, tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit(77)")
    before = os.times()
    done = subprocess.run(
        [str(ROOT / "bin" / name), "--help"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    after = os.times()
    assert (done.returncode, done.stderr) == (0, "")
    assert f"bin/{name}" in done.stdout
    assert "--run_dir" in done.stdout
    assert "--verbosity" not in done.stdout
    # Its own time: what the clock says depends on who else is at work.
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 1
