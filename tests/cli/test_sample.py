"""bin/sample: pictures and arrays of a run."""

import matplotlib.image
import numpy as np
import pytest

from logan_tf.installation import PRETRAINED


@pytest.fixture(scope="module")
def arrays(command, digits_run, tmp_path_factory):
    """Flags of bin/sample → the arrays."""
    folder = tmp_path_factory.mktemp("arrays")

    def sample(*flags, run=digits_run) -> dict[str, np.ndarray]:
        path = folder / "samples.npz"
        path.unlink(missing_ok=True)
        done = command("sample", f"--run_dir={run}", f"--output={path}", *flags)
        assert (done.exit_code, done.err) == (0, "")
        assert str(path) in done.out
        with np.load(path) as file:
            return dict(file)

    return sample


@pytest.fixture(scope="module")
def five(arrays):
    return arrays("--num=5")


def test_arrays_of_pictures(five, arrays):
    assert set(five) == {"images", "latents", "labels"}
    assert five["images"].shape == (5, 16, 16, 1)
    assert five["images"].dtype == np.uint8
    assert five["latents"].shape == (5, 8)
    assert five["latents"].dtype == np.float32
    assert five["labels"].shape == (5,)
    assert five["labels"].dtype == np.int32
    assert (np.abs(five["latents"]) <= 1).all()
    assert ((five["labels"] >= 0) & (five["labels"] < 10)).all()
    assert len(np.unique(five["images"])) > 20
    assert arrays()["images"].shape == (64, 16, 16, 1)


def test_samples_are_a_function_of_the_seed(five, arrays):
    again, more, other = (
        arrays("--num=5"),
        arrays("--num=7"),
        arrays("--num=5", "--seed=1"),
    )
    for name, value in five.items():
        np.testing.assert_array_equal(value, again[name])
        np.testing.assert_array_equal(value, more[name][:5])
    assert not np.array_equal(five["latents"], other["latents"])
    assert not np.array_equal(five["images"], other["images"])


def test_latent_steps_move_the_optimized_coordinates_only(five, arrays):
    moved = arrays("--num=5", "--latent_steps=2")["latents"]
    optimized = round(0.8 * 8)
    assert (moved[:, :optimized] != five["latents"][:, :optimized]).any(axis=0).all()
    np.testing.assert_array_equal(moved[:, optimized:], five["latents"][:, optimized:])
    assert (np.abs(moved) <= 1).all()


def test_truncation_shrinks_the_latents(five, arrays):
    truncated = arrays("--num=5", "--truncation=0.5")
    np.testing.assert_allclose(truncated["latents"], 0.5 * five["latents"], rtol=1e-6)
    assert not np.array_equal(truncated["images"], five["images"])


def test_an_earlier_checkpoint(five, arrays):
    earlier = arrays("--num=5", "--checkpoint=2")
    np.testing.assert_array_equal(earlier["latents"], five["latents"])
    assert not np.array_equal(earlier["images"], five["images"])


def test_points(arrays, ring_run):
    points = arrays("--num=9", run=ring_run)
    assert points["images"].shape == (9, 2)
    assert points["images"].dtype == np.float32


def test_a_grid_shows_the_samples(command, digits_run, arrays, tmp_path):
    path = tmp_path / "grid.png"
    done = command("sample", f"--run_dir={digits_run}", f"--output={path}", "--num=4")
    said = done.out.splitlines()  # Before what takes its time, and after it.
    assert said[0].startswith("building the networks")
    assert said[1:] == ["drawing 4 samples of step 4", f"4 samples of step 4: {path}"]
    grid = np.round(255 * matplotlib.image.imread(path)[..., :1]).astype(np.uint8)
    # Four of 16 pixels, enlarged to about 640: each pixel is 20 a side.
    tiles = np.lib.stride_tricks.sliding_window_view(grid[..., 0], (301, 301))
    tiles = tiles[..., ::20, ::20]
    places = set()
    for picture in arrays("--num=4")["images"][..., 0]:
        (found,) = {
            (row // 320, column // 320)
            for row, column in np.argwhere((tiles == picture).all(axis=(2, 3)))
        }
        places.add(found)
    assert len(places) == 4


def test_the_grid_of_training_is_that_of_its_seed(command, digits_run, tmp_path):
    path = tmp_path / "grid.png"
    command("sample", f"--run_dir={digits_run}", f"--output={path}")
    during = digits_run / "samples" / "step-00000004.png"
    np.testing.assert_array_equal(*map(matplotlib.image.imread, (path, during)))


def test_a_scatter_plot_of_points(command, ring_run, tmp_path):
    path = tmp_path / "points.png"
    done = command("sample", f"--run_dir={ring_run}", f"--output={path}")
    assert (done.exit_code, done.err) == (0, "")
    picture = matplotlib.image.imread(path)
    assert min(picture.shape[:2]) > 100
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10


def test_arrays_are_there_whole_or_not_at_all(tmp_path, monkeypatch):
    from logan_tf.cli import sample
    from logan_tf.sampling.sampler import Samples

    output = tmp_path / "samples.npz"
    output.write_bytes(b"the earlier ones")

    def full(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    samples = Samples(np.zeros((1, 4, 4, 1)), np.zeros((1, 2)), np.zeros(1))
    with pytest.raises(OSError, match="No space left"):
        sample._save_arrays(output, samples)
    assert output.read_bytes() == b"the earlier ones"
    assert list(tmp_path.iterdir()) == [output]


def test_a_generator_that_comes_with_the_package(command, tmp_path):
    """The first picture, without a run; what it carries stays small."""
    folder = PRETRAINED / "digits"
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 2 * 2**20
    path = tmp_path / "digits.npz"
    done = command("sample", "--pretrained=digits", f"--output={path}", "--num=3")
    assert (done.exit_code, done.err) == (0, "")
    assert "3 samples of step 2000" in done.out
    images = np.load(path)["images"]
    assert (images.shape, images.dtype) == ((3, 16, 16, 1), np.uint8)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--pretrained=digit"], "did you mean 'digits'"),
        (["--pretrained=faces"], "there is digits"),
        (["--pretrained=digits", "--run_dir=x"], "without --run_dir"),
        (["--pretrained=digits", "--checkpoint=best"], "without --run_dir"),
        (["--pretrained=digits", "--saved_model=x"], "without --pretrained"),
    ],
)
def test_generators_that_do_not_come_with_it(flags, message, command, tmp_path):
    done = command("sample", *flags, f"--output={tmp_path}/x.png")
    assert done.exit_code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("run", "flags", "message"),
    [
        ("digits_run", ["--output=x.npz"], "give --run_dir and --output=apart.png"),
        ("digits_run", ["--output=x.png", "--num=3"], "three channels are drawn apart"),
        ("ring_run", ["--output=x.png", "--num=3"], "this run makes points"),
    ],
)
def test_what_has_no_channels_is_not_drawn_apart(
    run, flags, message, command, request, tmp_path, monkeypatch
):
    """Of the digits, real ones are read all the same before that is found."""
    monkeypatch.chdir(tmp_path)
    folder = request.getfixturevalue(run)
    done = command("sample", f"--run_dir={folder}", "--apart", *flags)
    assert done.exit_code == 2
    assert message in done.err
    assert not list(tmp_path.iterdir())
