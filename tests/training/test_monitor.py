"""What a run writes while it trains, read back."""

import json
import re
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from logan_tf import quantities
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training import monitor as monitor_module
from logan_tf.training.monitor import Monitor, truncate_events


def write_events(folder, steps) -> None:
    writer = tf.summary.create_file_writer(str(folder))
    for step in steps:
        with writer.as_default(step=step):
            tf.summary.scalar("loss", float(step))
    writer.close()


def events(folder) -> list[tf.compat.v1.Event]:
    return [
        tf.compat.v1.Event.FromString(record.numpy())
        for path in sorted(folder.iterdir())
        for record in tf.data.TFRecordDataset(str(path))
    ]


def steps(folder) -> list[int]:
    return [event.step for event in events(folder) if event.summary.value]


@pytest.mark.parametrize(
    ("last", "kept"), [(5, [1, 2, 4]), (4, [1, 2, 4]), (3, [1, 2]), (0, [])]
)
def test_events_past_a_step_go(last, kept, tmp_path):
    write_events(tmp_path, [1, 2, 4])
    write_events(tmp_path, [4, 2, 1])
    (tmp_path / "notes").write_text("mine")
    truncate_events(tmp_path, last)
    (tmp_path / "notes").unlink()
    assert sorted(steps(tmp_path)) == sorted(kept * 2)
    assert sum(event.file_version != "" for event in events(tmp_path)) == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("cut", [1, 3, 20])
def test_a_half_written_record_goes(cut, tmp_path):
    write_events(tmp_path, [1, 2, 3])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    truncate_events(tmp_path, 9)
    assert steps(tmp_path) == [1, 2]  # Would raise DataLossError.


def test_what_is_no_event_goes(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "events.out.tfevents.0")) as writer:
        writer.write(tf.compat.v1.Event(step=1, file_version="x").SerializeToString())
        writer.write(b"\xff no event")
        writer.write(tf.compat.v1.Event(step=2).SerializeToString())
    truncate_events(tmp_path, 9)
    assert [event.step for event in events(tmp_path)] == [1, 2]


def test_an_empty_file_or_no_folder(tmp_path):
    truncate_events(tmp_path / "none", 3)
    path = tmp_path / "events.out.tfevents.0"
    path.write_bytes(b"")
    truncate_events(tmp_path, 3)
    path.write_bytes(b"half a heade")
    truncate_events(tmp_path, 3)
    assert path.read_bytes() == b""


def test_a_flat_discriminator_is_said_once_with_its_remedy(tmp_path, capsys):
    def train(first: int, last: int) -> str:
        with Monitor(
            RunDirectory(tmp_path), first, 60, progress=False, remedy="do this"
        ) as monitor:
            for step in range(first + 1, last + 1):
                sound = step <= 30
                values = {"real_score": 1.0 * sound, "fake_score": -1.0 * sound}
                monitor.scalars(
                    step, values | {"generator_gradient_norm": 3.0 if sound else 0.1}
                )
        return capsys.readouterr().out

    assert train(0, 40) == ""
    # A resume goes on with the lines that there are; the window's eleventh shows it.
    (line,) = train(40, 60).splitlines()
    assert line.startswith("the discriminator has gone flat by step 41: ")
    assert line.endswith(" from 3 to 0.1: do this")
    assert train(60, 60) == ""
    texts = [
        value.tag
        for event in events(tmp_path / "events")
        for value in event.summary.value
        if "flat" in value.tag
    ]
    assert texts == ["flat discriminator"]


def test_a_monitor_writes_lines_and_events(tmp_path, capsys):
    directory = RunDirectory(tmp_path)
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    with Monitor(directory, 0, total_steps=4, progress=False) as monitor:
        monitor.begin(0, "seed = 1", {"seed": 1, "data_dir": None})
        monitor.scalars(2, {"generator_loss": np.float32(0.25), "delta_z_norm": 1})
        monitor.evaluation(2, {"modes": 7})
        monitor.image(2, "samples", picture)
        monitor.say("a line")
        monitor.flush()
        (line,) = directory.metrics.read_text().splitlines()
        assert len(events(directory.events)) == 7  # The file's own is the first.
    assert json.loads(line) == {"step": 2, "generator_loss": 0.25, "delta_z_norm": 1.0}
    assert capsys.readouterr().out == "a line\n"
    found = {
        value.tag: (event.step, value.tensor)
        for event in events(directory.events)
        for value in event.summary.value
    }
    scalars = {"losses/generator_loss": 0.25, "latent_step/delta_z_norm": 1.0}
    for tag, expected in (scalars | {"evaluation/modes": 7.0}).items():
        assert found[tag][0] == 2
        assert tf.make_ndarray(found[tag][1]) == expected
    encoded = tf.make_ndarray(found["pictures/samples"][1])[2]
    np.testing.assert_array_equal(tf.io.decode_png(encoded), picture)
    assert b"seed = 1" in tf.make_ndarray(found["configuration"][1]).tobytes() or (
        "seed = 1" in str(tf.make_ndarray(found["configuration"][1]))
    )


def test_numbers_are_described_where_they_first_appear(tmp_path):
    directory = RunDirectory(tmp_path)
    with Monitor(directory, 0, total_steps=4, progress=False) as monitor:
        for step in (1, 2):
            monitor.scalars(step, {"delta_z_norm": 1.0, "mine": 2.0})
            monitor.evaluation(step, {"fid_digits": 3.0})
    descriptions = [
        (value.tag, value.metadata.summary_description)
        for event in events(directory.events)
        for value in event.summary.value
    ]
    assert len(descriptions) == 6
    assert dict(descriptions[:3]) == {
        "latent_step/delta_z_norm": "Mean ‖Δz‖. Latent step ‖Δz‖: "
        "mean over the samples",
        "run/mine": "Mine",
        "evaluation/fid_digits": "FID; lower is better",
    }
    assert {text for _, text in descriptions[3:]} == {""}


def test_one_page_of_charts_and_the_runs_knobs(tmp_path):
    """Read as TensorBoard's own plugins read them."""
    directory = RunDirectory(tmp_path)
    with Monitor(directory, 0, total_steps=4, progress=False) as monitor:
        monitor.begin(0, "", {"seed": 3, "precision": "float32", "data_dir": None})
    found = {
        value.tag: value
        for event in events(directory.events)
        for value in event.summary.value
    }
    page = tf.make_ndarray(found["custom_scalars__config__"].tensor).item()
    (category,) = layout_pb2.Layout.FromString(page).category
    patterns = [tag for chart in category.chart for tag in chart.multiline.tag]
    tags = [
        f"{known.group}/{known.name}"
        for known in quantities.TRAINED
        if known.group in ("losses", "scores", "latent_step")
    ]
    unseen = [t for t in tags if not any(re.fullmatch(p, t) for p in patterns)]
    assert unseen == ["losses/regularizer"]
    content = found["_hparams_/session_start_info"].metadata.plugin_data.content
    told = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert told.hparams["seed"].number_value == 3
    assert told.hparams["precision"].string_value == "float32"
    assert "data_dir" not in told.hparams


def test_what_is_written_does_not_stay_in_memory(tmp_path):
    """300 lines of 40 new numbers each took 8 MB."""

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    random = np.random.default_rng(0)
    with Monitor(RunDirectory(tmp_path), 0, 9, progress=False) as monitor:
        for step in range(400):
            if step == 100:
                monitor.flush()
                before = resident()
            row = random.normal(size=40).tolist()
            monitor.scalars(step, {f"m{i}": v for i, v in enumerate(row)})
        monitor.flush()
        assert resident() - before < 3


def test_a_monitor_opened_at_a_step_drops_what_came_after(tmp_path):
    directory = RunDirectory(tmp_path)
    with Monitor(directory, 0, total_steps=4, progress=False) as monitor:
        for step in (1, 2, 3):
            monitor.scalars(step, {"generator_loss": step})
    with Monitor(directory, 2, total_steps=4, progress=False) as monitor:
        monitor.scalars(3, {"generator_loss": 9})
    lines = [json.loads(line) for line in directory.metrics.read_text().splitlines()]
    assert [line["generator_loss"] for line in lines] == [1, 2, 9]
    assert steps(directory.events) == [1, 2, 3]


def test_the_bar_shows_the_losses(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    values = {"discriminator_loss": 1.5, "generator_loss": 0.5, "delta_z_norm": 0.25}
    with Monitor(RunDirectory(tmp_path), 3, total_steps=8) as monitor:
        monitor.advance(5, values)
    shown = capsys.readouterr().err
    assert "8/8" in shown
    assert "D=1.500, G=0.500, Δz=0.250" in shown


def test_where_no_terminal_is_a_log_has_lines(tmp_path, capsys, monkeypatch):
    directory = RunDirectory(tmp_path)
    monkeypatch.setattr(monitor_module, "_SECONDS_PER_LINE", 0.0)
    values = {"discriminator_loss": 1.5, "generator_loss": -0.25, "delta_z_norm": 0.1}
    with Monitor(directory, 1000, total_steps=4000) as monitor:
        monitor.advance(500, values)
    seen = capsys.readouterr()
    line = "step 1,500 of 4,000: D 1.500, G -0.250, Δz 0.100\n"
    assert (seen.out, seen.err) == (line, "")
    with Monitor(directory, 1000, total_steps=4000, progress=False) as monitor:
        monitor.advance(500, values)
    assert capsys.readouterr() == ("", "")
