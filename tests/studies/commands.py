"""Stands for `python -m`: what a study's commands leave on disk, in milliseconds.

A run's numbers are a function of its name and step. Its parameters may say: `pace`,
seconds a step; `ends`, the exit code after two steps; `speed`, images a second.
"""

import json
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

RECEIPT = {
    "protocol": "imitation/1",
    "num_samples": 10,
    "seed": 0,
    "standing_batch_size": 64,
}


def main(module: str, arguments: list[str]) -> int:
    flags = [argument.lstrip("-").partition("=")[::2] for argument in arguments]
    params = dict(value.split(" = ") for key, value in flags if key == "gin_param")
    flags = dict(flags)
    directory = Path(flags["run_dir"])
    name = module.rsplit(".", 1)[-1]
    with (directory / "starts").open("a") as file:
        file.write(f"{name} with {os.environ['TF_NUM_INTRAOP_THREADS']} threads\n")
    if name == "train":
        return train(directory, params)
    if name == "evaluate" and "accuracy_score" in flags:
        learn(directory, last_step(directory), "real_control" in flags)
    elif name == "evaluate":
        steps, truncation = int(flags["latent_steps"]), float(flags["truncation"])
        evaluate(directory, last_step(directory), steps, truncation)
    elif name == "sample":
        sample(flags["output"], int(flags["latent_steps"]))
    else:
        numbers = {"discriminator": draw(directory, 0), "generator": 0.5}
        Path(flags["output"]).write_text(json.dumps(numbers))
    return 0


def train(directory: Path, params: dict) -> int:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    if params.get("ends") == "2":
        print("error: there is no gin file 'x': did you mean 'y'?")
        return 2
    (directory / "config.gin").write_text(f"# Recipe: {directory.name}\n")
    total, every = int(params["total_steps"]), int(params["evaluate_every"])
    for step in range(last_step(directory) + 1, total + 1):
        time.sleep(float(params.get("pace", 0)))
        with (directory / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(metrics(directory, step, total, params)) + "\n")
        if step % every == 0 or step == total:
            evaluate(directory, step, 0, 1.0)
        if step == 2 and "ends" in params:
            print("error: step 2: the samples do not differ")
            return int(params["ends"])
        if stopped:
            return 42
    return 0


def metrics(directory: Path, step: int, total: int, params: dict) -> dict:
    noise, done = draw(directory, step), step / total
    return {
        "step": step,
        "delta_z_norm": 0.3 + done + 0.1 * noise,
        "score_gain": 0.05 * noise - 0.02,
        "absolute_score_gain": 0.1 + 0.05 * noise,
        "discriminator_update_norm": 0.2 + 0.02 * noise,
        "generator_update_norm": 0.1 + 0.1 * done,
        "clipped_fraction": 0.1 * noise,
        "overshoot_fraction": 0.2 * noise * done,
        "discriminator_second_order_share": 0.05 * noise,
        "generator_second_order_share": 0.1 * noise,
        "images_per_second": float(params.get("speed", 1000)) * (0.9 + 0.2 * noise),
    }


def evaluate(directory: Path, step: int, latent_steps: int, truncation: float) -> None:
    folder = directory / "evaluations"
    folder.mkdir(exist_ok=True)
    noise = draw(directory, step)
    fid = (
        (200 + 300 * noise)
        * (1 + 20 / math.sqrt(step + 1))
        * (1.2 + (latent_steps - 5) ** 2 / 100)
    )
    values = {
        "modes": round(1000 * (1 - 0.5 / (1 + step / 500)) - 50 * noise),
        "confident_modes": round(700 * (1 - 1 / (1 + step / 500)) - 50 * noise),
        "reverse_kl": noise,
        "fid_digits": fid,
        "is_digits": 5 + noise + (1 - truncation),
    }
    receipt = RECEIPT | {
        "checkpoint_step": step,
        "latent_steps": latent_steps,
        "truncation": truncation,
    }
    contents = {
        "receipt": receipt,
        "metrics": {name: {"value": value} for name, value in values.items()},
    }
    name = f"step-{step:08d}-latent{latent_steps}-truncation{truncation}.json"
    (folder / name).write_text(json.dumps(contents))


def learn(directory: Path, step: int, real_control: bool) -> None:
    names = [f"step-{step:08d}", *(["real"] if real_control else [])]
    for name in names:
        top_1 = 0.98 if name == "real" else 0.5 + 0.4 * draw(directory, 1)
        of = None if name == "real" else step
        receipt = RECEIPT | {"protocol": "accuracy_score/1", "checkpoint_step": of}
        metrics = {"top_1": {"value": top_1}, "top_5": {"value": 1.0}}
        contents = {"receipt": receipt, "metrics": metrics}
        path = directory / "evaluations" / f"{name}-accuracy.json"
        path.write_text(json.dumps(contents))


def sample(output: str | Path, latent_steps: int) -> None:
    import numpy as np

    images = np.full((16, 16, 16, 3), 100 + latent_steps, np.uint8)
    np.savez(output, images=images)


def draw(directory: Path, step: int) -> float:
    return random.Random(f"{directory.name} {step}").random()


def last_step(directory: Path) -> int:
    path = directory / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
