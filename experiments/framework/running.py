"""A run of an experiment, after its command line was accepted: its parts, tables and files.

Tables and verdicts are printed before files are written, and numbers are saved before pictures.
A run that is stopped keeps and prints the parts that were finished.
"""

import traceback
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.text import Text

from experiments.framework import finite_json, interrupt
from experiments.framework.claim import differences
from experiments.framework.command_line import again
from experiments.framework.context import Context
from experiments.framework.continued import Earlier
from experiments.framework.drawn import draw
from experiments.framework.exit_codes import FAULT, verdict_code, worst
from experiments.framework.experiment import Experiment, Log, Part, Section
from experiments.framework.progress import Progress, duration
from experiments.framework.report import Findings, not_judged, report
from experiments.framework.run import Run
from experiments.framework.screen import Screen
from experiments.framework.verdict import RULE, Verdict, judge

SMOKE = "A run with --smoke judges no claim, and measures less than the texts state."
BEFORE = "The results below were finished before"
STOPPED = "The report has the results that were finished before."
Finished = dict[str, dict[str, Any]]  # part → line of parts.jsonl


def _line(name: str, seconds: float, result: Any) -> dict[str, Any]:
    """A line of parts.jsonl.

    Raises: TypeError if JSON cannot hold the result.
    """
    try:
        line = {"part": name, "seconds": seconds, "result": result}
        return finite_json.loads(finite_json.dumps(line))
    except TypeError as error:
        raise TypeError(f"part {name!r}: JSON cannot hold its result: {error}") from None


class Running:
    """One run of an experiment."""

    def __init__(
        self,
        e: Experiment,
        config: Any,
        the_run: Run,
        before: Earlier | None,
        context: Context,
        data: str,
    ):
        self.e, self.config, self.run, self.before, self.data = e, config, the_run, before, data
        self.context, self.screen = context, context.screen
        self.finished: Finished = {}
        self.codes = [0]
        self.stopped = ""  # the reason, if the run was stopped
        self.faults: list[str] = []  # one line each

    def all(self, prepared: Any, parts: Sequence[Part]) -> int:
        self._reuse(parts)
        try:
            self._measure(prepared, parts)
        except KeyboardInterrupt as signal:
            self.stopped = "Interrupted"
            self.codes.append(getattr(signal, "exit_code", 130))
        except Exception as error:
            self.stopped = f"Stopped: {self._fault(error)}"
        try:
            self._output()
        except Exception as error:
            self._fault(error)
        self.run.close()
        if self.stopped == "Interrupted" and self.finished:
            self.screen.print(f"Interrupted. {STOPPED}", soft_wrap=True)
        if self.stopped and self.finished:
            self.screen.print(f"{self._rest()}.", soft_wrap=True)
        if self.run.failed:
            self.faults.append(self.run.failed)
        for fault in self.faults:
            self.codes.append(self.context.refuse(f"{self.e.name}: {fault}", FAULT))
        if code := interrupt.exit_code():  # it may have arrived after the last part
            self.codes.append(code)
        return worst(self.codes)

    def _fault(self, error: Exception) -> str:
        """Record an exception as one line; the traceback is saved."""
        text = " ".join(str(error).split())
        if not isinstance(error, FloatingPointError):
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {text} ({Path(where.filename).name}:{where.lineno})"
            self.run.save("traceback.txt", "".join(traceback.format_exception(error)))
        self.faults.append(text)
        return text

    def _reuse(self, parts: Sequence[Part]) -> None:
        if self.before is None:
            return
        folder, kept = str(self.before.folder), self.before.parts
        for part in parts:
            if part.name in kept:
                self.finished[part.name] = {"run": folder, **kept[part.name]}
                self.run.part(self.finished[part.name])
        text = f"{len(self.finished)} of {len(parts)} parts are from {folder}"
        self.screen.print(text, soft_wrap=True)

    def _measure(self, prepared: Any, parts: Sequence[Part]) -> None:
        todo = {part.name: part for part in parts if part.name not in self.finished}
        order = iter(todo.values())
        with Progress(self.screen, parts, list(self.finished), self.context.series) as progress:

            def note(text: str) -> None:
                interrupt.check()
                progress.note(text)

            def show(text: str, share: float) -> None:
                interrupt.check()
                progress.show(text, share, running.cost)

            interrupt.check()
            if not todo:
                return
            running, started = next(order), perf_counter()
            log = Log(self.run.metric, note, show)
            measured = self.e.measure(self.config, prepared, list(todo.values()), log)
            with closing(measured):
                for name, result in measured:
                    interrupt.check()  # training may have ended early, and the part with it
                    if name not in todo:
                        raise ValueError(f"measure yielded {name!r}, which is not a part to do")
                    seconds = round(perf_counter() - started, 3)
                    self.finished[name] = _line(name, seconds, result)
                    self.run.part(self.finished[name])
                    progress.finish(todo[name])
                    running, started = next(order, running), perf_counter()
            interrupt.check()
            if missing := [name for name in todo if name not in self.finished]:
                raise ValueError(f"measure yielded no result of {', '.join(missing)}")

    def _output(self) -> None:
        """Print tables and verdicts, then write files, then draw figures and the report."""
        e, config = self.e, self.config
        if not self.finished:
            self.screen.print(self._nothing(), soft_wrap=True)
            return
        minutes = sum(line["seconds"] for line in self.finished.values()) / 60
        m = e.gather({name: line["result"] for name, line in self.finished.items()})
        tables = [table for table in e.tables(m) if table.rows]
        for table in tables:
            self.screen.print(table.rich())
        verdicts = [] if config.smoke or self.stopped else judge(e.claims, e.evidence(m))
        self.codes.append(verdict_code(verdicts))
        show_verdicts(self.screen, verdicts)
        if config.smoke and e.claims:
            self.screen.print(SMOKE)
        notes = self._notes()
        for note in (f"Measured in {duration(60 * minutes)}.", *notes):
            self.screen.print(note, soft_wrap=True)
        kept = {"experiment": e.name, "minutes": round(minutes, 1), "config": self.run.config}
        kept |= {"environment": self.run.environment, "rule": RULE, **e.results(m)}
        kept |= {"claims": [v.json() for v in verdicts], "stopped": self.stopped}
        kept |= {k: self.run.receipt[k] for k in ("options", "source")}
        if self.before:
            kept["continued"] = self.before.environments([*self.finished.values()])
        self.run.save_json("results.json", kept)
        for name, text in e.files(m).items():
            self.run.save(name, text)
        figures, failures = draw(self.run, e.figures, m)
        self.faults += failures
        page = Findings(
            title=e.title,
            summary=" ".join([e.summary(config, m), *[SMOKE] * config.smoke]).strip(),
            claims=verdicts or not_judged(e.claims, self._why_not_judged()),
            judged=RULE,
            tables=tables,
            notes=[*e.notes(config), *notes],
            figures=figures,
            minutes=minutes,
            data=self.data,
            stopped=self.stopped and f"{self.stopped}. {BEFORE}; {self._rest()}",
            differences=self._differences(),
            sections=self._sections(m),
            sources=e.sources,
            reach=e.reach,
            index=self.context.index,
        )
        if self.run.save("report.html", report(self.run, page)):
            self.screen.print(str(self.run.folder / "report.html"), soft_wrap=True)

    def _nothing(self) -> str:
        """The line in place of results."""
        trace = self.run.folder / "traceback.txt"
        why = f"; {trace} has the traceback" if trace.exists() else ""
        return f"No part was finished; there are no results{why}."

    def _sections(self, m: Any) -> Sequence[Section]:
        """The experiment's own sections; an exception is a fault, and the page has none."""
        try:
            return self.e.sections(self.config, m)
        except Exception as error:
            self._fault(error)
            return ()

    def _rest(self) -> str:
        """The command that continues this run."""
        command = again(self.e.name, {"continue": self.run.folder}, {})
        return f"{command} measures the other parts"

    def _why_not_judged(self) -> str:
        return (self.stopped.partition(":")[0] or "smoke run").lower()

    def _differences(self) -> list[str]:
        return differences(self.before.receipt["claims"], self.e.claims) if self.before else []

    def _notes(self) -> list[str]:
        reused, notes = sum("run" in line for line in self.finished.values()), []
        if reused and self.before:
            notes.append(f"{reused} parts were measured by {self.before.folder}.")
        return notes


def show_verdicts(screen: Screen, verdicts: Sequence[Verdict]) -> None:
    for v in verdicts:
        text = f": {v.text} ({v.measure}: {v.evidence})"
        screen.print(Text.assemble((v.verdict, "bold"), text), soft_wrap=True)
