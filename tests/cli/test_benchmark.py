"""bin/benchmark: what it measures, writes and compares, and what it refuses."""

import json

import pytest

from logan_tf.benchmarks import loop
from logan_tf.errors import ConfigurationError


@pytest.fixture(scope="module")
def measured(command, params, tmp_path_factory):
    """The output, and the results, of the smallest ring."""
    path = tmp_path_factory.mktemp("benchmark") / "results.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_SECONDS", 0.2)
        done = command(
            "benchmark",
            "--gin_file=ring_logan",
            *params(),
            "--measure=steps,operations,loop",
            "--variants=baseline,ngd",
            "--repeats=2",
            "--date=2026-01-02",
            f"--output={path}",
            "--noprogress",
        )
    assert (done.exit_code, done.err) == (0, "")
    return done.out, path


def test_table_and_results(measured):
    out, path = measured
    results = json.loads(path.read_text())
    identity = results["identity"]
    assert identity["recipe"] == "ring_logan"
    assert identity["date"] == "2026-01-02"
    assert "batch_size = 4" in identity["gin_params"]
    assert set(identity["versions"]) == {"python", "tensorflow", "keras"}
    assert identity["devices"]
    assert results["operations"]["ngd"]["floor"] == "11g + 11d"
    steps = results["steps"]
    ratio = steps["ngd"]["seconds"]["median"] / steps["baseline"]["seconds"]["median"]
    (line,) = (x for x in out.splitlines() if x.startswith("ngd"))
    assert f"{ratio:.4g}" in line
    timed = results["loop"]
    assert timed["loop"]["repeats"] == timed["bare"]["repeats"] == 2
    assert timed["loop_over_bare"] == timed["loop"]["median"] / timed["bare"]["median"]


def test_comparison_with_itself(measured, command):
    _, path = measured
    done = command("benchmark", f"--compare={path},{path}")
    assert (done.exit_code, done.err) == (0, "")
    assert "step ngd (s)" in done.out
    assert "yes" not in done.out


@pytest.mark.slow
def test_a_process_of_its_own(command, params, tmp_path):
    """Its peak holds TensorFlow; this process has long been larger."""
    path = tmp_path / "results.json"
    done = command(
        "benchmark",
        "--gin_file=ring_logan",
        *params(),
        "--measure=process,operations",
        "--variants=baseline",
        f"--output={path}",
        "--noprogress",
    )
    assert (done.exit_code, done.err) == (0, "")
    found = json.loads(path.read_text())["process"]["baseline"]
    assert 2**27 < found["bytes_before"] <= found["peak_bytes"] < 2**32
    assert found["import_seconds"] > 0.5
    assert found["trace_seconds"] > 0


@pytest.mark.slow
def test_sweep(command, params, tmp_path):
    path = tmp_path / "sweep.json"
    done = command(
        "benchmark",
        "--gin_file=ring_logan",
        *params(),
        "--sweep=batch_size = 4, 8",
        "--sweep=replicas = 1, 2",
        "--repeats=1",
        f"--output={path}",
        "--noprogress",
    )
    assert (done.exit_code, done.err) == (0, "")
    rows = json.loads(path.read_text())["sweep"]
    assert [row["value"] for row in rows] == [4, 8, 1, 2]
    assert path.with_suffix(".png").exists()


def test_data_that_is_missing_is_said(command, params, monkeypatch):
    def refuse(*_, **__):
        raise ConfigurationError("there is no data")

    monkeypatch.setattr(loop, "measure", refuse)
    done = command(
        "benchmark",
        "--gin_file=ring_logan",
        *params(),
        "--measure=loop",
        "--noprogress",
    )
    assert (done.exit_code, done.err) == (0, "")
    assert "there is no data" in done.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "what shall be measured"),
        (["--gin_file=ring_logan", "--measure=time"], "--measure knows no 'time'"),
        (["--gin_file=ring_logan", "--repeats=0"], "1 or more, not 0"),
        (["--gin_file=ring_logan", "--variants=sgd"], "no variant 'sgd'"),
        (["--gin_file=ring_logan", "--output=no/where.json"], "no folder no"),
        (["--gin_file=ring_logan", "--sweep=batch_sise = 4"], "did you mean 'batch_si"),
        (["--compare=a.json"], "two files"),
        (["--compare=a.json,b.json"], "no results at a.json"),
    ],
)
def test_mistakes_are_one_line(flags, message, command, params):
    done = command("benchmark", *flags, *(params() if "ring" in str(flags) else []))
    assert done.exit_code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
