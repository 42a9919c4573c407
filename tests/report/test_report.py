"""A run's page: what it holds, that it needs nothing else, that text stays text."""

import ast
import html.parser
import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import PIL.Image
import pytest

from logan_tf.report import report
from logan_tf.runs import run_lock
from logan_tf.runs.checkpoint_files import CheckpointFiles
from logan_tf.runs.run_directory import RunDirectory

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "wbr"}
EVIL = "<script>alert(1)</script>"


class Page(html.parser.HTMLParser):
    """A parsed page; elements that do not nest fail at once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.within: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
            self.within.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            return
        self.texts.append(data)
        for tag in set(self._open):
            self.within[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(path: Path, knobs: dict | None = None) -> Page:
    text = report.write(RunDirectory(path), knobs or {}).read_text("utf-8")
    page = Page(text)
    assert_contained(page, text)
    return page


def assert_contained(page: Page, text: str) -> None:
    """Nothing is loaded, executed or pointed to that is not in the page."""
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for name, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")], name
        for key in ("src", "href", "xlink:href", "srcset", "data", "action"):
            value = attributes.get(key)
            assert value is None or re.match(r"data:image/|#", value), value
            if value and value.startswith("#"):
                assert value[1:] in ids
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert not re.search(r"url\(|@import", style)
    policies = [m for m in page.all("meta") if "http-equiv" in m]
    assert [m["content"].split(";")[0] for m in policies] == ["default-src 'none'"]


def write_config(path: Path, text: str = "total_steps = 30\n") -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.gin").write_text(f"# Recipe: ring_logan\n{text}")
    return path


def evaluation(step: int, **receipt) -> str:
    receipt = {"protocol": "p/1", "num_samples": 9, "checkpoint_step": step} | receipt
    return json.dumps({"receipt": receipt, "metrics": {"fid": {"value": 100.0 + step}}})


@pytest.fixture
def run(tmp_path) -> Path:
    """What 30 steps of training leave behind, and a failure on the way."""
    path = write_config(tmp_path / "run")
    for folder in ("samples", "evaluations", "checkpoints"):
        (path / folder).mkdir()
    (path / "operative_config.gin").write_text("Ring.sigma = 0.02\n")
    lines = [
        {"step": step, "generator_loss": 1 / step, "attempt": step // 20}
        | ({"best_step": 10, "best_fid": 110.0} if step > 10 else {})
        for step in range(1, 31)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (path / "metrics.jsonl").write_text(text)
    for step in range(0, 31, 2):
        image = PIL.Image.new("RGB", (16 + step, 16))
        image.save(path / "samples" / f"step-{step:08d}.png")
    for step in (10, 20, 30):
        name = path / "evaluations" / f"step-{step:08d}.json"
        name.write_text(evaluation(step, checkpoint_hash=f"hash-{step}"))
    best = {"step": 30, "metric": "fid", "value": 90.0}
    CheckpointFiles(path / "checkpoints").write_manifest(30, {"best": best})
    bundle = path / "failures" / "step-00000020-attempt-0"
    bundle.mkdir(parents=True)
    failure = {"step": 20, "reason": "generator_loss is not finite"}
    (bundle / "failure.json").write_text(json.dumps(failure))
    return path


def test_a_whole_run(run):
    page = page_of(run, {"total_steps": 30, "seed": 5})
    assert page.within["h1"] == ["ring_logan"]
    assert "Step 30 of 30, finished" in page.text
    # The last line of metrics was written before the last evaluation.
    assert "step 30: fid 90" in page.text
    assert page.within["h2"] == [
        *("Samples", "Training", "Evaluations", "Failures", "Configuration"),
        "How to go on",
    ]
    assert "Rollbacks 1" in page.text
    assert "seed = 5" in page.text
    assert [text.split("\n") for text in page.within["pre"][-2:]] == [
        ["# Recipe: ring_logan", "total_steps = 30", ""],
        ["Ring.sigma = 0.02", ""],
    ]
    (losses, *_) = (a["alt"] for a in page.all("img") if "svg" in a["src"])
    assert losses.startswith("Losses: generator_loss 0.03333")
    assert "Dotted: the run went on after a rollback" in page.text


def test_samples_over_the_training(run):
    images = [a for a in page_of(run).all("img") if "svg" not in a["src"]]
    steps = [int(image["alt"].removeprefix("Samples at step ")) for image in images]
    assert steps[0] == 30
    assert (steps[1], steps[-1]) == (0, 28)
    assert len(steps) == 7
    assert steps[1:] == sorted(set(steps[1:]))
    assert [int(image["width"]) for image in images] == [16 + step for step in steps]


def test_every_number_leads_to_its_receipt(run):
    page = page_of(run)
    for step in (10, 20, 30):
        (anchor,) = (
            a["href"][1:]
            for a in page.all("a")
            if a["href"].startswith(f"#step-{step:08d}")
        )
        text = page.within["div"][[a.get("id") for a in page.all("div")].index(anchor)]
        assert f"checkpoint_hash: hash-{step}" in text
        assert "protocol: p/1" in text
        assert f"{100 + step}" in text
    heads = page.within["th"]
    assert heads[:5] == [
        "step",
        "latent steps",
        "truncation",
        "seeds",
        "fid\N{NO-BREAK SPACE}↓",
    ]
    assert page.within["caption"] == ["p/1, 9 samples"]


def test_commands_can_be_pasted(run):
    path = run.rename(run.parent / "it's a $(run)")
    lines = [
        shlex.split(line) for line in page_of(path, {"total_steps": 30}).within["code"]
    ]
    commands = {words[0]: words[1:] for words in lines if words[0].startswith("bin/")}
    assert set(commands) == {
        *("bin/train", "bin/sample", "bin/evaluate", "bin/export", "bin/doctor"),
        "bin/report",
    }
    for name, words in commands.items():
        assert words[0] == f"--run_dir={path}", name
    assert commands["bin/train"][1] == "--gin_param=total_steps = 60"


def test_only_a_configuration(tmp_path):
    page = page_of(write_config(tmp_path / "run"))
    for said in ("None were drawn yet", "No step was logged yet", "None yet", "Step 0"):
        assert said in page.text
    assert "Failures" not in page.within["h2"]
    assert "bin/sample" not in page.text
    assert not page.all("img")


def test_damaged_files_are_named(run):
    (run / "config.gin").write_bytes(b"# Recipe: a\xff\x00b\n")
    (run / "metrics.jsonl").write_bytes(b"}{\n\xff\xff\n[1]\n")
    (run / "samples" / "step-00000030.png").write_bytes(b"no picture")
    (run / "samples" / "step-00000000.png").write_bytes(b"")
    (run / "evaluations" / "step-00000010.json").write_bytes(b"{")
    (run / "failures" / "step-00000020-attempt-0" / "failure.json").write_text("[]")
    page = page_of(run)
    for said in (
        "3 lines of metrics.jsonl cannot be read",
        "step-00000030.png cannot be read",
        "step-00000000.png cannot be read",
        "step-00000010.json cannot be read",
        "failure.json cannot be read",
        "No step was logged yet",
    ):
        assert said in page.text
    pictures = [a for a in page.all("img") if "svg" not in a["src"]]
    assert len(pictures) == 5


def test_text_stays_text(tmp_path):
    """Whatever a file or a name says is shown and does nothing."""
    path = tmp_path / 'run"><img src=x onerror=alert(1)>'
    write_config(path, f"# {EVIL}</pre>{EVIL}\n")
    text = (path / "config.gin").read_text().replace("ring_logan", f'a"b{EVIL}')
    (path / "config.gin").write_text(text)
    line = {"step": 1, EVIL: 1.0, "--></svg>" + EVIL: 2.0, 'a" onload="alert(1)': 3.0}
    (path / "metrics.jsonl").write_text(json.dumps(line))
    folder = path / "evaluations"
    folder.mkdir()
    metrics = {"metrics": {EVIL: {"value": EVIL}, "fid": {"value": 1.0}}}
    receipt = {EVIL: EVIL, "protocol": EVIL, "latent_steps": EVIL, "num_samples": EVIL}
    contents = {"receipt": receipt, **metrics}
    for name in ("step-1<b>.json", 'step-2" onclick="x.json', "step-3\udcff.json"):
        (folder / name).write_text(json.dumps(contents))
    sweep = {"axis": EVIL, "evaluations": [contents]}
    (folder / "step-5-curve.json").write_text(json.dumps(sweep))
    (folder / "step-6<i>.json").write_text("{")
    PIL.Image.new("RGB", (9, 9)).save(folder / "step-7-neighbors.png")
    (folder / "step-7-neighbors.json").write_text(EVIL)
    bundle = path / "failures" / "<i>"
    bundle.mkdir(parents=True)
    (bundle / "failure.json").write_text(json.dumps({"step": 1, "reason": EVIL}))
    page = page_of(path, {"data_dir": EVIL, EVIL: 1})
    names = {name for name, _ in page.elements}
    assert names >= {"img", "table", "details"}
    assert "i" not in names
    assert page.within["h1"] == [f'a"b{EVIL}']
    assert page.text.count(EVIL) > 15


@pytest.mark.parametrize(
    ("total", "said"),
    [(None, "Step 30"), (40, "Step 30 of 40, not finished"), (30, ", finished")],
)
def test_how_far_it_is(total, said, run):
    assert said in page_of(run, {"total_steps": total}).text


def test_a_flat_discriminator_is_said_with_its_remedy(tmp_path):
    def page(flat_from: int) -> str:
        path = write_config(tmp_path / f"run{flat_from}")
        values = [
            {
                "step": step,
                "real_score": 2.0 * (step < flat_from),
                "fake_score": 0.0,
                "generator_gradient_norm": 3.0 if step < flat_from else 0.1,
            }
            for step in range(1, 61)
        ]
        text = "".join(json.dumps(line) + "\n" for line in values)
        (path / "metrics.jsonl").write_text(text)
        return page_of(path).text

    assert "Discriminator the discriminator has gone flat by step 41" in page(31)
    assert "lower α, raise β" in page(31)
    assert "gone flat" not in page(100)


def test_a_run_in_training(run):
    with run_lock.held(run):
        assert (
            "Step 30 of 40, in use by process" in page_of(run, {"total_steps": 40}).text
        )


def test_a_run_that_a_failure_ended(run):
    bundle = run / "failures" / "step-00000031-attempt-3"
    bundle.mkdir()
    failure = {"step": 31, "reason": "the samples do not differ"}
    (bundle / "failure.json").write_text(json.dumps(failure))
    page = page_of(run, {"total_steps": 40})
    assert "Step 30 of 40, stopped by a failure" in page.text
    assert "the samples do not differ" in page.within["p"][-1]


def test_it_is_made_without_tensorflow():
    code = (
        "import sys; from logan_tf.cli import report; "
        "from logan_tf.cli.running import reporting; "
        "from logan_tf.report import report; "
        "assert not {'tensorflow', 'keras', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_template_is_installed():
    setup = ast.parse((ROOT / "setup.py").read_text()).body[-1].value
    (data,) = (each.value for each in setup.keywords if each.arg == "package_data")
    patterns = ast.literal_eval(data)["logan_tf.report"]
    assert any(fnmatch(report._TEMPLATE, pattern) for pattern in patterns)
