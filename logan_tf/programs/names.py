"""Names of a run's variables that another program can rely on.

Keras counts layers through a process's life, and names the average as it names the
generator. Here a name begins with what the variable belongs to, as in
`Experiment.state`, and layers are counted within that: the same whatever was built
before.
"""

import re
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from logan_tf.training.experiment import Experiment

STEP = "step"
_COUNTED = re.compile(r"(.*?)(_\d+)?")


def names_of(experiment: Experiment, step: tf.Variable) -> dict[str, tf.Variable]:
    """Every variable that a training step reads, by its name.

    `generator/…`, `averaged_generator/…`, `discriminator/…`: weights and spectral-norm
    vectors. `generator_optimizer/NAME OF A WEIGHT/momentum` and the like: what an
    optimizer keeps of a weight; `generator_optimizer/learning_rate`: what it keeps
    besides. `dynamics/0`, `penalties/0`, …: by their place. `step`: the steps done.

    Args:
      experiment: with all its variables.
      step: the trainer's.
    """
    named = {STEP: step}
    for holder, network in (
        ("generator", experiment.generator),
        ("averaged_generator", experiment.averaged_generator),
        ("discriminator", experiment.discriminator),
    ):
        named |= _of_network(holder, network)
    handles = {id(variable.handle): name for name, variable in named.items()}
    for player, optimizer in experiment.optimizers.items():
        weights = {
            weight.path.replace("/", "_"): handles[id(weight.value.handle)]
            for weight in experiment.game.variables(player)
        }
        named |= _of_optimizer(f"{player}_optimizer", optimizer, weights)
    state = experiment.state()
    for holder in ("dynamics", "penalties"):
        named |= {f"{holder}/{place}": v for place, v in enumerate(state[holder])}
    return named


def _of_network(holder: str, network: keras.Model) -> dict[str, tf.Variable]:
    paths = canonical([variable.path for variable in network.variables])
    return {
        f"{holder}/{path}": variable.value
        for path, variable in zip(paths, network.variables, strict=True)
    }


def canonical(paths: Iterable[str]) -> list[str]:
    """Paths of one network without its own name, their layers counted anew.

    "net_3/conv_7/kernel", "net_3/conv_8/kernel" → "conv/kernel", "conv_1/kernel".
    """
    seen: dict[tuple[str, str], list[str]] = {}
    return [_counted(path.split("/"), seen) for path in paths]


def _counted(parts: list[str], seen: dict[tuple[str, str], list[str]]) -> str:
    """One path; `seen` has the layers of each kind that each layer holds."""
    above, own = "", []
    for part in parts[1:-1]:
        kind = _COUNTED.fullmatch(part)[1]  # type: ignore[index]
        known = seen.setdefault((above, kind), [])
        if part not in known:
            known.append(part)
        place = known.index(part)
        own.append(f"{kind}_{place}" if place else kind)
        above += f"{part}/"
    return "/".join([*own, parts[-1]])


def _of_optimizer(
    holder: str, optimizer: Any, weights: dict[str, str]
) -> dict[str, tf.Variable]:
    """By the weight that a variable's name begins with, the longest one."""
    named = {}
    for variable in optimizer.variables:
        known = [path for path in weights if variable.name.startswith(f"{path}_")]
        if known:
            path = max(known, key=len)
            weight, kept = weights[path], variable.name.removeprefix(f"{path}_")
            named[f"{holder}/{weight}/{kept}"] = variable.value
        else:
            named[f"{holder}/{variable.name}"] = variable.value
    return named
