"""The studies as they are declared."""

import pytest

from logan_tf.configuration import bindings, recipe
from logan_tf.studies import hyperparameters
from logan_tf.studies.catalogue import STUDIES
from logan_tf.studies.results import ArmRun
from logan_tf.studies.runner import Runner, RunnerSettings
from logan_tf.studies.study import EMBEDDED, PAPER, SCALES, SMOKE


def flags(study, arm, scale, folder) -> tuple[str, ...]:
    return Runner(study, RunnerSettings(folder, scale), lambda: False).flags(
        ArmRun(arm, 0, folder)
    )


@pytest.mark.parametrize("scale", [EMBEDDED, PAPER])
def test_every_arm_is_a_configuration(scale, tmp_path):
    """The searches by their first arm."""
    seen = set()
    for study in STUDIES.values():
        arms = study.arms[:1] if len(study.arms) > 40 else study.arms
        for arm in arms:
            if arm.recipe_at(scale) is not None:
                seen.add(flags(study, arm, scale, tmp_path))
    assert len(seen) >= 25
    for given in seen:
        params = [f.partition("=")[2] for f in given if f.startswith("--gin_param")]
        read = recipe.read([given[0].partition("=")[2]], params, [])
        bindings.apply(read, [])


def test_borrowed_runs_are_those_of_their_home(tmp_path):
    for study in STUDIES.values():
        names = [arm.name for arm in study.arms]
        assert len(set(names)) == len(names)
        for arm in study.arms:
            for scale in SCALES if arm.home else ():
                home = STUDIES[arm.home]
                (own,) = [each for each in home.arms if each.name == arm.name]
                expected = flags(home, own, scale, tmp_path)
                assert flags(study, arm, scale, tmp_path) == expected


def test_arms_are_compared_with_arms_of_their_study():
    compared = [
        (study, arm)
        for study in STUDIES.values()
        for arm in study.arms
        if arm.versus is not None
    ]
    assert len(compared) >= 5
    for study, arm in compared:
        assert arm.versus != arm.name
        assert arm.versus in [each.name for each in study.arms]


def test_steps_can_be_evaluated_while_training():
    for study in STUDIES.values():
        for scale in SCALES:
            steps = study.steps[scale]
            assert steps == tuple(sorted(steps))
            assert all(step % steps[0] == 0 for step in steps)
        assert study.steps[SMOKE][-1] < 10


def test_the_search_is_of_the_papers_grid():
    settings = [dict(arm.point) for arm in STUDIES["tables45"].arms]
    assert len({tuple(setting.items()) for setting in settings}) >= 48
    for setting in settings:
        assert all(value in hyperparameters.TABLE_4[n] for n, value in setting.items())
    assert STUDIES["tables45"].arms[0].params[0].startswith("natural_gradient_step")


def test_lines_go_through_the_best_setting(imitated):
    search = STUDIES["tables45"]
    results = imitated(search)
    # None of its values is one that each line has.
    inner = results.of("alpha0.1-beta0.9-weight1-portion0.5")
    inner[0].at(60).metrics["fid_digits"]["value"] = 0.001
    fids = {
        arm.name: results.of(arm.name)[0].at(60).metrics["fid_digits"]["value"]
        for arm in search.arms
    }
    best = dict(
        next(arm for arm in search.arms if arm.name == min(fids, key=fids.get)).point
    )
    lines = search.then(results, search)
    settings = [dict(arm.point) for arm in lines]
    grid = hyperparameters.TABLE_4
    for name, values in grid.items():
        along = [s[name] for s in settings if best | {name: s[name]} == s]
        assert {values[0], values[-1], best[name]} <= set(along)
        assert len(along) in (4, 5)
    for setting in settings:
        assert sum(setting[name] != best[name] for name in grid) <= 1
    assert all(arm.seeds == 3 for arm in lines)
    (at,) = hyperparameters.line(results, "alpha").items()
    assert at == (best["alpha"], [min(fids.values())])
