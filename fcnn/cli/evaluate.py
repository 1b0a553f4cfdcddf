"""fcnn evaluate: loss, accuracy and confusion matrix of a trained model."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from fcnn.cli.output import Misuse, add_json, show, try_place, write
from fcnn.cli.train import data, results
from fcnn.cli.train.trained import Trained, trained

COMMAND = "fcnn evaluate"
WIDEST = 12  # characters of the name of a class in the confusion matrix


def add_to(tools) -> None:
    tool = tools.add_parser(
        "evaluate",
        help="test a trained model",
        description="Print loss, accuracy and confusion matrix of a model that fcnn train made. "
        "Exit code: 0; 1 if the loss is not finite; 2 for misuse.",
    )
    add_run(tool)
    tool.add_argument(
        "--data",
        metavar="DATA",
        help="a folder of images, FILE.npz or a data set (default: the test part of the data of "
        "the training, or else its validation part)",
    )
    tool.add_argument("--data-dir", metavar="DIR", help="folder of a named data set")
    tool.add_argument("--cache", metavar="FOLDER", help="folder for decoded images")
    add_json(tool)
    tool.set_defaults(run=run)


def add_run(tool) -> None:
    """Add RUN and --step."""
    tool.add_argument("folder", type=Path, metavar="RUN", help="folder that fcnn train wrote")
    tool.add_argument(
        "--step",
        default="tested",
        metavar="STEP",
        help="last, best, or a step; best by validation, with the metric of --keep-best "
        "(default: the step that fcnn train tested)",
    )


def run(chosen: Namespace) -> int:
    try:
        if isinstance(chosen.json, Path):
            try_place("--json", chosen.json)
        model = trained(chosen.folder, chosen.step)
        part, source = _source(model, chosen)
        found = results.measured(model, source)
    except (ValueError, TypeError, ImportError) as misuse:
        print(f"{COMMAND}: {misuse}", file=sys.stderr)
        return 2
    code = 1 if found["loss"] is None else 0
    found = {"step": model.step, "part": part, "examples": source.length, **found}
    text = lambda: json.dumps(found, indent=1) + "\n"
    if chosen.json is True:
        print(text(), end="")
        return code
    shown = [f"{part} of step {model.step}: {results.line(found)}", *_matrix(model, found)]
    broken = show(shown, keep_on=True)
    files = [("--json", chosen.json, text)] if isinstance(chosen.json, Path) else []
    written = write(COMMAND, files)
    if broken:
        raise broken
    return code if written else 2


def _source(model: Trained, chosen: Namespace):
    """The name and the source of the part that is evaluated."""
    described, config = model.described, model.config
    given = chosen.data is not None
    options = Namespace(
        data=chosen.data if given else described["data"],
        data_dir=chosen.data_dir or described["data_dir"],
        download=False,
        size=tuple(config["input"]),
        broken=described.get("broken", "refuse"),
        cache=chosen.cache,
        validation=0 if given else config["validation"],
        seed=config["seed"],
    )
    read = data.read(options, model.classes if given else None)
    parts = {"test": read.test, "validation": read.validation, "examples": read.train}
    part, source = next((part, source) for part, source in parts.items() if source is not None)
    shape = list(source.spec["x"].shape)
    dtype = f"{source.spec['x'].dtype}"
    if (shape, dtype) != (config["input"], config["x"]):
        what = f"{options.data}: x is {dtype} of shape {shape}"
        raise Misuse(f"{what}, but the model takes {config['x']} of shape {config['input']}")
    if given:
        _require_classes(options.data, read.classes, model.classes)
    elif read.facts["data"] != config["data"]:
        again = "; the validation part is drawn again" * (part == "validation")
        print(f"{COMMAND}: the data have changed since the training{again}", file=sys.stderr)
    return part, source


def _require_classes(name, found, classes):
    """Misuse if the data have names of classes, and these are not the model's."""
    numbers = None if found is None else tuple(map(str, range(len(found))))
    if found not in (numbers, classes):
        names = ", ".join(found or ("none",))
        raise Misuse(
            f"{name}: the classes are {names}, but the model has {', '.join(classes or ())}"
        )


def _matrix(model: Trained, found) -> list[str]:
    """The confusion matrix: a row for each class, with its accuracy."""
    if "confusion" not in found or model.classes is None:
        return []
    rows, names = found["confusion"], [f"{name:.{WIDEST}s}" for name in model.classes]
    width = max(len(name) for name in [*names, "predicted"])
    cell = max(len(text) for text in [*names, *(f"{n}" for row in rows for n in row)]) + 2
    lines = ["", "predicted".ljust(width) + "".join(name.rjust(cell) for name in names)]
    for i, (name, row) in enumerate(zip(names, rows, strict=True)):
        share = f"{row[i] / sum(row):.1%}" if sum(row) else "no example"
        cells = "".join(f"{n}".rjust(cell) for n in row)
        lines.append(f"{name.ljust(width)}{cells}  {share}")
    return lines
