"""`python -m experiments keep RUN` and `table`: keep the result of a run, and write the table."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from experiments.framework import finite_json
from experiments.framework.experiment import Experiment, Record
from experiments.framework.kept import folder, special
from experiments.framework.options import PLACES, refuse
from experiments.framework.verdict_table import write
from fcnn.cli.output import write_whole

PROG = "python -m experiments"
KEEP = (
    "Copy results.json of a run to experiments/results/NAME/DATA.json, and write the table again. "
    "The run must have ended, from a commit without further changes, without options that change "
    "results, but --dataset, and --full on another data set than the default."
)
TABLE = "Write experiments/results/README.md from all kept results."


def main(
    name: str, arguments: list[str], names: Sequence[str], record: Callable[[str], Record]
) -> int:
    """The command `keep` or `table`; the exit code."""
    parser = ArgumentParser(f"{PROG} {name}", description=KEEP if name == "keep" else TABLE)
    if name == "keep":
        parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    chosen = parser.parse_args(arguments)
    try:
        if name == "keep":
            print(keep(chosen.run, names, record))
        print(write([record(each) for each in names]))
    except ValueError as error:
        return refuse(f"{PROG} keep {chosen.run}: {error}")
    except OSError as error:
        return refuse(f"{PROG} {name}: {error.filename}: {error.strerror}")
    return 0


def keep(run: Path, names: Sequence[str], record: Callable[[str], Record]) -> Path:
    """Copy results.json of a run to NAME/DATA.json, without paths of this machine; its new path.

    Raises: ValueError, with one line, if the run is not one to keep; OSError if it cannot be read
            or written.
    """
    try:
        result = finite_json.loads((run / "results.json").read_text(encoding="utf-8"))
        name, config, environment = (result[k] for k in ("experiment", "config", "environment"))
        if name not in names or not isinstance(record(name), Experiment):
            raise ValueError(f"is a run of {name}, which is no experiment with claims")
        _require_whole(result)
        data = config.get("dataset")
        _require_default(special(record(name), data or "–", result["options"]))
        path = folder() / name / f"{_accelerator(environment['device'])}{data or name}.json"
    except JSONDecodeError as error:
        raise ValueError(f"results.json cannot be read: {error}") from None
    except LookupError as error:
        raise ValueError(f"results.json has no entry {error}") from None
    except (TypeError, AttributeError):
        raise ValueError("results.json is no result of a run") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, finite_json.dumps(_without_places(result), indent=2) + "\n")
    return path


def _require_whole(result: dict[str, Any]) -> None:
    """Raises: ValueError if the run was stopped, short, or not of a commit."""
    if result["stopped"]:
        raise ValueError(f"was stopped ({result['stopped']}); --continue it first")
    if result["config"]["smoke"]:
        raise ValueError("is a run with --smoke, which judges no claim")
    environment = result["environment"]
    if environment["uncommitted changes"] or not environment["commit"]:
        raise ValueError("is a run of uncommitted changes; commit them, and run it again")


def _require_default(options: dict[str, Any]) -> None:
    """Raises: ValueError if the run has options that would make its file another result."""
    if options:
        words = lambda v: "" if v is True else f" {' '.join(map(str, v))}" if _many(v) else f" {v}"
        shown = ", ".join(f"--{k.replace('_', '-')}{words(v)}" for k, v in options.items())
        raise ValueError(f"is a run with {shown}; run it without, to keep the result")


def _many(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _accelerator(device: str) -> str:
    """The last word of an accelerator's name, to begin a file name: h200_."""
    platform, *_, last = device.rpartition(" × ")[0].split()
    return "" if platform == "cpu" else f"{last.lower()}_"


def _without_places(result: dict[str, Any]) -> dict[str, Any]:
    """The result with DIR in place of each absolute path among the options."""
    config, environment = dict(result["config"]), dict(result["environment"])
    for option in PLACES:
        path = config.get(option)
        if isinstance(path, str) and Path(path).is_absolute():
            config[option] = "DIR"
            environment["command"] = environment["command"].replace(path, "DIR")
    return {**result, "config": config, "environment": environment}
