"""The reference, and then all other parts side by side: damages, and faults of child processes."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from experiments.faults import refusals, stops
from experiments.faults.config import Config
from experiments.faults.damage import damages
from experiments.faults.kills import SKIPPED, durations, kills
from experiments.faults.outcome import final
from experiments.faults.results import failures
from experiments.faults.task import Task
from experiments.framework.experiment import Log, Part

FAULTS: dict[str, Callable[..., dict[str, Any]]] = {
    "sigterm": stops.sigterm,
    "sigint": stops.sigint,
    "clock set back": stops.clock_set_back,
    "two commands": stops.two_commands,
    "full disk": refusals.full_disk,
    "read-only folder": refusals.read_only_folder,
    "nan in the data": refusals.nan_in_the_data,
}


def measure(
    config: Config, prepared: None, todo: Sequence[Part], log: Log
) -> Generator[tuple[str, Any], None, None]:
    """Yield the result of each part.

    Raises: RuntimeError at the end of a run with --smoke, whose claims are not judged, if one of
            them would fail.
    """
    results: dict[str, Any] = {}
    with TemporaryDirectory(prefix="fcnn-faults-") as folder:
        task = Task(Path(folder).resolve())
        log.note("a run without faults")
        reference = _reference(task)
        for name, result in _measured(config, task, reference, todo, log):
            results[name] = result
            log.metric(part=name, **result)
            yield name, result
    if config.smoke and (wrong := failures(results)):
        raise RuntimeError("; ".join(wrong))


def _reference(task: Task) -> dict[str, Any]:
    """Bits and durations of the run without faults."""
    child = task.start(task.folder / "reference")
    if code := child.end():
        raise RuntimeError(f"the run without faults ended with {code}: {child.errors[-1:]}")
    run = task.folder / "reference"
    newest = max((run / "checkpoints").glob("[0-9]*"), key=lambda path: int(path.name))
    size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    return {**final(run), "seconds": durations(child), "bytes": size}


def _measured(config, task, reference, todo, log):
    calls = []
    for part in todo:
        kind, *how = part.payload
        if kind == "reference":
            yield part.name, {"reference": reference}
        elif kind == "damages":
            folders = task.folder / "reference" / "checkpoints", task.folder / part.name
            calls.append((part, partial(damages, *folders), (*how, config.seed)))
        elif kind == "kills":
            skipped = 0 if config.smoke else SKIPPED  # with 0, one run has all five moments
            calls.append((part, kills, (task, reference, how[0], config.seed, skipped)))
        else:
            calls.append((part, FAULTS[how[0]], (task, reference)))
    yield from _side_by_side(config.jobs, task, calls, log)


def _side_by_side(jobs, task, calls, log):
    """Results of calls, most of which wait for child processes, in the order of their ends."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            running = {pool.submit(f, *args): part for part, f, args in calls}
            while running:
                ended, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for each in ended:
                    yield running.pop(each).name, each.result()
                log.show("damages, kills and other faults", 1 - len(running) / len(calls))
        finally:
            task.stop()
            pool.shutdown(cancel_futures=True)
