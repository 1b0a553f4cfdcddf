"""`python -m experiments keep RUN` and `table`: keep the result of a run, and write the table."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from experiments.framework.claim import first_registered
from experiments.framework.command_line import PROG, words
from experiments.framework.experiment import Experiment, Record
from experiments.framework.finite_json import Damaged
from experiments.framework.judging import judge_again
from experiments.framework.kept import folder, parsed, read, special
from experiments.framework.options import PLACES, refuse
from experiments.framework.provenance import ENVIRONMENT, require_one
from experiments.framework.screen import Screen
from experiments.framework.verdict_table import write
from fcnn.cli.output import write_whole

KEEP = (
    "Copy results.json of a run to experiments/results/NAME/DATA.json, and write the table again. "
    "The run must have ended, from a commit without further changes, without options that change "
    "results, but --dataset, and --full on another data set than the default."
)
RESULT = {
    **{"experiment": str, "config": dict, "environment": dict, "options": dict, "stopped": str},
    **{"claims": list, "minutes": int | float},
}
CONFIG = {"smoke": bool, "dataset": str | None}
TABLE = "Write experiments/results/README.md from all kept results."


def main(
    name: str, arguments: list[str], names: Sequence[str], record: Callable[[str], Record]
) -> int:
    """The command `keep` or `table`; the exit code."""
    parser = ArgumentParser(f"{PROG} {name}", description=KEEP if name == "keep" else TABLE)
    if name == "keep":
        parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    chosen, screen = parser.parse_args(arguments), Screen()
    try:
        if name == "keep":
            screen.print(f"{keep(chosen.run, names, record)}", soft_wrap=True)
        screen.print(f"{write([record(each) for each in names])}", soft_wrap=True)
    except Damaged as error:
        return refuse(f"{PROG} {name}: {error}")
    except ValueError as error:
        what = f"keep {chosen.run}" if name == "keep" else name
        return refuse(f"{PROG} {what}: {error}")
    except OSError as error:
        return refuse(f"{PROG} {name}: {error.filename}: {error.strerror}")
    return 0


def keep(run: Path, names: Sequence[str], record: Callable[[str], Record]) -> Path:
    """Copy results.json of a run to NAME/DATA.json, without paths of this machine; its new path.

    The claims that were registered first stay with it, if the record's or the run's differ.

    Raises: ValueError, with one line, if the run is not one to keep; OSError if it cannot be read
            or written.
    """
    result = finite_json.read(run / "results.json", RESULT)
    name, config, environment = (result[k] for k in ("experiment", "config", "environment"))
    if name not in names or not isinstance(e := record(name), Experiment):
        raise ValueError(f"is a run of {name}, which is no experiment with claims")
    _require_whole(run / "results.json", result)
    data = config.get("dataset")
    _require_default(special(e, data or "–", result["options"]))
    result = _without_places(result)
    _, changes = judge_again(e, result)
    path = folder() / name / f"{_accelerator(environment['device'])}{data or name}.json"
    if path.exists() and ((before := read(e, path)).changes or changes):
        result["registered"] = [*first_registered(before.content)]
    text = finite_json.dumps(result, indent=2) + "\n"
    parsed(e, run / "results.json", text.encode())  # before it replaces a result that can be read
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    return path


def _require_whole(path: Path, result: dict[str, Any]) -> None:
    """Raises: ValueError if the run was stopped, short, or not of one commit and machine."""
    config, continued = result["config"], []
    finite_json.require(path, config, CONFIG)
    finite_json.require(path, result["environment"], {"command": str})
    if config.get("continue_run"):
        finite_json.require(path, result, {"continued": list})
        continued = result["continued"]
    for each in (environments := [*continued, result["environment"]]):
        finite_json.require(path, each, ENVIRONMENT)
    if result["stopped"]:
        raise ValueError(f"was stopped ({result['stopped']}); --continue it first")
    if config["smoke"]:
        raise ValueError("is a run with --smoke, which judges no claim")
    require_one(environments)


def _require_default(options: dict[str, Any]) -> None:
    """Raises: ValueError if the run has options that would make its file another result."""
    if options:
        shown = ", ".join(" ".join(words({name: value})) for name, value in options.items())
        raise ValueError(f"is a run with {shown}; run it without, to keep the result")


def _accelerator(device: str) -> str:
    """The last word of an accelerator's name, to begin a file name: h200_; empty for a CPU."""
    words = device.rpartition(" × ")[0].split()
    return "" if words[:1] in ([], ["cpu"]) else f"{words[-1].lower()}_"


def _without_places(result: dict[str, Any]) -> dict[str, Any]:
    """The result with DIR in place of each absolute path among the options."""
    config, environment = dict(result["config"]), dict(result["environment"])
    for option in PLACES:
        path = config.get(option)
        if isinstance(path, str) and Path(path).is_absolute():
            config[option] = "DIR"
            environment["command"] = environment["command"].replace(path, "DIR")
    return {**result, "config": config, "environment": environment}
