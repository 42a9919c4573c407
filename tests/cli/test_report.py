"""bin/report, and the commands that refresh the page."""

import errno
import re
import shutil

import pytest

from logan_tf.cli.running import reporting
from logan_tf.errors import (
    CollapsedError,
    ConfigurationError,
    DivergedError,
    PreemptedError,
)
from logan_tf.report import report
from logan_tf.runs.run_directory import RunDirectory


@pytest.fixture
def run(ring_run, tmp_path):
    return shutil.copytree(ring_run, tmp_path / "run")


def test_training_leaves_a_page(ring_run):
    page = (ring_run / "report.html").read_text("utf-8")
    assert "<title>ring_logan: Step 4 of 4, finished</title>" in page
    assert page.count("data:image/svg+xml") > 5
    assert "Trainer:" in page  # Of the operative configuration.


@pytest.mark.parametrize("flag", ["{}", "--run_dir={}"])
def test_the_command_writes_the_page(flag, command, run):
    (run / "report.html").unlink()
    done = command("report", flag.format(run))
    assert done == (0, f"{run}/report.html\n", "")
    page = (run / "report.html").read_text("utf-8")
    # Before the files: every macro, the knobs first.
    shown = re.findall("<li>(?:<b>)?<code>(.*?) = .*?</code>(?:</b>)?</li>", page)
    assert shown.index("batch_size") < shown.index("latent_dim")


def test_macros_that_were_set_are_marked(command, run):
    """On the command line or by the recipe, against what the included parts say."""
    first, _, rest = (run / "config.gin").read_text().partition("\n")
    assert first == "# Recipe: ring_logan"
    config = re.sub("(?m)^log_every = .*$", "log_every = 10", rest)  # As in the part.
    for name, marked in (("ring_logan", True), ("mine", False)):
        (run / "config.gin").write_text(f"# Recipe: {name}\n{config}")
        assert command("report", str(run)).exit_code == 0
        page = (run / "report.html").read_text("utf-8")
        found = re.findall("<b><code>(.*?) = .*?</code></b>", page)
        assert ("<b>Bold</b>: set" in page) == marked
        assert ("batch_size" in found) == marked  # 4, by --gin_param.
        assert ("checkpoint_every" in found) == marked
        assert not {"log_every", "seed", "beta_1"} & set(found)


def test_a_configuration_that_cannot_be_read_is_shown(command, run):
    (run / "config.gin").write_text("# Recipe: mine\nimport evil\nbatch_sise = 3\n")
    assert command("report", str(run)).exit_code == 0
    page = (run / "report.html").read_text("utf-8")
    assert "batch_sise = 3" in page
    assert "<title>mine: Step 4</title>" in page


def test_what_cannot_be_done_is_one_line(command, run, tmp_path):
    (run / "report.html").unlink()
    (run / "report.html").mkdir()
    for arguments, said in (
        ([], "bin/report RUN_DIR"),
        ([tmp_path], "is not a run directory"),
        ([run], "cannot write"),
        ([run, "--wrong"], "wrong"),
    ):
        done = command("report", *arguments)
        assert done.exit_code == 2, arguments
        (line,) = done.err.splitlines()
        assert said in line


def test_a_full_disk_is_no_mistake(command, run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "report.html")

    monkeypatch.setattr(reporting, "write", full)
    done = command("report", run)
    assert done.exit_code == 3
    assert "report.html" in done.err


def test_an_evaluation_refreshes_the_page(command, run):
    done = command("evaluate", f"--run_dir={run}", "--num_samples=50")
    assert (done.exit_code, done.err) == (0, "")
    assert "points_modes/1, 50 samples" in (run / "report.html").read_text("utf-8")


def test_a_restart_removes_the_page(run):
    RunDirectory(run).clear()
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("error", [PreemptedError, DivergedError, CollapsedError])
def test_a_run_that_stops_early_has_a_page(error, run):
    (run / "report.html").unlink()
    with pytest.raises(error), reporting.refreshed(RunDirectory(run)):
        raise error("so it is")
    assert (run / "report.html").is_file()


def test_a_run_that_is_refused_has_none(run, tmp_path):
    (run / "report.html").unlink()
    with pytest.raises(ConfigurationError), reporting.refreshed(RunDirectory(run)):
        raise ConfigurationError("no")
    with reporting.refreshed(RunDirectory(run), wanted=False):
        pass
    assert not (run / "report.html").exists()
    with pytest.raises(PreemptedError), reporting.refreshed(RunDirectory(tmp_path)):
        raise PreemptedError("before anything was written")
    assert not (tmp_path / "report.html").exists()


def test_a_page_that_fails_fails_no_training(run, monkeypatch, capsys):
    before = (run / "report.html").read_text("utf-8")

    def fail(*_):
        raise ZeroDivisionError("so\nit is")

    monkeypatch.setattr(report, "render", fail)
    with reporting.refreshed(RunDirectory(run)):
        pass
    assert capsys.readouterr().err == "warning: no report.html (so it is)\n"
    assert (run / "report.html").read_text("utf-8") == before
