"""bin/evaluate: numbers, their receipt, and the table."""

import json
from pathlib import Path

import pytest
from PIL import Image

from logan_tf.evaluation import point_metrics


@pytest.fixture(scope="module")
def evaluate(command):
    def run(directory, *flags):
        done = command("evaluate", f"--run_dir={directory}", *flags)
        assert (done.exit_code, done.err) == (0, "")
        path = done.out.splitlines()[-1]
        with open(path, encoding="utf-8") as file:
            return path, json.load(file), done.out

    return run


def test_modes_of_points(evaluate, ring_run):
    path, written, out = evaluate(ring_run)
    assert path == str(ring_run / "evaluations" / "step-00000004.json")
    receipt, metrics = written["receipt"], written["metrics"]
    assert receipt["recipe"] == "ring_logan"
    assert receipt["checkpoint_step"] == 4
    assert receipt["num_samples"] == 2500
    assert (receipt["seed"], receipt["latent_steps"], receipt["truncation"]) == (
        0,
        0,
        1,
    )
    assert receipt["protocol"] in out
    assert "step 4" in out
    assert 0 <= metrics["modes"]["value"] <= 8
    assert all("value" in metric for metric in metrics.values())
    again = evaluate(ring_run)[1]
    assert again == written


def test_real_examples_stand_beside_where_they_are_asked_for(command, ring_run):
    flags = [f"--run_dir={ring_run}", "--num_samples=200", "--real_control"]
    done = command("evaluate", *flags)
    assert (done.exit_code, done.err) == (0, "")
    assert "200 held out" in done.out
    path = ring_run / "evaluations" / "real-control.json"
    assert str(path) in done.out
    written = json.loads(path.read_text())
    assert written["receipt"]["subject"] == "held-out data"
    assert written["metrics"]["modes"]["value"] == 8
    path.unlink()
    done = command("evaluate", *flags, "--neighbors=2")
    assert done.exit_code == 2
    assert "beside an evaluation: leave out --neighbors" in done.err


def test_an_untrained_generator_stands_beside_where_it_is_asked_for(command, ring_run):
    flags = [f"--run_dir={ring_run}", "--num_samples=200", "--untrained"]
    done = command("evaluate", *flags)
    assert (done.exit_code, done.err) == (0, "")
    assert "untrained" in done.out
    path = ring_run / "evaluations" / "untrained.json"
    written = json.loads(path.read_text())
    assert written["receipt"]["subject"] == "untrained generator"
    start = command("evaluate", *flags[:2], "--checkpoint=0")
    first = json.loads(Path(start.out.splitlines()[-1]).read_text())
    assert written["metrics"] == first["metrics"]
    path.unlink()
    done = command("evaluate", *flags, "--curve=truncation")
    assert done.exit_code == 2
    assert "--untrained stands beside an evaluation" in done.err


def test_pictures_of_a_folder_are_judged_by_the_run(
    command, digits, digits_run, tmp_path
):
    """Real digits as PNGs of twice the size, in RGB: what the run reads is what was."""
    images, _ = digits.arrays("test")
    for number, image in enumerate(images[:40]):
        pixels = image.repeat(2, 0).repeat(2, 1).repeat(3, 2)
        Image.fromarray(pixels).save(tmp_path / f"{number:03}.png")
    flags = [f"--run_dir={digits_run}", f"--images={tmp_path}"]
    done = command("evaluate", *flags)
    assert (done.exit_code, done.err) == (0, "")
    assert f"{tmp_path}: 40 pictures" in done.out
    written = json.loads(Path(done.out.splitlines()[-1]).read_text())
    assert written["receipt"]["num_samples"] == 40
    assert written["receipt"]["subject"] == f"pictures of {tmp_path.name}"
    assert written["receipt"]["checkpoint_hash"] is None
    assert written["metrics"]["confident_share"]["value"] > 0.8
    for other in ("--seeds=2", "--truncation=.5", "--untrained", "--neighbors=2"):
        done = command("evaluate", *flags, other)
        assert done.exit_code == 2
        assert f"leave out {other.split('=')[0]}" in done.err
    (tmp_path / "damaged.png").write_bytes(b"not a picture")
    done = command("evaluate", *flags)
    assert done.exit_code == 3
    assert "damaged.png cannot be read" in done.err


def test_settings_are_in_the_receipt_and_in_the_file_name(evaluate, ring_run):
    default = evaluate(ring_run, "--num_samples=20")[1]
    flags = ["--num_samples=20", "--latent_steps=2", "--truncation=0.5", "--seed=3"]
    path, written, _ = evaluate(ring_run, *flags)
    assert path.endswith("step-00000004-latent2-truncation0.5-seed3-samples20.json")
    receipt = written["receipt"]
    assert (receipt["seed"], receipt["latent_steps"]) == (3, 2)
    assert (receipt["truncation"], receipt["num_samples"]) == (0.5, 20)
    # A network without batch normalization has the same weights for all samples.
    assert receipt["checkpoint_hash"] == default["receipt"]["checkpoint_hash"]
    earlier = evaluate(ring_run, "--num_samples=20", "--checkpoint=2")
    assert earlier[0].endswith("step-00000002-samples20.json")
    assert earlier[1]["receipt"]["checkpoint_step"] == 2
    assert earlier[1]["receipt"]["checkpoint_hash"] != receipt["checkpoint_hash"]


def test_another_protocol_leaves_the_earlier_numbers(evaluate, ring_run, monkeypatch):
    flags = ["--num_samples=30"]
    path, written, _ = evaluate(ring_run, *flags)
    with monkeypatch.context() as patch:
        patch.setattr(point_metrics.PointsModes, "name", "points_modes/2")
        own, other, _ = evaluate(ring_run, *flags)
        assert evaluate(ring_run, *flags)[:2] == (own, other)
    assert own != path
    assert other["receipt"]["protocol"] == "points_modes/2"
    assert evaluate(ring_run, *flags)[:2] == (path, written)


def test_modes_of_digits_beside_those_of_held_out_data(evaluate, digits_run):
    _, written, out = evaluate(digits_run, "--num_samples=50")
    receipt, metrics = written["receipt"], written["metrics"]
    assert receipt["classifier_accuracy"] >= 0.98
    assert (receipt["standing_batches"], receipt["standing_batch_size"]) == (1, 4)
    assert 0 <= metrics["modes"]["value"] <= 10
    rows = {line.split("  ")[0] for line in out.splitlines()}
    assert "fid_digits" in rows
    assert "50 held out" in out
    assert metrics["fid_digits"]["value"] > 0
    assert len(receipt["reference_hash"]) == 16


def test_training_resumed_or_not_evaluates_and_draws_as_the_commands_do(
    command, evaluate, params, tmp_path
):
    run = tmp_path / "run"
    flags = params(total_steps=3, evaluate_every=2, sample_every=2)
    done = command(
        "train", "--gin_file=ring_logan", f"--run_dir={run}", *flags, "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    names = [f"step-0000000{step}" for step in (0, 2, 3)]
    assert sorted(path.stem for path in (run / "samples").iterdir()) == names
    assert sorted(path.stem for path in (run / "evaluations").iterdir()) == names
    during = json.loads((run / "evaluations" / "step-00000003.json").read_text())
    path, after, _ = evaluate(run)
    assert path.endswith("step-00000003.json")
    assert after == during
    events = b"".join(path.read_bytes() for path in (run / "events").iterdir())
    assert b"evaluation/modes" in events

    flags = [f"--run_dir={run}", "--gin_param=total_steps = 4", "--noprogress"]
    assert command("train", *flags).exit_code == 0
    names.append("step-00000004")
    assert sorted(path.stem for path in (run / "samples").iterdir()) == names
    assert sorted(path.stem for path in (run / "evaluations").iterdir()) == names
    grid = tmp_path / "grid.png"
    command("sample", f"--run_dir={run}", f"--output={grid}")
    assert grid.read_bytes() == (run / "samples" / "step-00000004.png").read_bytes()


def test_several_seeds_give_intervals_and_can_be_compared(
    command, evaluate, ring_run, tmp_path
):
    flags = ["--num_samples=20", "--seeds=5", "--seed=2"]
    path, written, out = evaluate(ring_run, *flags)
    assert path.endswith("step-00000004-seed2-seeds5-samples20.json")
    assert "seeds 2 to 6" in out
    assert (written["receipt"]["seed"], written["receipt"]["num_seeds"]) == (2, 5)
    metric = written["metrics"]["high_quality"]
    single = evaluate(ring_run, "--num_samples=20", "--seed=4")
    assert metric["values"][2] == single[1]["metrics"]["high_quality"]["value"]
    low, high = metric["interval"]
    assert low <= metric["value"] <= high

    done = command("evaluate", "--compare", path, path)
    assert (done.exit_code, done.err) == (0, "")
    (row,) = (line for line in done.out.splitlines() if "high_quality" in line)
    assert row.endswith("no")
    better = tmp_path / "better.json"
    metric["values"] = [value + 1000 + i for i, value in enumerate(metric["values"])]
    better.write_text(json.dumps(written))
    done = command("evaluate", f"--compare={path}", f"--with={better}")
    (row,) = (line for line in done.out.splitlines() if "high_quality" in line)
    assert row.endswith("yes")


def test_unlike_evaluations_are_not_compared(command, evaluate, ring_run):
    first = evaluate(ring_run, "--num_samples=20", "--seeds=2")[0]
    second = evaluate(ring_run, "--num_samples=30")[0]
    for other, cause in (
        ([second], "num_samples is 20 in one and 30 in the other"),
        ([first], "--seeds=5"),
        ([], "two evaluations"),
        (["none.json"], "no evaluation at none.json"),
    ):
        done = command("evaluate", "--compare", first, *other)
        assert done.exit_code == 2
        (line,) = done.err.splitlines()
        assert cause in line
    done = command("evaluate", first)  # a file alone is no run
    assert done.exit_code == 2


def test_a_classifier_that_cannot_be_had(command, params, tmp_path, monkeypatch):
    """No network for Inception: one line, before anything is sampled or trained."""
    from logan_tf.metrics import hub_modules

    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    # Port 9 of this machine: nobody listens.
    address = "http://127.0.0.1:9/inception/1"
    monkeypatch.setattr(hub_modules, "INCEPTION", address)
    flags = [
        "--gin_file=digits_logan",
        "--gin_param=total_steps = 2",
        "--gin_param=Evaluator.protocol = @ImageMetrics",
        "--gin_param=ImageMetrics.classifier = @Inception()",
        f"--gin_param=Inception.path = '{address}'",
        "--gin_param=evaluate_every = 1",
        f"--run_dir={tmp_path / 'run'}",
        "--noprogress",
    ]
    done = command("train", *flags)
    assert done.exit_code == 2
    (line,) = done.err.splitlines()
    assert "TFHUB_CACHE_DIR" in line
    assert not (tmp_path / "run").exists()
