"""What workers compare: whatever changes a run, and not where its data lies."""

import pytest

from logan_tf.cli.running import agreement
from logan_tf.configuration import recipe


def said(*params: str, files=("ring_logan",), modules=(), **flags) -> dict:
    given = ["total_steps = 3", *params]
    return agreement.facts(recipe.read(files, given, modules), flags, modules)


def changed(first: dict, second: dict) -> list[str]:
    names = dict.fromkeys((*first, *second))
    return [name for name in names if first.get(name) != second.get(name)]


@pytest.mark.parametrize(
    "param",
    [
        "seed = 1",
        "batch_size = 8",
        "checkpoint_every = 7",
        "total_steps = 4",
        "generator/keras.optimizers.Adam.learning_rate = 0.5",
        "mlp.Generator.hidden = (8,)",
        "Ring.sigma = 0.1",
    ],
)
def test_each_statement_is_compared_by_its_name(param):
    assert changed(said(), said(param)) == [param.split(" = ")[0]]
    assert changed(said(param), said(param)) == []


def test_flags_come_first_and_the_last_statement_counts():
    assert changed(said(restart=True), said(restart=False)) == ["--restart"]
    assert changed(said("seed = 1", "seed = 2"), said("seed = 2")) == []
    names = list(said(restart=True))
    assert names[0] == "--restart"
    assert names.index("seed") < names.index("Trainer.total_steps")


def test_code_is_compared(tmp_path, monkeypatch):
    own = tmp_path / "logan_tf"
    own.mkdir()
    (own / "__init__.py").write_text("")
    (own / "step.py").write_text("x = 1\n")
    monkeypatch.setattr(agreement.logan_tf, "__file__", str(own / "__init__.py"))
    before = said()
    (own / "step.py").write_text("x = 2\n")
    assert changed(before, said()) == ["the hash of logan_tf's code"]
    (tmp_path / "of_the_users_code.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    module = ["of_the_users_code"]
    before = said(modules=module)
    (tmp_path / "of_the_users_code.py").write_text("y = 1\n")
    assert changed(before, said(modules=module)) == [
        "the hash of --module=of_the_users_code"
    ]


def test_prepared_pictures_are_compared_wherever_they_lie(tmp_path):
    facts = []
    for folder, text in (("here", "{}"), ("there", "{}"), ("other", "{ }")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dataset.json").write_text(text)
        param = f"data_dir = '{tmp_path / folder}'"
        facts.append(said(param, files=["images_logan"]))
    assert changed(facts[0], facts[1]) == []
    assert changed(facts[0], facts[2]) == ["the data's hash"]
    missing = said(f"data_dir = '{tmp_path / 'none'}'", files=["images_logan"])
    assert missing["the data's hash"] is None


def test_the_version_of_tfds_data_is_compared(tmp_path):
    def of(name: str, *versions: tuple[str, str]) -> str | None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for version, text in versions:
            path = folder / "cifar10" / version / "dataset_info.json"
            path.parent.mkdir(parents=True)
            path.write_text(text)
        params = [f"data_dir = '{folder}'", f"TFDSImages.name = '{name}'"]
        return said(*params, files=["logan_cifar10"])["the data's hash"]

    old, new = ("9.0.0", "old"), ("10.0.0", "new")
    assert of("cifar10") is None
    assert of("cifar10", old, new) == of("cifar10", new) != of("cifar10", old)
    assert of("cifar10:9.0.0", old, new) == of("cifar10", old)
    assert said()["the data's hash"] is None
