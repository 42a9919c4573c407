"""What flags and TF_CONFIG may say, before TensorFlow starts."""

import json
import os
import subprocess
import sys

import pytest

from logan_tf.errors import ConfigurationError
from logan_tf.training import devices

TWO = {"worker": ["a:1", "b:2"]}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


@pytest.fixture
def tf_config(monkeypatch):
    """Sets TF_CONFIG, as text or as what json makes text of."""

    def set_(value) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv("TF_CONFIG", text)

    return set_


def config(cluster, job="worker", index=0):
    return {"cluster": cluster, "task": {"type": job, "index": index}}


@pytest.mark.parametrize("text", ["", "  ", "{}", '{"cluster": {}}'])
def test_without_a_cluster_a_process_is_alone(text, tf_config):
    tf_config(text)
    assert devices.cluster() == (("localhost",), 0)
    assert devices.cluster().is_chief


@pytest.mark.parametrize(
    ("jobs", "job", "index", "expected"),
    [
        (TWO, "worker", 0, (("a:1", "b:2"), 0)),
        (TWO, "worker", 1, (("a:1", "b:2"), 1)),
        ({"worker": ["a:1"], "chief": ["c:3"]}, "chief", 0, (("c:3", "a:1"), 0)),
        ({"worker": ["a:1"], "chief": ["c:3"]}, "worker", 0, (("c:3", "a:1"), 1)),
    ],
)
def test_the_chief_comes_first(jobs, job, index, expected, tf_config):
    tf_config(config(jobs, job, index))
    assert devices.cluster() == expected
    assert devices.cluster().is_chief == (expected[1] == 0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('{"cluster": {', "is no JSON"),
        ("[1]", "no JSON object"),
        (config(["a:1"]), "a cluster that is no object"),
        (config({"ps": ["a:1"]}), "a job 'ps'"),
        (config({"worker": "a:1"}), "no list of 'host:port' as the job 'worker'"),
        (config({"worker": ["a:1", "b"]}), "no list of 'host:port'"),
        (config({"worker": ["a:1", "b:99999"]}), "no list of 'host:port'"),
        (config({"worker": ["a:1", 7]}), "no list of 'host:port'"),
        (config({"worker": ["a:1", "a:1"]}), "names an address twice"),
        (config({"chief": ["a:1", "b:2"]}, "chief"), "more than one chief"),
        ({"cluster": TWO}, "which task this process is"),
        (config(TWO, index=2), "a task 'worker' 2"),
        (config(TWO, index=-1), "a task 'worker' -1"),
        (config(TWO, index="0"), "a task 'worker' '0'"),
        (config(TWO, "chief"), "a task 'chief' 0"),
        (config(TWO, ["worker"]), "that is not in its cluster"),
    ],
)
def test_a_garbled_tf_config_is_one_line(value, message, tf_config):
    tf_config(value)
    with pytest.raises(ConfigurationError, match=message) as refused:
        devices.choose("auto", None, 0)
    assert "unset it, or set it to {" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (("auto", None, 0), "auto"),
        (("auto", None, 2), "mirrored"),
        (("auto", "node", 0), "tpu"),
        (("tpu", None, 0), "tpu"),
        (("one_device", None, 0), "one_device"),
        (("mirrored", None, 0), "mirrored"),
    ],
)
def test_what_is_chosen(asked, chosen):
    assert devices.choose(*asked) == chosen


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
def test_several_workers_are_multi_worker(name, tf_config):
    tf_config(config(TWO))
    assert devices.choose(name, None, 0) == "multi_worker"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("mirored", None, 0), "not 'mirored': did you mean 'mirrored'"),
        (("", None, 0), "--strategy is one of auto, .*, not ''"),
        (("auto", None, -1), "--virtual_devices must be 0 or more, not -1"),
        (("mirrored", "node", 0), "--tpu=node needs --strategy=tpu, not mirrored"),
        (("one_device", None, 2), "needs --strategy=mirrored, not one_device"),
        (("auto", "node", 2), "needs --strategy=mirrored, not tpu"),
        (("multi_worker", None, 0), "needs the workers in TF_CONFIG"),
    ],
)
def test_what_does_not_fit_together(asked, message):
    with pytest.raises(ConfigurationError, match=message):
        devices.choose(*asked)


@pytest.mark.parametrize("name", ["one_device", "mirrored", "tpu"])
def test_workers_that_would_not_be_used_are_refused(name, tf_config):
    tf_config(config(TWO))
    with pytest.raises(ConfigurationError, match="names 2 workers, whom"):
        devices.choose(name, None, 0)


def test_imports_no_tensorflow(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit(77)")
    subprocess.run(
        [sys.executable, "-c", "import logan_tf.training.devices"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{os.getcwd()}"},
        check=True,
    )
