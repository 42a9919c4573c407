"""What a run of a study says of itself, whatever state its files are in."""

import json

import pytest

from logan_tf.errors import BadDataError
from logan_tf.studies.results import ArmRun
from logan_tf.studies.study import Arm


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("outcome", "[" * 100_000),
        ("outcome", "{"),
        ("outcome", "[1]"),
        ("outcome", {"exit_code": "0"}),
        ("outcome", {"flags": 5}),
        ("local_approximation", "null"),
        ("local_approximation", {"generator": "0.1"}),
    ],
)
def test_a_garbled_file_is_one_line(name, wrong, tmp_path):
    run = ArmRun(Arm("a", "A", "ring_logan"), 0, tmp_path)
    assert getattr(run, name) == {}
    text = wrong if isinstance(wrong, str) else json.dumps(wrong)
    (tmp_path / f"{name}.json").write_text(text)
    run = ArmRun(run.arm, 0, tmp_path)
    with pytest.raises(BadDataError, match=rf"{name}.json cannot be read .*: remove"):
        print(getattr(run, name))
