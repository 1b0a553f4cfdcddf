"""Results of training in a file: one line of JSON for each chunk of steps."""

import errno
import json
import math
from pathlib import Path

from fcnn.training.callbacks.callback import Callback


def metrics_file(path: str | Path, *, replace: bool = False) -> Callback:
    """Callback that appends one line of JSON to a file after each chunk of steps.

    A continued run first removes lines of steps that it repeats, so that each step occurs once. A
    new run needs a new file.

    Options:
        path: of the file, such as "metrics.jsonl"; its folder must exist.
        replace: whether a new run replaces the lines of another run.
    Raises: from `fit`, before training: OSError if the file cannot be written, or has lines of
            another run.
    Cost:   reads and replaces the file after each chunk.

    >>> callbacks = [fcnn.training.metrics_file("metrics.jsonl")]
    """
    path = Path(path)

    def lines_until(step):
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        lines = text.splitlines()
        return [line for line in lines if _step_of(line) <= step]

    def write(lines):
        first = path.with_name(f".{path.name}.part")
        try:
            first.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            first.replace(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{path}") from None

    def init(train_state):
        step = int(train_state.step)
        if step == 0 and path.exists() and path.stat().st_size and not replace:
            what = "has results of another run; name a new file"
            raise FileExistsError(errno.EEXIST, what, f"{path}")
        write(lines_until(step))
        return ()

    def after(train_state, own, progress):
        row = progress._asdict()
        for part in ("training", "validation"):
            row[part] = {name: plain(value) for name, value in row[part].items()}
        write([*lines_until(progress.step - 1), json.dumps(row)])
        return own

    return Callback("metrics_file", init, after)


def plain(value):
    """A number or nested lists as JSON takes them: null where a number is not finite."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value if not isinstance(value, float) or math.isfinite(value) else None


def _step_of(line):
    """The step of a line, or infinity if the line is torn."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return math.inf
    return step if isinstance(step, int) else math.inf
