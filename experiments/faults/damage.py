"""Damage to one file of the newest checkpoint, followed by the reading that a run begins with.

    flipped bit      of a byte anywhere in a file
    truncated        at a byte
    zeroed           up to 4,096 bytes
    missing          the whole file
    receipt number   a digit of the receipt's own content becomes another digit
    receipt config   a letter or a digit of a value of the configuration becomes another one

The first four are of any file: arrays, metadata of Orbax, and the receipt.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.faults.struck import resumed
from fcnn.training import Checkpoints
from fcnn.training.checkpoint.receipt import NAME

NAMED, HARMLESS, WRONG, LOST = "named", "without effect", "wrong bits", "refused or lost"


def _flipped(data, rng):
    i = rng.integers(len(data))
    return data[:i] + bytes([data[i] ^ 1 << int(rng.integers(8))]) + data[i + 1 :]


def _truncated(data, rng):
    return data[: rng.integers(len(data))]


def _zeroed(data, rng):
    first = rng.integers(len(data))
    count = min(len(data) - first, rng.integers(1, 4097))
    return data[:first] + bytes(count) + data[first + count :]


def _number(data, rng):
    begin = data.index(b'"receipt"')
    return _replaced(data, rng, [i for i in range(begin, len(data)) if data[i : i + 1].isdigit()])


def _config(data, rng):
    """Change a character of a value of the configuration, so that JSON can still read it."""
    begin, end = data.index(b'"config"'), data.index(b'"environment"')
    values = json.loads(b"{" + data[begin:end].rstrip().rstrip(b",") + b"}")["config"]
    kept = [json.dumps(v).encode() for v in values.values() if isinstance(v, str | float)]
    places = [data.index(b": " + value, begin) + 2 + k for value in kept for k in range(len(value))]
    return _replaced(data, rng, [i for i in places if data[i : i + 1].isalnum()])


def _replaced(data, rng, places):
    i = int(rng.choice(places))
    same = b"0123456789" if data[i : i + 1].isdigit() else b"abcdefghijklmnopqrstuvwxyz"
    new = int(rng.choice([c for c in same if c != data[i]]))
    return data[:i] + bytes([new]) + data[i + 1 :]


KINDS: dict[str, Callable[[bytes, np.random.Generator], bytes | None]] = {
    "flipped bit": _flipped,
    "truncated": _truncated,
    "zeroed": _zeroed,
    "missing": lambda data, rng: None,
    "receipt number": _number,
    "receipt config": _config,
}


def kind_of_file(name: str) -> str:
    """What a file of a checkpoint holds."""
    return "receipt" if name == NAME else "arrays" if "/d/" in name else "metadata"


class Reading:
    """The last two checkpoints of a run, and what a run that continues reads from them."""

    def __init__(self, folder: Path):
        self.folder, self.lines = folder, []
        self.before, self.newest = Checkpoints(folder).steps()[-2:]
        plain = Checkpoints(folder)
        receipts = {step: plain.read_receipt(step) for step in (self.before, self.newest)}
        self.right = {step: plain.arrays(found) for step, found in receipts.items()}
        last = receipts[self.newest]
        self.config = last.config
        self.state = {
            path: _typed(a, last.arrays[path][0]) for path, a in self.right[self.newest].items()
        }

    def result(self, name: str) -> str:
        """What reading leads to after damage to the file `name`."""
        lines: list[str] = []
        checkpoints = Checkpoints(self.folder, report=lines.append)
        try:
            found = checkpoints.latest(self.state, config=self.config)
        except Exception:
            return LOST
        step = resumed(lines)
        if step not in self.right:
            return LOST
        if not _equal(found, self.right[step]):
            return WRONG
        if step == self.newest:
            return HARMLESS
        return NAMED if lines[0].startswith(f"step {self.newest} is damaged: {name} ") else LOST

    def repair(self, name: str, data: bytes) -> None:
        """Undo the damage and the renaming."""
        aside, folder = self.folder / f"{self.newest}.damaged", self.folder / f"{self.newest}"
        if aside.exists():
            aside.rename(folder)
        (folder / name).write_bytes(data)


def damages(source: Path, folder: Path, number: int, count: int, seed: int) -> dict[str, Any]:
    """The results of `count` damages to a copy of a folder of checkpoints.

    Kinds take turns. The file, and the place in it, are drawn.
    """
    shutil.copytree(source, folder)
    rng, reading = np.random.default_rng((seed, number, count)), Reading(folder)
    newest = folder / f"{reading.newest}"
    files = [path for path in sorted(newest.rglob("*")) if path.is_file() and path.stat().st_size]
    names = [path.relative_to(newest).as_posix() for path in files]
    tries = []
    for i in range(count):
        kind = [*KINDS][i % len(KINDS)]
        name = NAME if kind.startswith("receipt") else str(rng.choice(names))
        data = (newest / name).read_bytes()
        damaged = KINDS[kind](data, rng)
        if damaged is None:
            (newest / name).unlink()
        else:
            (newest / name).write_bytes(damaged)
        result = reading.result(name)
        reading.repair(name, data)
        tries.append({"kind": kind, "file": kind_of_file(name), "name": name, "result": result})
    shutil.rmtree(folder)
    return {"damages": tries}


def _typed(a: np.ndarray, dtype: str) -> Any:
    """The array as a run has it: a random key is not its data."""
    names = {"key<fry>": "threefry2x32", "key<rbg>": "rbg"}
    return jax.random.wrap_key_data(jnp.asarray(a), impl=names[dtype]) if dtype in names else a


def _equal(found: Mapping[str, np.ndarray], right: Mapping[str, np.ndarray]) -> bool:
    same = lambda a, b: a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return found.keys() == right.keys() and all(same(found[path], right[path]) for path in right)
