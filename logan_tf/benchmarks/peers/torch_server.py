"""Answers on its standard output what it is asked, a line each, on its standard input.

    gradients INPUT.npz VARIANT OUTPUT.npz   computes both players' gradients
    load INPUT.npz FORM                      a game: contiguous, channels_last, compiled
    step FORM VARIANT                        seconds of one step

Runs where PyTorch is, without this package's other requirements.
"""

import os
import sys
import time

import numpy as np
import torch
from torch_game import TorchGame

FORMS = {
    "contiguous": (torch.contiguous_format, False),
    "channels_last": (torch.channels_last, False),
    "compiled": (torch.channels_last, True),
}


def main() -> None:
    """Serves until the input ends; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    print(torch.__version__, file=answers, flush=True)
    games: dict[str, TorchGame] = {}
    for line in sys.stdin:
        try:
            answer = _answer(line.split(), games)
        except Exception as error:  # A form that PyTorch cannot do is a finding.
            first = (str(error).strip().splitlines() or [""])[0]
            answer = f"error {type(error).__name__}: {first}"
        print(answer, file=answers, flush=True)


def _answer(words: list[str], games: dict[str, TorchGame]) -> str:
    match words:
        case ["gradients", source, variant, target]:
            game = TorchGame(dict(np.load(source)), *FORMS["channels_last"])
            of_discriminator, of_generator = game.gradients(variant)
            found = {
                "discriminator": game.discriminator.numpy_layout(of_discriminator),
                "generator": game.generator.numpy_layout(of_generator),
            }
            arrays = {
                f"{player}/{index}": array
                for player, listed in found.items()
                for index, array in enumerate(listed)
            }
            np.savez(target, **arrays)
            return "done"
        case ["load", source, form]:
            games[form] = TorchGame(dict(np.load(source)), *FORMS[form])
            return "done"
        case ["step", form, variant]:
            started = time.perf_counter()
            games[form].step(variant)
            return str(time.perf_counter() - started)
    raise ValueError(f"unknown: {' '.join(words)}")


if __name__ == "__main__":
    main()
