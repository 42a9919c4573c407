"""What is found in a recipe once everything that has a name is known to gin."""

from collections.abc import Callable, Collection, Sequence

import gin
import keras
import pytest

from logan_tf.configuration import bindings, recipe
from logan_tf.configuration.recipe import GinReference, Macro
from logan_tf.data.priors import Prior
from logan_tf.errors import BadDataError, ConfigurationError
from logan_tf.game.penalties.penalty import Penalty

CALLED, NAMED = GinReference("f", True), GinReference("f", False)


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (1.0, int, False),
        (True, int, False),
        (1, float, True),
        (1.5, float, True),
        (True, float, False),
        ("1", float, False),
        (True, bool, True),
        (1, bool, False),
        ("a", str, True),
        (b"a", str, False),
        (None, int, False),
        (None, int | None, True),
        (2, int | None, True),
        ("2", int | None, False),
        (None, type(None), True),
        ((1, 2), tuple[float, float], True),
        ([1, 2.5], tuple[float, float], True),
        ((1, 2, 3), tuple[float, float], False),
        ((1, "2"), tuple[float, float], False),
        (1, tuple[float, float], False),
        ((1, 2, 3), tuple[int, ...], True),
        ((1, 2.5), tuple[int, ...], False),
        ((), Sequence[int], True),
        ([128, 64], Sequence[int], True),
        ([128, 64.0], Sequence[int], False),
        (128, Sequence[int], False),
        ("generator", Collection[str], False),
        (("generator",), Collection[str], True),
        ((1,), Collection[str], False),
        (CALLED, int, True),
        (NAMED, int, False),
        (NAMED, Callable[[int], int], True),
        (Macro("gin.REQUIRED"), int, True),
        ((CALLED, 1.0), tuple[float, float], True),
        ("gradient_step", Callable[[int], int], False),
        (0.1, Callable[[int], int] | None, False),
        (None, Callable[[int], int] | None, True),
        (5, keras.Model, False),
        (CALLED, keras.Model, True),
        (NAMED, keras.Model, False),
        (NAMED, keras.Model | None, False),
        (NAMED, Penalty, False),
        ([CALLED], Sequence[Penalty], True),
        ([NAMED], Sequence[Penalty], False),
        (NAMED, Callable, True),
        (NAMED, Prior, True),
        ({"a": 1}, object, True),
        ({"a": 1.5}, float | dict[str, float], True),
        ({"a": "1"}, float | dict[str, float], False),
        ((1.5,), dict[str, float], False),
        ({"a": 1}, Sequence[int], False),
    ],
)
def test_fits(value, hint, expected):
    assert bindings.fits(value, hint) is expected


def apply(*params: str, modules=(), files=("ring_logan",)) -> str:
    read = recipe.read(files, params, modules)
    return bindings.apply(read, modules)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (["LatentOptimzer.fraction = 1.0"], "did you mean 'LatentOptimizer'?"),
        (["LatentRule.optimizer = @LatentOptimiser()"], "mean 'LatentOptimizer'?"),
        (["Generator.latent_dim = 3"], "gin knows no 'Generator'"),
        (["LatentOptimizer.fracton = 1.0"], "no parameter 'fracton': did you mean"),
        (["LatentOptimizer.num_steps = 1.5"], "num_steps must be int, not 1.5"),
        (["LatentOptimizer.fraction = 'x'"], "fraction must be float, not 'x'"),
        (["LatentOptimizer.bounds = (1.0,)"], "bounds must be tuple[float, float]"),
        (
            ["LatentRule.stop_gradient = 'generator'"],
            "stop_gradient must be Collection",
        ),
        (
            ["Game.latent_rule = @LatentRule"],
            "latent_rule must be logan_tf.game.latent_rule.LatentRule | None, not "
            "@LatentRule: write @LatentRule()",
        ),
        (["Experiment.dynamics = @Plain"], "not @Plain: write @Plain()"),
        (
            ["Experiment.generator_optimizer = @keras.optimizers.Adam"],
            "write @keras.optimizers.Adam()",
        ),
        (["LatentOptimizer.step = 'gradient_step'"], "step must be Callable"),
        (
            ["fat = 'x'", "LatentRule.regularizer_weight = %fat"],
            "must be float, not 'x'",
        ),
        (
            ["a = 'x'", "b = %a", "LatentOptimizer.bounds = (%b, 1.0)"],
            "tuple[float, float] | None, not ('x', 1.0)",
        ),
        (["LatentOptimizer.step = @gradient_step"], "gradient_step needs step_size"),
        (
            ["f = @gradient_step", "LatentOptimizer.step = %f"],
            "add 'gradient_step.step_size = …'",
        ),
        (
            ["natural_gradient_step.damping = %gin.REQUIRED"],
            "natural_gradient_step needs damping",
        ),
        (["Experiment.dataset = @TFDSImages()"], "TFDSImages needs name and size"),
        *(
            ([line, "seeds/macro.value = 'x'"][:number], "is gin's own")
            for line, number in (
                ("Experiment.seed = @constant()", 1),
                ("Game.penalties = [@x/gin.constant()]", 1),
                ("Game.objective = @constant", 1),
                ("Experiment.seed = @seeds/macro()", 2),
                ("Game.objective = @gin.singleton", 1),
                ("seeds/gin.macro.value = 3", 1),
            )
        ),
        (["Adam.loss_scale_factor = '2'"], "loss_scale_factor must be float | None"),
    ],
)
def test_mistakes_in_names_types_and_missing_arguments(params, message):
    with pytest.raises(ConfigurationError) as caught:
        apply(*params)
    assert message in str(caught.value)
    assert (
        "--gin_param, line" in str(caught.value)
        or "latent_step_ngd" in message
        or ("natural_gradient_step" in message)
    )
    assert len(str(caught.value).splitlines()) == 1


def test_the_last_binding_counts():
    apply(
        "LatentOptimizer.step = @gradient_step",
        "LatentOptimizer.step = @natural_gradient_step",
    )
    apply("LatentOptimizer.step = @gradient_step", "gradient_step.step_size = 1")


def test_macros_and_references_inside_of_values_are_let_pass():
    apply(
        "low = -1",
        "lower = %low",
        "LatentOptimizer.bounds = (%lower, 1.0)",
        "generator/Adam.learning_rate = @PolynomialDecay()",
        "PolynomialDecay.initial_learning_rate = 1e-4",
        "PolynomialDecay.decay_steps = 10",
    )
    optimizer = gin.get_configurable("LatentOptimizer")()
    assert optimizer.bounds == (-1, 1.0)


def test_the_configuration_is_one_file_that_says_the_same_again(tmp_path):
    long = "/a long path with blanks" * 5
    config = apply(f"data_dir = '{long}'", "batch_size = 7")
    path = tmp_path / "config.gin"
    path.write_text(config)
    assert "include" not in config
    assert apply(files=[str(path)]) == config
    assert gin.query_parameter("data_dir/gin.macro.value") == long


def test_included_files_are_those_that_were_checked(tmp_path, monkeypatch):
    """gin looks beside the recipes; so must the check, or it reads another file."""
    for name, text in {
        "main.gin": "include 'ring_logan.gin'\ninclude 'sub/one.gin'\n",
        "sub/one.gin": "include 'two.gin'\n",
        "sub/two.gin": "seed = 'never read'\n",
        "two.gin": "seed = 22\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "\nseed = 22\n" in apply(files=[str(tmp_path / "main.gin")])


def test_a_module_that_cannot_be_imported(tmp_path, monkeypatch):
    with pytest.raises(
        ConfigurationError, match=r"--module=no_such_module .*PYTHONPATH"
    ):
        apply(modules=["no_such_module"])
    (tmp_path / "broken_module.py").write_text("x = (\n")
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, cause in {
        "broken_module": "SyntaxError",
        "raising_module": "ZeroDivisionError: division by zero",
    }.items():
        with pytest.raises(ConfigurationError) as caught:
            apply(modules=[name])
        assert f"--module={name}" in str(caught.value)
        assert cause in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


def test_modules_stand_in_the_configuration_once(tmp_path, monkeypatch):
    (tmp_path / "quiet_module.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    modules = ["quiet_module", "quiet_module"]
    config = apply(modules=modules)
    path = tmp_path / "config.gin"
    path.write_text(config)
    assert config.count("import quiet_module") == 1
    assert apply(files=[str(path)], modules=modules).count("import quiet_module") == 1


@gin.configurable(module="test_configuration")
def failing(error):
    raise error("the cause\nmore of it")


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_building_turns_what_gin_calls_into_one_line(error):
    with pytest.raises(ConfigurationError) as caught, bindings.building():
        failing(error)
    assert str(caught.value) == "'failing': the cause"


def test_building_lets_defects_and_other_errors_pass():
    for error in (ZeroDivisionError, BadDataError):
        with pytest.raises(error), bindings.building():
            failing(error)
    with pytest.raises(ValueError, match=r"^ours$") as caught, bindings.building():
        raise ValueError("ours")
    assert not isinstance(caught.value, ConfigurationError)


def test_a_macro_whose_only_reader_is_bound_otherwise_goes(tmp_path):
    """A run's configuration is read again, where it would be refused as misspelt."""
    rate = "generator/keras.optimizers.Adam.learning_rate = 0.5"
    config = apply(rate, files=["ring_logan"])
    assert "generator_rate" not in config
    assert "discriminator_rate" in config
    path = tmp_path / "config.gin"
    path.write_text(config)
    assert apply(files=[str(path)]) == config


def test_macros_of_several_lines_and_of_macros_go_too():
    config = "a = %b\nb = \\\n    (1,\n     2)\nbatch_size = 3\n\nX.c = 5\n"
    assert bindings._without_unread_macros(config) == "batch_size = 3\n\nX.c = 5\n"
    read = config + "X.d = %a\n"
    assert bindings._without_unread_macros(read) == read
