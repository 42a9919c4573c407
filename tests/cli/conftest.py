"""Runs of some steps that the tests of this folder look at."""

from collections.abc import Callable
from pathlib import Path

import pytest

TINY_RING = {
    "total_steps": 4,
    "batch_size": 4,
    "latent_dim": 4,
    "log_every": 1,
    "checkpoint_every": 2,
    "sample_every": 0,
    "standing_batches": 1,
    "mlp.Generator.hidden": (8,),
    "mlp.Discriminator.hidden": (8,),
}


@pytest.fixture(scope="session")
def params() -> Callable[..., list[str]]:
    """Bindings → the flags that say them; the smallest ring, and what is given."""

    def flags(given: dict | None = None, **macros) -> list[str]:
        bindings = TINY_RING | (given or {}) | macros
        return [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]

    return flags


@pytest.fixture(scope="session")
def train(command) -> Callable[..., str]:
    """Flags → the output of a run that succeeds."""

    def run(*flags: str) -> str:
        done = command("train", *flags, "--noprogress")
        assert (done.exit_code, done.err) == (0, "")
        return done.out

    return run


@pytest.fixture(scope="session")
def ring_run(command, params, tmp_path_factory) -> Path:
    """LOGAN on the ring after four steps."""
    path = tmp_path_factory.mktemp("ring")
    done = command(
        "train", "--gin_file=ring_logan", f"--run_dir={path}", *params(), "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    return path


@pytest.fixture(scope="session")
def digits_run(command, data_dir, tmp_path_factory) -> Path:
    """LOGAN on the digits after four steps, with samples and metrics on the way."""
    path = tmp_path_factory.mktemp("digits")
    bindings = {
        "total_steps": 4,
        "batch_size": 4,
        "width": 2,
        "latent_dim": 8,
        "log_every": 1,
        "checkpoint_every": 2,
        "sample_every": 2,
        "standing_batches": 1,
        "data_dir": data_dir,
    }
    flags = [f"--gin_param={name} = {value!r}" for name, value in bindings.items()]
    done = command(
        "train", "--gin_file=digits_logan", f"--run_dir={path}", *flags, "--noprogress"
    )
    assert (done.exit_code, done.err) == (0, "")
    return path
