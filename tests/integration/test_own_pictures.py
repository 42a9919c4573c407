"""Own pictures on a laptop: from a folder to numbers, without a download."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow
@pytest.mark.parametrize(("size", "channels"), [(32, 3), (48, 1)])
def test_a_folder_is_trained_on_and_judged(size, channels, command, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    draws = np.random.default_rng(0)
    for number in range(60):
        pixels = draws.integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number:02}.png")
    data, run = tmp_path / "data", tmp_path / "run"
    flags = [f"--images={photos}", f"--output={data}", f"--size={size}"]
    done = command("prepare", *flags, "--test_share=.3")
    assert (done.exit_code, done.err) == (0, "")
    params = {
        "data_dir": str(data),
        "image_size": size,
        "channels": channels,
        "total_steps": 2,
        "batch_size": 4,
        "width": 2,
        "standing_batches": 1,
        "ImageMetrics.num_samples": 30,
    }
    given = [f"--gin_param={name} = {value!r}" for name, value in params.items()]
    start = ["--gin_file=images_small", f"--run_dir={run}", "--noprogress"]
    done = command("train", *start, *given)
    assert (done.exit_code, done.err) == (0, "")
    done = command("evaluate", f"--run_dir={run}", "--real_control")
    assert (done.exit_code, done.err) == (0, "")
    written = json.loads(Path(done.out.splitlines()[-1]).read_text())
    assert written["receipt"]["classifier"].startswith("random:")
    assert written["metrics"]["fid_random"]["value"] > 0
    assert "is_random" not in written["metrics"]
    done = command("evaluate", f"--run_dir={run}", "--neighbors=2", "--num_samples=4")
    assert (done.exit_code, done.err) == (0, "")
