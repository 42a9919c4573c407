"""Samples of the classes that were asked for, of runs and of exports."""

import numpy as np
import pytest

from logan_tf.data.digits import Digits
from logan_tf.plots import pictures

CONDITIONAL = "--module=conditional_digits"


@pytest.fixture
def sample(command, conditional_run, tmp_path):
    def run(*flags):
        path = tmp_path / "samples.npz"
        done = command(
            "sample",
            f"--run_dir={conditional_run}",
            CONDITIONAL,
            f"--output={path}",
            *flags,
        )
        if done.exit_code:
            return done
        with np.load(path) as file:
            return dict(file)

    return run


def test_equally_many_of_each_class_in_the_order_given(sample):
    found = sample("--classes=7,0", "--num=6")
    assert found["labels"].tolist() == [7, 7, 7, 0, 0, 0]
    # The network draws a class's mean with noise: a seven is no zero.
    means = [found["images"][rows].mean(0) for rows in (slice(0, 3), slice(3, 6))]
    assert np.abs(means[0] - means[1]).max() > 100
    every = sample("--classes=all", "--num=20")
    assert every["labels"].tolist() == [label for label in range(10) for _ in (0, 1)]


def test_classes_by_their_names(command, sample, conditional_run, monkeypatch):
    names = [f"digit {word}" for word in ["nil", "one", "two", "three", "four"]]
    names += list("98765")  # A name goes before the label that it looks like.
    monkeypatch.setattr(Digits, "class_names", names)
    found = sample("--classes=digit two,1,9", "--num=3")
    assert found["labels"].tolist() == [2, 1, 5]
    shown = []
    monkeypatch.setattr(
        pictures, "_names", lambda rows, height: shown.append(rows) or blank(height)
    )
    path = conditional_run / "classes.png"
    flags = [f"--run_dir={conditional_run}", CONDITIONAL, f"--output={path}"]
    done = command("sample", *flags, "--classes=digit two,1", "--num=4")
    assert (done.exit_code, shown) == (0, [["digit two", "digit one"]])
    path.unlink()


def blank(height):
    return np.zeros((height, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--classes=10"], "labels from 0 to 9"),
        (["--classes=cat"], "labels from 0 to 9"),
        (["--classes=1,01"], "give labels from 0 to 9, names of classes, or 'all'"),
        (["--classes=1,1"], "each once"),
        (["--classes=1,2,3", "--num=7"], "a multiple of 3"),
        (["--classes=all", "--num=4"], "a multiple of 10"),
        (["--classes=1", "--interpolate=2"], "one at a time"),
    ],
)
def test_what_cannot_be_drawn(flags, part, sample):
    done = sample(*flags)
    assert done.exit_code == 2
    assert part in done.err
    assert done.err.count("\n") == 1


def test_a_generator_without_classes(command, digits_run, tmp_path):
    done = command(
        "sample", f"--run_dir={digits_run}", "--classes=1", f"--output={tmp_path}/x.png"
    )
    assert done.exit_code == 2
    assert "not class-conditional" in done.err


def test_an_export_draws_the_runs_classes(command, sample, conditional_run, tmp_path):
    export = tmp_path / "export"
    done = command(
        "export", f"--run_dir={conditional_run}", CONDITIONAL, f"--output={export}"
    )
    assert (done.exit_code, done.err) == (0, "")
    path = tmp_path / "exported.npz"
    flags = ["--classes=3,5", "--num=4"]
    done = command("sample", f"--saved_model={export}", f"--output={path}", *flags)
    assert (done.exit_code, done.err) == (0, "")
    with np.load(path) as file:
        for name, value in sample(*flags).items():
            np.testing.assert_array_equal(file[name], value)
    names = export / "assets" / "class_names.txt"
    names.write_text("".join(f"{word}\n" for word in "abcdefghij"))
    flags = ["--classes=d,f", "--num=4"]
    done = command("sample", f"--saved_model={export}", f"--output={path}", *flags)
    assert (done.exit_code, done.err) == (0, "")
    with np.load(path) as file:
        assert file["labels"].tolist() == [3, 3, 5, 5]
