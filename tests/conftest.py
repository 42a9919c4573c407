"""Fixtures for tests of several folders: finite differences, commands, classifiers."""

import gc
import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from absl import flags

# Graphs are millions of objects that stay: looking through them for cycles, as often as
# Python does by itself, took a tenth of the tests' time.
gc.set_threshold(200_000, 50, 100)

TESTS = Path(__file__).parent
LONGEST = ("cli", "training", "game", "benchmarks", "programs", "networks")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A folder is tested by one process, the longest first.

    Its fixtures are runs and networks: they would be made by each process that has a
    test of the folder.
    """
    folders = {}
    for item in items:
        folders[item] = item.path.relative_to(TESTS).parts[0]
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(folders[item]))
    order = {folder: place for place, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(folders[item], len(order)))


@pytest.fixture
def float64() -> Iterator[None]:
    """Layers that are built meanwhile compute in float64."""
    # Imported here, the process that only hands out tests starts without TensorFlow.
    import keras

    policy = _policy("float64")
    next(policy)  # Before floatx, which the policy that is put back may follow.
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)
    next(policy, None)


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    """Layers that are built meanwhile compute in bfloat16, on float32 variables."""
    yield from _policy("mixed_bfloat16")


def _policy(name: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture(scope="session")
def central_difference() -> Callable:
    """(function, variables, directions) → the function's slope along the directions.

    The variables are put back as they were, bit for bit.
    """

    def slope(
        function: Callable, variables: Sequence, directions: Sequence, h: float = 1e-6
    ) -> np.ndarray:
        start = [np.array(variable) for variable in variables]
        values = []
        for sign in (1, -1):
            for variable, at, along in zip(variables, start, directions, strict=True):
                variable.assign(at + sign * h * along)
            values.append(np.array(function()))
        for variable, at in zip(variables, start, strict=True):
            variable.assign(at)
        return (values[0] - values[1]) / (2 * h)

    return slope


@pytest.fixture(scope="session")
def divided() -> Callable:
    """Layer → its kernel in NumPy, divided by σ where it is spectrally normalized."""

    def divide(layer) -> np.ndarray:
        kernel = np.array(layer.kernel)
        if not hasattr(layer, "spectral_norm"):
            return kernel
        matrix = kernel.reshape(-1, kernel.shape[-1])
        sigma = np.linalg.norm(matrix @ np.array(layer.spectral_norm.vector))
        return kernel / (sigma + layer.spectral_norm.epsilon)

    return divide


@pytest.fixture(scope="session")
def xla() -> None:
    """Skips the test where this build of TensorFlow compiles for TPUs alone."""
    import tensorflow as tf

    try:
        tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros([]))
    except tf.errors.NotFoundError:
        pytest.skip("this build of TensorFlow has XLA for the TPU alone")


class Result(NamedTuple):
    """How a command ended, and what it printed."""

    exit_code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def saved() -> Callable[[Path, int], dict[str, np.ndarray]]:
    """(run, step) → all that a checkpoint holds, by name."""
    import tensorflow as tf

    def read(run: Path, step: int) -> dict[str, np.ndarray]:
        path = run / "checkpoints" / f"ckpt-{step}" / "state"
        checkpoint = tf.train.load_checkpoint(str(path))
        return {
            name: checkpoint.get_tensor(name)
            for name in checkpoint.get_variable_to_shape_map()
            if "OBJECT_GRAPH" not in name and "save_counter" not in name
        }

    return read


@pytest.fixture(scope="session")
def same_run(saved) -> Callable[[Path, Path, int], None]:
    """Asserts that two runs have the same metrics and the same weights after a step."""

    def metrics(run: Path) -> list[dict]:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) | {"images_per_second": 0} for line in lines]

    def compare(one: Path, other: Path, step: int) -> None:
        assert metrics(one) == metrics(other)
        weights, others = saved(one, step), saved(other, step)
        assert weights.keys() == others.keys()
        for name, value in weights.items():
            np.testing.assert_array_equal(value, others[name], err_msg=name)

    return compare


@pytest.fixture(scope="session")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def data_dir(shared_dir: Path) -> str:
    """Where TFDS keeps the digits; the first test that needs them makes them."""
    return str(shared_dir / "data")


@pytest.fixture(scope="session")
def command(shared_dir: Path) -> Callable[..., Result]:
    """(name, *arguments) → `Result` of bin/<name>, run in this process."""

    def run(name: str, *arguments: str) -> Result:
        from logan_tf.cli import app

        _forget_flags()
        module = importlib.import_module(f"logan_tf.cli.{name}")
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [f"bin/{name}", *map(str, arguments)])
            patch.setenv("LOGAN_TF_CACHE", str(shared_dir / "cache"))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            first = getattr(module, "FIRST", None)
            with pytest.raises(SystemExit) as exit_:
                app.run(module.main, module.__doc__ or "", first)
        return Result(exit_.value.code, out.getvalue(), err.getvalue())

    return run


def _forget_flags() -> None:
    """Flags are global in absl, and two commands define the same names."""
    for name in list(flags.FLAGS):
        owner = flags.FLAGS.find_module_defining_flag(name)
        if owner.startswith("logan_tf.cli"):
            delattr(flags.FLAGS, name)
            if sys.modules.pop(owner, None):
                package, _, module = owner.rpartition(".")
                delattr(sys.modules[package], module)


@pytest.fixture(scope="session")
def make_pictures() -> Callable[..., Path]:
    """(folder, num, classes) → the folder, with pictures in the classes in turns.

    Each is of 10x8 pixels of one color of its own: (number, 255 - number, 100).
    """
    from PIL import Image

    def make(
        folder: Path, num: int = 12, classes: Sequence[str] = ("cat", "dog")
    ) -> Path:
        for number in range(num):
            parent = folder / classes[number % len(classes)] if classes else folder
            parent.mkdir(parents=True, exist_ok=True)
            color = (number, 255 - number, 100)
            Image.new("RGB", (10, 8), color).save(parent / f"{number:03}.png")
        return folder

    return make


@pytest.fixture(scope="session")
def digits(data_dir: str) -> Any:
    """The real digits of 16 x 16."""
    from logan_tf.data.digits import Digits

    return Digits(16, data_dir)


@pytest.fixture(scope="session")
def classifier(digits, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Their classifier, trained once for all tests of a process."""
    from logan_tf.metrics import digit_classifier

    cache = tmp_path_factory.mktemp("cache")
    return digit_classifier.load_or_train(digits, cache_dir=cache)


def _stand_in(path: Path, width: int, num_classes: int) -> Path:
    """A SavedModel of Inception's signature that is a mean of pixels and a projection.

    pool_3 is a fixed random projection of the 4x4 means, logits another one of these.
    """
    import tensorflow as tf

    generator = np.random.default_rng(0)
    first = generator.normal(size=(48, width)).astype(np.float32)
    second = generator.normal(size=(width, num_classes)).astype(np.float32) / 100

    class StandIn(tf.Module):
        def __init__(self):
            self.first, self.second = tf.Variable(first), tf.Variable(second)

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
        def __call__(self, images):
            small = tf.image.resize(images, [4, 4], "area")
            features = tf.reshape(small, [-1, 48]) @ self.first
            return {"logits": features @ self.second, "pool_3": features}

    model = StandIn()
    tf.saved_model.save(model, str(path), signatures=model.__call__)
    np.savez(path.parent / f"{path.name}.npz", first=first, second=second)
    return path


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory) -> Path:
    """Of Inception's shapes."""
    return _stand_in(tmp_path_factory.mktemp("stand-in"), 2048, 1008)


@pytest.fixture(scope="session")
def narrow_stand_in(tmp_path_factory) -> Path:
    """Whose Fréchet distance takes milliseconds instead of ten seconds."""
    return _stand_in(tmp_path_factory.mktemp("narrow"), 100, 50)
