"""Runs a study: trains what is missing, evaluates it, and writes down what it found."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from logan_tf import progress
from logan_tf.errors import (
    BadDataError,
    ConfigurationError,
    DivergedError,
    PreemptedError,
)
from logan_tf.runs import jobs
from logan_tf.runs.jobs import Ended, Job
from logan_tf.runs.run_directory import RunDirectory
from logan_tf.studies import tables
from logan_tf.studies.committed import Committed, CommittedRun
from logan_tf.studies.results import (
    LOCAL_APPROXIMATION,
    ArmRun,
    Results,
    pictures_path,
)
from logan_tf.studies.study import Arm, Study, sampling_flags

_TRAIN, _EVALUATE, _SAMPLE, _APPROXIMATION = (
    f"logan_tf.cli.{name}"
    for name in ("train", "evaluate", "sample", "local_approximation")
)
_NUM_PICTURES = 16


@dataclasses.dataclass(frozen=True)
class RunnerSettings:
    """How a study is run.

    Attributes:
      root: each study has a folder in it.
      scale: "embedded", "paper" or "smoke".
      seeds: of each arm; None: as many as the study says.
      at_once: how many runs share the machine; None: one a core.
      only: the arms to run; empty: all.
      params: gin statements for every run.
      data_dir: where TFDS keeps the data; None: the recipes'. Where data lie changes no
        run, so it is no part of what a run is known by.
      committed: the folder of the studies whose results.json counts as done; None: none
        does.
      as_is: whether to train and to evaluate nothing, and write down what there is.
      program: what runs a module.
    """

    root: Path
    scale: str
    seeds: int | None = None
    at_once: int | None = None
    only: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    data_dir: str | None = None
    committed: Path | None = None
    as_is: bool = False
    program: Sequence[str] = jobs.PROGRAM


class Runner:
    """Runs one study, from wherever it was left.

    Args:
      study: which one.
      settings: how.
      stop: asked again and again whether somebody wants it to end.
    """

    def __init__(
        self, study: Study, settings: RunnerSettings, stop: Callable[[], bool]
    ) -> None:
        self.study = study
        self.settings = settings
        self.folder = settings.root / study.name
        self._stop = stop
        self._committed = Committed(settings.committed, settings.scale)
        self._failed: list[str] = []

    def run(self) -> Results:
        """Trains, evaluates, and writes tables and figures.

        A run that diverged or collapsed is a result like any other.

        Returns:
          What there is on disk at the end.

        Raises:
          ConfigurationError: for something that the user can mend.
          BadDataError: if a command failed; all else was done nonetheless.
          PreemptedError: after a signal; what was running is saved.
        """
        self._require_known()
        self._train(self._runs(self.study.arms))
        further = self.further()
        self._train(self._runs(further))
        # A line's point may be one of the random settings, with more seeds.
        arms = {arm.name: arm for arm in (*self.study.arms, *further)}
        self._ask(self._runs(arms.values()))
        results = self._results(self._runs(arms.values(), every=True))
        tables.write(self.folder, results)
        if self._failed:
            raise BadDataError(
                f"{len(self._failed)} failed, the first was {self._failed[0]}; the "
                "same command tries again"
            )
        draws = self.study.figures.values() if list(results.begun()) else ()
        for path, draw in zip(self.figures(), draws, strict=False):
            path.parent.mkdir(exist_ok=True)
            draw(results, path)
        return results

    def figures(self) -> list[Path]:
        """Where the study's figures lie."""
        return [self.folder / "figures" / f"{name}.png" for name in self.study.figures]

    def further(self) -> list[Arm]:
        """The arms that follow from what the others gave."""
        found = self._results(self._runs(self.study.arms, every=True))
        return list(self.study.then(found, self.study))

    def flags(self, run: ArmRun) -> tuple[str, ...]:
        """What bin/train is told, but for the run's directory.

        Raises:
          ConfigurationError: if an arm has no recipe at this scale.
        """
        recipe = run.arm.recipe_at(self.settings.scale)
        if recipe is None:
            raise ConfigurationError(
                f"{self.study.name} has no recipe for {run.arm.name} at the scale "
                f"{self.settings.scale}: choose other arms with --only"
            )
        steps = self.study.steps_of(run.arm, self.settings.scale)
        params = [
            *self.study.size[self.settings.scale],
            *run.arm.params,
            *self.settings.params,
            f"seed = {run.seed}",
            f"total_steps = {steps[-1]}",
            f"evaluate_every = {math.gcd(*steps)}",
        ]
        return (f"--gin_file={recipe}", *(f"--gin_param={each}" for each in params))

    def _results(self, runs: Sequence[ArmRun]) -> Results:
        return Results(self.study, self.settings.scale, runs, self._known)

    def _runs(self, arms: Iterable[Arm], every: bool = False) -> list[ArmRun]:
        """Seed by seed, so that early results are of all arms.

        Args:
          arms: whose.
          every: all that the study has, or what the settings ask for.
        """
        only = () if every else self.settings.only
        chosen = [arm for arm in arms if not only or arm.name in only]
        wanted = {arm: arm.seeds or self.study.seeds for arm in chosen}
        if (asked := self.settings.seeds) is not None:
            wanted = {a: max(n * every, asked) for a, n in wanted.items()}
        return [
            self._run(arm, seed)
            for seed in range(max(wanted.values(), default=0))
            for arm in chosen
            if seed < wanted[arm]
        ]

    def _run(self, arm: Arm, seed: int) -> ArmRun:
        """That of the study's folder, or the committed one where that is enough."""
        folder = self.settings.root / (arm.home or self.study.name)
        run = ArmRun.of(arm, seed, folder)
        known = self._known(run)
        if isinstance(known, CommittedRun) and self._suffices(known):
            return known
        return run

    def _known(self, run: ArmRun) -> ArmRun:
        """The run as it lies in its folder, or else as it is committed."""
        if run.outcome:
            return run
        homes = self.study.name, run.arm.home or self.study.name
        return self._committed.find(run, *homes) or run

    def _suffices(self, run: CommittedRun) -> bool:
        """Whether it was trained alike, to its end, and nobody asks for more."""
        alike = tuple(run.outcome["flags"]) == self.flags(run)
        ended = "exit_code" in run.outcome
        drawn = self.study.pictures and run.seed == 0
        if not alike or not ended or drawn or self.study.needs_folders:
            return False
        return not any(self._asked(run, first=False))

    def _train(self, runs: Sequence[ArmRun]) -> None:
        if self.settings.as_is:
            return
        done = sum(isinstance(run, CommittedRun) for run in runs)
        if done:
            print(f"{self.study.name}: {done} runs are in {self.settings.committed}")
        missing = {run.path: run for run in runs if not self._is_trained(run)}
        for run in missing.values():
            run.write_outcome({"flags": self.flags(run)})
        data = self.settings.data_dir
        further = () if data is None else (f"--gin_param=data_dir = {data!r}",)
        commands = [
            Job(
                _TRAIN,
                (*self.flags(run), *further, f"--run_dir={path}", "--noprogress"),
                path,
            )
            for path, run in missing.items()
        ]

        def record(ended: Ended) -> None:
            if ended.exit_code not in (0, DivergedError.exit_code):
                self._refuse(ended)
                return
            run = missing[ended.job.directory]
            outcome = {
                "flags": self.flags(run),
                "exit_code": ended.exit_code,
                "message": ended.message if ended.exit_code else "",
            }
            run.write_outcome(outcome)

        self._in_parallel("training", commands, record)

    def _is_trained(self, run: ArmRun) -> bool:
        """Raises ConfigurationError if it was trained otherwise."""
        written = dataclasses.replace(run).outcome  # Not as it was when last asked.
        # What was refused has trained nothing, and may be called otherwise now.
        begun = RunDirectory(run.path).exists()
        if begun and written and tuple(written["flags"]) != self.flags(run):
            differing = set(written["flags"]) ^ set(self.flags(run))
            raise ConfigurationError(
                f"{run.path} was trained otherwise ({', '.join(sorted(differing))}): "
                "remove it, or choose another --output"
            )
        return "exit_code" in written

    def _ask(self, runs: Sequence[ArmRun]) -> None:
        """Evaluations, pictures and measurements of runs that came to their end."""
        if self.settings.as_is:
            return
        asked = [job for run in runs for job in self._asked(run, run is runs[0])]

        def record(ended: Ended) -> None:
            if ended.exit_code:
                self._refuse(ended)

        self._in_parallel("evaluating", asked, record)

    def _asked(self, run: ArmRun, first: bool) -> Iterator[Job]:
        if run.outcome.get("exit_code") != 0:
            return
        path = f"--run_dir={run.path}"
        last = self.study.steps_of(run.arm, self.settings.scale)[-1]
        for each in self.study.asked:
            if run.at(last, each) is None:
                yield Job(_EVALUATE, (path, *sampling_flags(each)), run.path)
        for each in self.study.pictures if run.seed == 0 else ():
            output = pictures_path(run, each)
            output.parent.mkdir(exist_ok=True)
            if not output.is_file():
                flags = (
                    *sampling_flags(each),
                    f"--num={_NUM_PICTURES}",
                    f"--output={output}",
                )
                yield Job(_SAMPLE, (path, *flags), run.path)
        part = self.study.accuracy.get(self.settings.scale)
        if part is not None and run.accuracy() is None:
            control = ("--real_control",) if first else ()
            learned = ("--accuracy_score", f"--gin_file={part}", *control)
            yield Job(_EVALUATE, (path, *learned), run.path)
        if self.study.local_approximation and not run.local_approximation:
            output = run.path / LOCAL_APPROXIMATION
            yield Job(_APPROXIMATION, (path, f"--output={output}"), run.path)

    def _in_parallel(
        self, what: str, commands: Sequence[Job], record: Callable[[Ended], None]
    ) -> None:
        """Runs jobs with a bar over all of them; what `record` raises ends the rest."""
        if not commands:
            return
        at_once = min(self.settings.at_once or jobs.num_cores(), len(commands))
        running = jobs.run(commands, at_once, self.settings.program)
        name = f"{self.study.name}: {what}"
        print(f"{name}, {len(commands)} runs, {at_once} at once", flush=True)
        bar = progress.bar(desc=name, total=len(commands), unit="run", smoothing=0)
        with bar, contextlib.closing(running):
            for ended in running:
                for each in ended:
                    record(each)
                bar.update(len(ended))
                if self._stop():
                    raise PreemptedError(
                        "interrupted; what was running is saved, and the same command "
                        "goes on from there"
                    )

    def _refuse(self, ended: Ended) -> None:
        """Raises what concerns all runs; keeps the rest in mind."""
        message = ended.message.removeprefix("error: ")
        if ended.exit_code == PreemptedError.exit_code:
            raise PreemptedError(f"{ended.job.directory}: {message}")
        if ended.exit_code == ConfigurationError.exit_code:
            raise ConfigurationError(f"{ended.job.directory}: {message}")
        log = ended.job.directory / jobs.LOG
        self._failed.append(
            f"{ended.job.module} (exit {ended.exit_code}, see {log}): {message}"
        )

    def _require_known(self) -> None:
        names = [arm.name for arm in (*self.study.arms, *self.further())]
        for name in self.settings.only:
            if name not in names:
                raise ConfigurationError(
                    f"{self.study.name} has no arm {name!r}; it has {', '.join(names)}"
                )
