"""Every number of all that a recipe can name, against what its docstring says."""

import importlib
import inspect
import math
import re

import gin
import pytest
import tensorflow as tf

from logan_tf.configuration import bindings, ranges, signatures
from logan_tf.configuration.recipe import Binding, GinReference, Recipe
from logan_tf.errors import ConfigurationError
from logan_tf.game.controls import root_of_natural_gradient_step
from logan_tf.game.latent import gradient_step, natural_gradient_step

importlib.import_module("logan_tf.configuration.configurables")
NAMES = sorted(
    name
    for name in gin.config._REGISTRY._selector_map  # Not what other tests register.
    if inspect.unwrap(gin.get_configurable(name)).__module__.startswith(
        ("logan_tf", "keras")
    )
)
NUMBER = r"[-−]?\d+(?:\.\d+)?"
BUILT_AT_ONCE = ("Ring", "Grid", "SwissRoll")  # They refuse numbers by themselves.


def arguments() -> list[tuple[str, str]]:
    """(name, argument) of each number that a recipe can give."""
    found = []
    for name in NAMES:
        configurable = signatures.find(name, "")
        hints = signatures.hints(configurable)
        for argument in signatures.parameters(configurable):
            hint = hints.get(argument) or ranges.hint(configurable, argument)
            text = signatures.describe(hint)
            number = re.search(r"\b(int|float)\b", text) and "Callable" not in text
            if number and argument != "shape":  # Which the caller gives.
                found.append((name, argument))
    return found


ARGUMENTS = arguments()


def said(name: str, argument: str) -> str:
    """What the docstring says of an argument."""
    text = inspect.getdoc(inspect.unwrap(signatures.find(name, ""))) or ""
    found = re.search(
        rf"^ +(?:\w+, )*{argument}(?:, \w+)*:((?:.*\n)(?: {{4,}}.*\n)*)",
        text + "\n",
        re.MULTILINE,
    )
    return " ".join(found[1].split()).replace("−", "-") if found else ""


def documented(text: str) -> tuple[list[float], list[float]]:
    """Numbers inside and outside of the range that a sentence names."""
    inside: list[float] = []
    outside: list[float] = []
    if found := re.search(rf"≥ ({NUMBER})|({NUMBER}) or more", text):
        low = float(found[1] or found[2])
        inside, outside = [low], [low - 1]
    elif found := re.search(rf"> ({NUMBER})", text):
        inside, outside = [float(found[1]) + 0.5], [float(found[1]), -1.0]
    elif found := re.search(rf"in ([\[(])({NUMBER}), ({NUMBER})([\])])", text):
        low, high = float(found[2]), float(found[3])
        for end, closed, beyond in (
            (low, found[1] == "[", low - 0.1),
            (high, found[4] == "]", high + 0.1),
        ):
            (inside if closed else outside).append(end)
            outside.append(beyond)
    elif found := re.search(rf"from ({NUMBER})(?: \([^)]*\))? to ({NUMBER})", text):
        low, high = float(found[1]), float(found[2])
        inside, outside = [low, high], [low - 0.1, high + 0.1]
    return inside, outside


def check(name: str, argument: str, value: object) -> None:
    binding = Binding("", name, argument, value, "here")
    bindings.check(binding, Recipe([], "", [binding], []))


def refused(name: str, argument: str, value: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(name, argument, value)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"here: {name}.{argument} ")
    return line


def is_whole(name: str, argument: str) -> bool:
    configurable = signatures.find(name, "")
    hint = signatures.hints(configurable).get(argument)
    return "float" not in signatures.describe(
        hint or ranges.hint(configurable, argument)
    )


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_text_lists_and_infinities_are_refused(name, argument):
    """So each number has a range: a new one without is found here."""
    for value in ("1", [["x"]], b"1"):
        refused(name, argument, value)
    if name.rsplit(".", 1)[-1] not in BUILT_AT_ONCE:
        assert ranges.of(signatures.find(name, ""), argument) is not None
        for number in (math.inf, -math.inf, math.nan):
            for value in (number, (number, number)):
                refused(name, argument, value)


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_a_documented_range_is_kept(name, argument):
    inside, outside = documented(said(name, argument))
    kind = int if is_whole(name, argument) else float
    for number in outside:
        if kind is float or number == int(number):
            assert f"not {kind(number)}" in refused(name, argument, kind(number))
    for number in inside:
        check(name, argument, kind(number))


def test_what_docstrings_say_is_understood():
    """Else the test above would pass whatever the table says."""
    known = [pair for pair in ARGUMENTS if documented(said(*pair))[1]]
    assert len(known) > 35
    assert documented("α ≥ 0.") == ([0], [-1])
    assert documented("d in [0, 1); 0 is none") == ([0], [-0.1, 1, 1.1])


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "SGD"])
@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("learning_rate", [-1.0, -1e-9]),
        ("beta_1", [-1.0, 1.0, 1.5]),
        ("beta_2", [-0.1, 1.0]),
        ("momentum", [-1.0, 1.0]),
        ("rho", [-0.1, 1.0]),
        ("epsilon", [0.0, -1e-7]),
        ("clipnorm", [0.0, -1.0]),
        ("clipvalue", [0.0, -1.0]),
        ("global_clipnorm", [-1]),
        ("weight_decay", [-0.1]),
        ("use_ema", [True]),
        ("ema_momentum", [0.9]),
        ("ema_overwrite_frequency", [5]),
        ("loss_scale_factor", [2.0]),
        ("gradient_accumulation_steps", [1]),
        ("amsgrad", [1, "yes"]),
    ],
)
def test_kerass_arguments(name, argument, values):
    """What Keras takes without a word; its own defaults pass."""
    optimizer = f"keras.optimizers.{name}"
    parameters = signatures.parameters(signatures.find(optimizer, ""))
    if argument in parameters:
        for value in values:
            refused(optimizer, argument, value)
        check(optimizer, argument, parameters[argument].default)
    check(optimizer, "learning_rate", GinReference("PolynomialDecay", True))
    check(optimizer, "learning_rate", 0)


@pytest.mark.parametrize(
    ("argument", "value", "passes"),
    [
        ("keras.optimizers.Adam.beta_1", -0.5, True),
        ("Momentum.beta", {"generator": -0.9}, True),
        ("Momentum.beta", {"generator": -1.0}, False),
        ("Trainer.collapse_factor", 0, True),
        ("Trainer.collapse_factor", 0.5, False),
        ("Trainer.jit_compile", True, True),
        ("Trainer.jit_compile", "auto", True),
        ("Trainer.jit_compile", "yes", False),
        ("ClassifierInput.crop_area", (0.08, 1.0), True),
        ("ClassifierInput.crop_area", (0.0, 1.0), False),
        ("LatentOptimizer.bounds", None, True),
        ("Experiment.seed", 2**31 - 1, True),
        ("Experiment.seed", 2**31, False),
    ],
)
def test_ranges_of_another_kind(argument, value, passes):
    name, _, parameter = argument.rpartition(".")
    if passes:
        check(name, parameter, value)
    else:
        refused(name, parameter, value)


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("total_steps = -5", "total_steps must be 1 or more, not -5"),
        ("log_every = 0", "log_every must be 1 or more, not 0"),
        ("Trainer.jit_compile = 'yes'", "jit_compile must be True or False or 'auto'"),
        (
            "generator/Adam.learning_rate = -1",
            "learning_rate must be 0 or more, not -1",
        ),
        ("generator/Adam.beta_1 = '0.5'", "generator/Adam.beta_1 must be float"),
        ("generator/Adam.learning_rate = -1e400", "0 or more and finite, not -inf"),
        ("natural_gradient_step.damping = 0", "damping must be above 0, not 0"),
    ],
)
def test_a_dry_run_refuses_them_where_they_are_said(statement, line, command):
    flags = ["--gin_file=ring_logan", f"--gin_param={statement}", "--dry_run"]
    done = command("train", *flags)
    assert (done.exit_code, done.out) == (2, "")
    assert done.err.startswith("error: --gin_param, line 1: ")
    assert line in done.err
    assert done.err.count("\n") == 1


def test_the_methods_steps_refuse_them_by_themselves():
    gradient = tf.ones([1, 2])
    for step in (natural_gradient_step, root_of_natural_gradient_step):
        for numbers in ((-0.1, 1.0), (0.1, 0.0), (0.1, -1.0), (math.nan, 1.0)):
            with pytest.raises(ConfigurationError, match="must be"):
                step(gradient, *numbers)
        step(gradient, tf.constant(0.1), tf.constant(0.1))
    with pytest.raises(ConfigurationError, match="step_size must be 0 or more"):
        gradient_step(gradient, -0.1)
