"""A preparation that ends too early, at any moment, and goes on."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from logan_tf.data import manifest
from logan_tf.data.preparation import writing
from logan_tf.errors import BadDataError, ConfigurationError

ROOT = Path(__file__).resolve().parents[3]


class _KilledError(BaseException):
    """As sudden as SIGKILL, but for what `finally` does."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("function", [(os, "replace"), (os, "fsync")])
def test_wherever_it_ends_it_goes_on(
    function, when, image_folder, whole, prepared, tmp_path, monkeypatch
):
    """Ended before and after each file that moves or is flushed, one by one."""
    expected = prepared.contents(whole)
    module, name = function
    original = getattr(module, name)
    redone = []
    for moment in range(1, 100):
        calls = 0

        def killed(*args, moment=moment):
            nonlocal calls
            calls += 1
            if calls == moment and when == "before":
                raise _KilledError
            original(*args)
            if calls == moment:
                raise _KilledError

        output = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, killed)
            try:
                prepared.run(image_folder, output, test_share=0.3)
                break
            except _KilledError:
                pass
        if (output / "dataset.json").is_file():
            assert manifest.read(output).splits["train"].examples
        else:
            with pytest.raises(
                ConfigurationError, match=r"same command .* again|has no"
            ):
                manifest.read(output)
        writes = _count_writes(monkeypatch, prepared, image_folder, output)
        redone.append(writes)
        assert prepared.contents(output) == expected
    assert len(redone) > 10
    assert redone[0] > redone[-1] == 0 if when == "after" else redone[-1] <= 1


def _count_writes(monkeypatch, prepared, images, output):
    """Goes on with the data set; how many TFRecord files that takes."""
    writes = 0
    original = writing.Preparation._write

    def counted(self, *args):
        nonlocal writes
        writes += 1
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(writing.Preparation, "_write", counted)
        prepared.run(images, output, test_share=0.3)
    return writes


def _killed_after_a_file(images, output, shards):
    """Runs bin/prepare until it has written another file; SIGKILL."""
    flags = (f"--images={images}", f"--output={output}", f"--shards={shards}")
    before = len(list(output.glob("*.tfrecord")))
    with subprocess.Popen(
        [str(ROOT / "bin" / "prepare"), *flags, "--size=4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while process.poll() is None:
            if len(list(output.glob("*.tfrecord"))) > before:
                process.kill()
            time.sleep(0.001)
        said = process.communicate()[0]
    assert process.returncode == -9, said


@pytest.mark.parametrize(
    ("kills", "shards"), [(1, 50), pytest.param(10, 150, marks=pytest.mark.slow)]
)
def test_a_killed_process_is_the_one_that_never_was(
    kills, shards, make_pictures, prepared, tmp_path
):
    images, output = make_pictures(tmp_path / "images", 250), tmp_path / "out"
    for _ in range(kills):
        _killed_after_a_file(images, output, shards)
        assert (output / "lock").is_file()
        assert not (output / "dataset.json").is_file()
    noted = list((output / "unfinished").glob("*.tfrecord.json"))
    assert kills // 2 <= len(noted) < shards
    prepared.run(images, output, shards=shards)
    (output / "lock").unlink()  # bin/prepare itself would.
    prepared.run(images, tmp_path / "whole", shards=shards)
    assert prepared.contents(output) == prepared.contents(tmp_path / "whole")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def _note(output):
    return next((output / "unfinished").glob("*.tfrecord.json"))


def _edit_note(output, **fields):
    _note(output).write_text(json.dumps(json.loads(_note(output).read_text()) | fields))


@pytest.mark.parametrize(
    "damage",
    [
        lambda out: _cut(next(out.glob("*.tfrecord"))),
        lambda out: next(out.glob("*.tfrecord")).unlink(),
        lambda out: _cut(_note(out)),
        *(
            lambda out, text=text: _note(out).write_text(text)
            for text in ("{}", "[" * 10_000, "7")
        ),
        lambda out: _edit_note(out, class_counts=[1]),
        lambda out: _edit_note(out, class_counts={"0": "1"}),
        lambda out: _edit_note(out, enlarged="1"),
        lambda out: _edit_note(out, skipped=[1]),
    ],
)
def test_what_is_not_as_noted_is_made_again(
    damage, image_folder, whole, prepared, tmp_path, monkeypatch
):
    def killed(self, notes):
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(writing.Preparation, "_finish", killed)
        with pytest.raises(_KilledError):
            prepared.run(image_folder, tmp_path / "out", test_share=0.3)
    damage(tmp_path / "out")
    assert _count_writes(monkeypatch, prepared, image_folder, tmp_path / "out") == 1
    assert prepared.contents(tmp_path / "out") == prepared.contents(whole)


@pytest.mark.parametrize("text", ["", "[" * 10_000, "[1]", "7"])
def test_a_garbled_plan_is_one_line(text, image_folder, prepared, tmp_path):
    plan = tmp_path / "out" / "unfinished" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(text)
    with pytest.raises(BadDataError, match=f"{plan} cannot be read: delete") as caught:
        prepared.run(image_folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
