"""`python -m experiments all`: run all experiments in one process, and write one site."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from experiments.framework import interrupt, site
from experiments.framework.command_line import parse
from experiments.framework.context import Context
from experiments.framework.exit_codes import FAULT, worst
from experiments.framework.experiment import Command, Record
from experiments.framework.finite_json import Damaged
from experiments.framework.kept import default_run, kept
from experiments.framework.options import Output, refuse
from experiments.framework.run import unwritable
from experiments.framework.runner import run
from experiments.framework.running import SMOKE
from experiments.framework.screen import Screen
from experiments.framework.series import Series, duration
from fcnn.cli.output import write_whole

PROG = "python -m experiments"
ABOUT = (
    "Run all experiments, one after another, and write index.html, which links their reports. The "
    "exit code is the worst of theirs, in the order 130 or 143 (interrupted), 2 (misuse), 1 (a "
    "claim failed), 3 (undecided or a fault), 0."
)


def main(options: list[str], records: Mapping[str, Record | ImportError]) -> int:
    """Run all as the command line asks, until a signal arrives: the worst exit code."""
    common = parse(Output, "all", options, ABOUT)
    if common.continue_run:
        return refuse("all: --continue is an option of one experiment")
    together = _Together(common, records)
    try:
        common.output_dir.mkdir(parents=True, exist_ok=True)
        together.write()
    except OSError as error:
        return refuse(f"all: {unwritable(common.output_dir, error)}")
    with interrupt.listening("all"):
        return together.run()


class _Together:
    """The runs of all experiments, and the page that is written before and after each of them."""

    def __init__(self, common: Output, records: Mapping[str, Record | ImportError]):
        self.folder, self.smoke = common.output_dir, common.smoke
        self.records = {k: e for k, e in records.items() if not isinstance(e, ImportError)}
        broken = {k: e for k, e in records.items() if isinstance(e, ImportError)}
        self.codes = [refuse(f"{PROG}: {error}") for error in broken.values()]
        self.entries = {k: site.not_run(e, "not run yet") for k, e in self.records.items()}
        self.entries |= {name: site.broken(name, error) for name, error in broken.items()}
        self.started = datetime.datetime.now().strftime("%d %B %Y, %H:%M")

    def run(self) -> int:
        screen = Screen()
        with Series(screen, {k: self._known(e) for k, e in self.records.items()}) as series:
            for name, e in self.records.items():
                screen.print(f"\n{PROG} {name}\n")
                series.start(name)
                self._one(e, Context(screen, site.INDEX, series))
                series.finish()
                if code := interrupt.exit_code():
                    self.codes.append(code)
                    break
        for name in [*self.records][series.done :]:
            self.entries[name] = site.not_run(self.records[name], "interrupted")
        if self._try_to_write():
            screen.print(f"\n{self.folder / 'index.html'}", soft_wrap=True)
        return worst(self.codes)

    def _known(self, e: Record) -> float | None:
        """Minutes of the default run, where a result of it is kept and can be read."""
        try:
            default = None if self.smoke else default_run(e, kept(e))
        except (Damaged, OSError) as error:
            self.codes.append(refuse(f"{PROG} all: {error}"))
            return None
        return default and default.minutes

    def _one(self, e: Record, context: Context) -> None:
        before, start = self._folders(e), perf_counter()
        words = [*(["--smoke"] if self.smoke else []), "--output-dir", str(self.folder)]
        try:
            self.codes.append(run(e, words, context))
        except KeyboardInterrupt as signal:
            self.codes.append(getattr(signal, "exit_code", 130))
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self.codes.append(context.refuse(f"{e.name}: {text}", FAULT))
        if isinstance(e, Command):
            context.folder = max(self._folders(e) - before, default=None)
        seconds = duration(perf_counter() - start)
        self.entries[e.name] = site.ended(e, context, self.folder, self.smoke, seconds)
        self._try_to_write()

    def _folders(self, e: Record) -> set[Path]:
        return {*(self.folder / e.name).glob("*/")}

    def _try_to_write(self) -> bool:
        try:
            self.write()
        except OSError as error:
            self.codes.append(refuse(f"all: {error.filename}: {error.strerror}", FAULT))
            return False
        return True

    def write(self) -> None:
        """Write index.html completely, or not at all."""
        text = site.page([*self.entries.values()], self.started, SMOKE if self.smoke else "")
        write_whole(self.folder / "index.html", text)
