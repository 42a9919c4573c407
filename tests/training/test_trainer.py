"""Runs: what is due when, what is refused, and what workers do."""

import json

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.data import tfrecords
from logan_tf.data.points import Ring
from logan_tf.errors import (
    BadDataError,
    ConfigurationError,
)
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.training import trainer as trainer_module
from logan_tf.training.trainer import Trainer


def test_what_is_due_when(lines, trainer, toy, tmp_path):
    called = []
    made = trainer(
        toy(),
        tmp_path,
        total_steps=7,
        log_every=2,
        checkpoint_every=3,
        sample_every=4,
        sample=lambda step, _: called.append(("sample", step)),
        evaluate_every=0,
        evaluate=lambda *_: pytest.fail("it evaluates"),
    )
    made.train(progress=False)
    assert called == [("sample", 0), ("sample", 4), ("sample", 7)]
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 6, 7]
    assert made.checkpoints.steps() == [3, 6, 7]
    wanted = {"step", "discriminator_loss", "generator_loss", "delta_z_norm"}
    wanted |= {"score_gain", "clipped_fraction", "generator_update_norm"}
    wanted |= {"discriminator_update_norm", "discriminator_sigma"}
    for line in lines(tmp_path):
        assert wanted <= set(line)
        assert all(np.isfinite(value) for value in line.values())
    raw = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert all(json.loads(line)["images_per_second"] > 0 for line in raw)


def test_a_clock_may_stand_still(lines, trainer, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module.time, "perf_counter", lambda: 7.0)
    trainer(toy(), tmp_path, total_steps=5, log_every=1).train(progress=False)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]
    raw = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert all(np.isfinite(json.loads(line)["images_per_second"]) for line in raw)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_steps", 0),
        ("log_every", 0),
        ("checkpoint_every", 0),
        ("sample_every", -1),
        ("evaluate_every", -1),
    ],
)
def test_numbers_out_of_range(trainer, name, value, toy, tmp_path):
    settings = {"total_steps": 2} | {name: value}
    with pytest.raises(ConfigurationError, match=f"{name} must be .* not {value}"):
        trainer(toy(), tmp_path, **settings)


def test_evaluating_needs_something_that_evaluates(trainer, toy, tmp_path):
    with pytest.raises(ConfigurationError, match=r"evaluate_every is 5.* set it to 0"):
        trainer(toy(), tmp_path, total_steps=2, evaluate_every=5)


def test_data_is_opened_once_where_training_is_left_to_do(trainer, toy, tmp_path):
    class Refused:
        shape, num_classes = (2,), 0

        def examples(self, **_):
            raise BadDataError("no data")

    experiment = toy(dataset=Refused())
    with pytest.raises(BadDataError):
        trainer(experiment, tmp_path, total_steps=1).open_data()
    assert not (tmp_path / "metrics.jsonl").exists()
    trainer(toy(), tmp_path / "done", total_steps=1).train(progress=False)
    done = trainer(experiment, tmp_path / "done", total_steps=1)
    done.open_data()
    done.train(progress=False)
    assert done.step == 1


def test_a_damaged_file_is_named(trainer, toy, tmp_path):
    """TensorFlow's error, from inside the training step, names none."""
    path = tmp_path / "points.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(40):
            writer.write(np.float32([number, 1]).tobytes())
    content = path.read_bytes()
    path.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) + content[-199:])

    class Streamed:
        shape, num_classes = (2,), 0
        shards = (tfrecords.Shard(str(path), 0, 40),)

        def examples(self, *, seed, first, count, rows):
            records = tfrecords.shuffled_records(
                self.shards, num_records=40, seed=seed, first=first, shuffle_buffer=4
            )
            return records.batch(count).map(
                lambda batch: (
                    tf.ensure_shape(tf.io.decode_raw(batch, tf.float32), (count, 2)),
                    tf.zeros([count], tf.int32),
                )
            )

        def find_damage(self):
            return tfrecords.find_damage(self.shards)

    made = trainer(toy(dataset=Streamed()), tmp_path / "run", total_steps=20)
    with pytest.raises(BadDataError, match=r"points\.tfrecord has damaged .* intact"):
        made.train(progress=False)


def test_other_errors_of_tensorflow_are_not_the_datas(
    trainer, toy, tmp_path, monkeypatch
):
    class Intact(Ring):
        def find_damage(self):
            return None

    made = trainer(toy(dataset=Intact()), tmp_path, total_steps=2)
    error = tf.errors.InvalidArgumentError(None, None, "a defect")

    def fail(*_):
        raise error

    monkeypatch.setattr(made._train_step, "run", fail)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        made.train(progress=False)
    assert raised.value is error


def test_a_batch_that_replicas_do_not_divide_is_refused_before_the_data(
    trainer, toy, tmp_path, monkeypatch
):
    monkeypatch.setattr(type(tf.distribute.get_strategy()), "num_replicas_in_sync", 3)
    with pytest.raises(ConfigurationError, match=r"4 cannot .* among 3 .* 3 or 6"):
        trainer(toy(), tmp_path, total_steps=2)


def test_a_worker_that_is_not_the_chief_trains_and_writes_nothing(
    trainer, toy, state, same, tmp_path, monkeypatch, capsys
):
    settings = {"total_steps": 4, "log_every": 1, "checkpoint_every": 2}
    hook = {"sample_every": 2, "sample": lambda *_: pytest.fail("it draws samples")}
    chief = trainer(toy(), tmp_path / "chief", **settings)
    chief.train(progress=False)
    assert "\ntracing the step" in capsys.readouterr().out
    monkeypatch.setattr(trainer_module, "is_chief", lambda _: False)
    (tmp_path / "worker").mkdir()
    strategy, directory = (
        tf.distribute.get_strategy(),
        RunDirectory(tmp_path / "worker"),
    )
    worker = Trainer(toy(), strategy, directory, **settings, **hook)
    worker.train(text="configuration", progress=True)
    assert list((tmp_path / "worker").iterdir()) == []
    assert capsys.readouterr() == ("", "")
    same(state(worker._experiment), state(chief._experiment))


def test_a_call_has_the_steps_that_all_workers_agree_on(
    trainer, toy, tmp_path, monkeypatch
):
    """A slow worker would take two steps where this one would take three."""
    monkeypatch.setattr(
        trainer_module, "agree", lambda _, number, stop: (min(number, 2), stop)
    )
    made = trainer(toy(), tmp_path, total_steps=7, checkpoint_every=3)
    calls = []
    run = made._train_step.run
    monkeypatch.setattr(
        made._train_step, "run", lambda *args: calls.append(args[1]) or run(*args)
    )
    made.train(progress=False)
    assert calls[0] == 1
    assert max(calls) == 2
    assert sum(calls) == 7
