"""--deterministic, on the one kind of device that is here."""

import json

from tensorflow.python.framework import config


def metrics(run) -> list[dict]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{**json.loads(line), "images_per_second": 0} for line in lines]


def test_a_deterministic_run_has_the_same_numbers(command, params, ring_run, tmp_path):
    """An operation that draws random numbers without a seed would raise."""
    try:
        given = ["--gin_file=ring_logan", f"--run_dir={tmp_path}/run", "--noprogress"]
        done = command("train", *given, *params(), "--deterministic")
        assert config.is_op_determinism_enabled()
    finally:
        config.disable_op_determinism()
    assert (done.exit_code, done.err) == (0, "")
    assert metrics(tmp_path / "run") == metrics(ring_run)


def test_it_is_off_unless_asked_for(ring_run):
    assert not config.is_op_determinism_enabled()
