"""bin/reproduce: runs one of the paper's studies, and draws its tables and figures."""

from pathlib import Path

from absl import flags

from logan_tf.cli import app
from logan_tf.cli.running.interruption import Interruption
from logan_tf.errors import ConfigurationError, suggestion
from logan_tf.installation import RESULTS
from logan_tf.lab.exhibits.catalogue import EXHIBITS, SEEDS, Exhibit
from logan_tf.studies.study import EMBEDDED, SCALES, Study

FLAGS = flags.FLAGS
flags.DEFINE_string("study", None, "Which one; also without its flag's name.")
flags.DEFINE_bool("list", False, "List the studies, or the arms of the one named.")
flags.DEFINE_enum(
    "scale",
    EMBEDDED,
    SCALES,
    "embedded: data that comes along, a few cores; paper: the paper's recipes; smoke: "
    "four steps of the smallest networks.",
)
flags.DEFINE_integer("seeds", None, "Runs of each arm; None: the study's.", 1, app.MOST)
flags.DEFINE_integer("jobs", None, "Runs at once; None: one a core.", 1, app.MOST)
flags.DEFINE_string(
    "output", None, "The studies' folder; runs/studies, of other scales runs/studies-…"
)
flags.DEFINE_list("only", [], "The arms to run; all by default.")
flags.DEFINE_bool(
    "anew",
    False,
    "Train what docs/results has too; else the runs of a study's committed "
    "results.json count as done.",
)
flags.DEFINE_bool("as_is", False, "Train nothing: write down what there is.")
flags.DEFINE_multi_string("gin_param", [], "A statement for all runs.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps the data; None: the recipes'.")

FIRST = "study"


def main() -> None:
    """Imports no TensorFlow: that the runs do, each in a process of its own."""
    from logan_tf.studies.catalogue import STUDIES

    name, known = FLAGS.study, STUDIES | EXHIBITS
    if name is not None and name not in known:
        raise ConfigurationError(
            f"there is no study {name!r}{suggestion(name, known)}; "
            "bin/reproduce --list shows them"
        )
    if FLAGS.list:
        for study in known.values() if name is None else [known[name]]:
            _describe(study, arms=name is not None)
    elif name is None:
        raise ConfigurationError(
            "which study? Give its name, such as bin/reproduce table2; bin/reproduce "
            "--list shows them"
        )
    elif name in EXHIBITS:
        _show(EXHIBITS[name])
    else:
        _run(STUDIES[name])


def _describe(study: Study | Exhibit, arms: bool) -> None:
    if isinstance(study, Exhibit):
        print(f"{study.name:19}{'no runs':12}  {study.title}")
        return
    size = f"{len(study.arms):3} arms × {study.seeds}"
    print(f"{study.name:19}{size}  {study.title}")
    for arm in study.arms if arms else ():
        at_scale = arm.recipe_at(FLAGS.scale) or "-"
        print(f"  {arm.name:20} {at_scale:25} {arm.label}")


def _show(exhibit: Exhibit) -> None:
    """An exhibit has no runs to choose, to configure or to run at once."""
    names = ("only", "gin_param", "jobs", "anew", "as_is", "data_dir")
    given = {name: FLAGS[name].value for name in names}
    given["scale"] = FLAGS.scale != EMBEDDED
    for flag, value in given.items():
        if value:
            raise ConfigurationError(
                f"{exhibit.name} has no runs: leave out --{flag}, or choose another "
                "study"
            )
    folder = Path(FLAGS.output or "runs/studies") / exhibit.name
    app.import_tensorflow()
    exhibit.run(folder, FLAGS.seeds or SEEDS)
    print((folder / "table.md").read_text("utf-8"))
    for path in (folder / "results.json", *sorted((folder / "figures").iterdir())):
        print(path)


def _run(study: Study) -> None:
    from logan_tf.studies.runner import Runner, RunnerSettings

    suffix = "" if FLAGS.scale == EMBEDDED else f"-{FLAGS.scale}"
    settings = RunnerSettings(
        root=Path(FLAGS.output or f"runs/studies{suffix}"),
        scale=FLAGS.scale,
        seeds=FLAGS.seeds,
        at_once=FLAGS.jobs,
        only=tuple(FLAGS.only),
        params=tuple(FLAGS.gin_param),
        data_dir=FLAGS.data_dir,
        committed=None if FLAGS.anew else RESULTS,
        as_is=FLAGS.as_is,
    )
    with Interruption() as interruption, interruption.finishing():
        runner = Runner(study, settings, lambda: interruption.requested)
        runner.run()
    print((runner.folder / "table.md").read_text("utf-8"))
    for path in (runner.folder / "results.json", *runner.figures()):
        if path.is_file():
            print(path)


if __name__ == "__main__":
    usage = "bin/reproduce table2\nbin/reproduce --list"
    app.run(main, f"{__doc__}\n\n{usage}", FIRST)
