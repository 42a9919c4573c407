"""What lies where, and what is refused before TensorFlow is imported."""

import os
import tracemalloc

import pytest

from logan_tf import atomic_file
from logan_tf.errors import ConfigurationError
from logan_tf.runs import examination
from logan_tf.runs.run_directory import RunDirectory


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        ("", 5, ""),
        ('{"step": 1}\n{"step": 2}\n', 5, '{"step": 1}\n{"step": 2}\n'),
        ('{"step": 1}\n{"step": 2}\n{"step": 3}\n', 2, '{"step": 1}\n{"step": 2}\n'),
        ('{"step": 1}\n{"step": 2}\n', 0, ""),
        ('{"step": 1}\n{"step": 2, "los', 5, '{"step": 1}\n'),
        ('{"step": 1}\n{"step": 2}', 5, '{"step": 1}\n{"step": 2}\n'),
        ('{"step": 1}\n17\n{"step": 2}\n', 5, '{"step": 1}\n{"step": 2}\n'),
        ('{"step": "a"}\n{"step": 2}\n{"step": 9}\n', 5, '{"step": 2}\n'),
        ('{"step": 1}\n{"stop": 2}\n', 5, '{"step": 1}\n'),
        ('{"step": 1}\n\x00\x00\x00', 5, '{"step": 1}\n'),
        (
            '{"step": 1}\n{"step": NaN}\n{"step": "2"}\n{"step": true}\n{"step": -1}\n'
            '[{"step": 1}]\n%s\n{"step": 2}\n' % ("[" * 100_000),
            5,
            '{"step": 1}\n{"step": 2}\n',
        ),
    ],
)
def test_truncate_metrics(before, step, after, tmp_path):
    directory = RunDirectory(tmp_path)
    directory.metrics.write_text(before)
    directory.truncate_metrics(step)
    assert directory.metrics.read_text() == after
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_truncate_metrics_mends_a_file_cut_within_a_character(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.metrics.write_bytes('{"step": 1}\n{"step": 2, "Δ'.encode()[:-1])
    directory.truncate_metrics(5)
    assert directory.metrics.read_text() == '{"step": 1}\n'


def test_metrics_are_read_as_a_stream(tmp_path):
    """The text of a million lines took three gigabytes, and one has no end."""
    directory = RunDirectory(tmp_path)
    with directory.metrics.open("w") as file:
        for step in range(20_000):
            file.write(f'{{"step": {step}, "loss": {"1" * 200}}}\n')
        file.write("1" * 8_000_000)
    tracemalloc.start()
    directory.truncate_metrics(10)
    list(examination.examine(directory, False, {}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
    assert len(directory.metrics.read_text().splitlines()) == 11


def test_truncate_metrics_needs_no_file(tmp_path):
    RunDirectory(tmp_path / "none").truncate_metrics(5)
    assert os.listdir(tmp_path) == []


def test_writing_nothing_leaves_nothing_behind(tmp_path):
    with RunDirectory(tmp_path / "a" / "b").writing():
        assert os.listdir(tmp_path / "a" / "b") == ["lock"]
    assert os.listdir(tmp_path) == []
    (tmp_path / "kept").mkdir()
    with RunDirectory(tmp_path / "kept").writing():
        pass
    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(tmp_path / "kept") == []


def test_one_process_writes_at_a_time(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    with directory.writing():
        directory.config.write_text("seed = 1\n")
        with (
            pytest.raises(ConfigurationError, match=r"in use by process \d+ on"),
            RunDirectory(tmp_path / "run").writing(),
        ):
            pass
    assert os.listdir(tmp_path / "run") == ["config.gin"]


@pytest.mark.parametrize("place", ["file", "file/run", "/proc/run", "new/" + "x" * 300])
def test_what_cannot_be_written_to(place, tmp_path):
    (tmp_path / "file").write_text("")
    directory = RunDirectory(tmp_path / place)
    with (
        pytest.raises(ConfigurationError, match="choose another with --run_dir"),
        directory.writing(),
    ):
        pass
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_process_left_is_swept_once_it_is_old(tmp_path):
    directory = RunDirectory(tmp_path)
    for folder in (directory.checkpoints, directory.evaluations):
        folder.mkdir()
    old = directory.evaluations / f"{atomic_file.PREFIX}abc"
    young = directory.evaluations / f"{atomic_file.PREFIX}abd"
    whole = directory.evaluations / "step-00000002.json"
    somebodys = directory.evaluations / ".config.gin.swp"
    linked = tmp_path / "elsewhere" / f"{atomic_file.PREFIX}abe"
    linked.parent.mkdir()
    directory.samples.symlink_to(linked.parent)
    half = directory.checkpoints / f"{atomic_file.PREFIX}ckpt-3-abc"
    half.mkdir()
    for path in (old, young, whole, somebodys, linked):
        path.write_text("{}")
        os.utime(path, (0, 0) if path != young else None)
    assert sorted(directory.sweep()) == sorted([half.name, old.name])
    assert not half.exists()
    assert sorted(directory.evaluations.iterdir()) == sorted([somebodys, young, whole])
    assert linked.exists()


def test_clear_removes_what_a_run_made_and_nothing_else(tmp_path):
    directory = RunDirectory(tmp_path)
    made = ("checkpoints", "events", "samples", "evaluations", "failures")
    for folder in (*made, "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("")
    for file in ("config.gin", "operative_config.gin", "metrics.jsonl", "notes.txt"):
        (tmp_path / file).write_text("")
    directory.clear()
    assert sorted(os.listdir(tmp_path)) == ["mine", "notes.txt"]
    directory.clear()


def test_a_run_is_what_has_a_configuration(tmp_path):
    directory = RunDirectory(tmp_path)
    assert not directory.exists()
    with pytest.raises(ConfigurationError, match=r"not a run directory.*--run_dir"):
        directory.require()
    with pytest.raises(ConfigurationError, match="no checkpoint: train first"):
        directory.require_checkpoint()
    directory.config.write_text("seed = 1\n")
    directory.require()
    assert directory.exists()
    assert os.listdir(tmp_path) == ["config.gin"]


def test_the_configuration_keeps_its_recipes_name(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    named = directory.named("seed = 1\n", tmp_path / "ring_logan.gin")
    directory.config.write_text(named)
    assert directory.recipe() == "ring_logan"
    assert directory.named("seed = 1\n", directory.config) == named
    assert directory.named("", tmp_path / "config.gin").startswith("# Recipe: config")
    directory.config.write_text("seed = 1\n")
    assert directory.recipe() == "run"
    directory.config.write_text("")
    assert directory.recipe() == "run"


def test_names_sort_by_step(tmp_path):
    directory = RunDirectory(tmp_path)
    assert directory.sample_path(2000) == tmp_path / "samples" / "step-00002000.png"
    assert directory.evaluation_path(2000, "-latent3") == (
        tmp_path / "evaluations" / "step-00002000-latent3.json"
    )


NAMES = ("config.gin", "metrics.jsonl", "samples", "checkpoints/ckpt-5/manifest.json")


def refused(directory: RunDirectory, message: str) -> None:
    for refuse in (directory.require, directory.require_checkpoint):
        with pytest.raises(ConfigurationError, match=message):
            refuse()
    with pytest.raises(ConfigurationError, match=message), directory.writing():
        pass


@pytest.mark.parametrize("name", [*NAMES, "evaluations/step-00000005.json"])
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_pipes_and_devices_are_refused_before_they_are_read(kind, name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "config.gin").touch()
    path.unlink(missing_ok=True)
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    directory = RunDirectory(tmp_path, follow_links=True)
    refused(directory, f"{name} is neither a file nor a folder")


LINKED = ("operative_config.gin", "report.html", "events", "events/events.out.tfeven")


@pytest.mark.parametrize("name", [*NAMES, *LINKED, "checkpoints/set_aside"])
@pytest.mark.parametrize("target", ["file", "folder", "nothing"])
def test_links_are_followed_where_a_person_says_so(target, name, tmp_path):
    """In a run of somebody else's they read, write, empty and delete elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "file").write_text("mine")
    run = tmp_path / "run"
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (run / "config.gin").touch()
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere / target)
    refused(RunDirectory(run), f"{name} is a link.*--follow_links")
    with RunDirectory(run, follow_links=True).writing():
        pass
    assert (elsewhere / "file").read_text() == "mine"


def test_a_run_directory_that_is_itself_a_link_is_fine(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.gin").touch()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with RunDirectory(tmp_path / "link").writing():
        RunDirectory(tmp_path / "link").require()
