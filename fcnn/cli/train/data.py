"""The examples that the command line names: a data set, a folder of images, or an .npz file."""

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from fcnn import data
from fcnn.cli.output import Misuse
from fcnn.cli.train.pixels import statistics
from fcnn.ops.validation import did_you_mean
from fcnn.training.sources import Source, as_source
from fcnn.training.sources.source import described

MANY = 1000  # classes that data may have without as many examples
PARTS = {"train": "training", "validation": "valid val", "test": "testing"}  # and other names
Examples = dict[str, Any]  # x, y and side inputs, with the examples along the first axis


@dataclass(frozen=True)
class Data:
    """Examples in parts, and the facts about them that a trained model needs."""

    train: Source
    validation: Source | None
    test: Source | None
    facts: dict[str, Any]  # for the configuration: classes, statistics of pixels, a sum
    skipped: tuple[str, ...] = ()  # one line for each file that was skipped
    rows: np.ndarray | None = None  # of the training examples in the data, if some were taken out

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None if y holds numbers."""
        return None if self.facts["classes"] is None else tuple(self.facts["classes"])


def read(chosen: Namespace, classes: tuple[str, ...] | None = None) -> Data:
    """The data that the options name.

    Options:
        classes: names of the classes of a trained model, which the data must have.
    Raises: Misuse or DataError, both ValueErrors, in one line.
    """
    name = chosen.data
    if name in data.NAMES:
        parts, facts, skipped = _data_set(chosen)
    elif Path(name).suffix.lower() in (".npz", ".npy"):
        parts, facts, skipped = _file(Path(name))
    elif Path(name).is_dir():
        parts, facts, skipped = _folder(chosen, classes)
    else:
        known = f"expected one of {', '.join(data.NAMES)}, a folder of images, or FILE.npz"
        missing = f"there is no folder {name!r}" if "/" in name else f"unknown data {name!r}"
        raise Misuse(f"{missing}; {known}{did_you_mean(name, data.NAMES)}")
    sources = {part: as_source(f"{name}: {part}", arrays) for part, arrays in parts.items()}
    _require_like_training(name, sources)
    train, validation, rows = sources["train"], sources.get("validation"), None
    if validation is None and chosen.validation:
        train, validation, rows = _split(train, parts["train"], chosen.validation, chosen.seed)
    mean, deviation = statistics(train) if facts.pop("pixels") else (None, None)
    facts |= {"mean": mean, "deviation": deviation}
    return Data(train, validation, sources.get("test"), facts, tuple(skipped), rows)


def _require_like_training(name, sources):
    """Misuse for a part whose entries are not those of the training part."""
    shown = lambda spec, entry: described(spec[entry]) if entry in spec else "missing"
    train = sources["train"].spec
    for part, source in sources.items():
        for entry in dict.fromkeys([*train, *source.spec]):
            one, other = shown(source.spec, entry), shown(train, entry)
            if one != other:
                what = f"{name}: {entry} of the {part} part is {one}"
                raise Misuse(f"{what}, but {other} in the training part")


def _data_set(chosen):
    found = data.load(chosen.data, chosen.data_dir, download=chosen.download)
    parts = {"train": _as_pixels(found.train), "test": _as_pixels(found.test)}
    facts = {"classes": list(found.classes), "pixels": True, "data": _sum(parts)}
    return parts, facts, ()


def _as_pixels(images: data.Images) -> Examples:
    return {"x": np.rint(images.x * np.float32(255)).astype(np.uint8), "y": images.y}


def _folder(chosen, classes):
    """The parts of a folder: its subfolders train, validation and test, or the folder itself."""
    root = Path(chosen.data)
    folders = {"train": root}
    inner = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    if "train" in inner or "training" in inner:
        folders = {
            part: inner[name]
            for part, others in PARTS.items()
            for name in (part, *others.split())
            if name in inner
        }
    shape, parts, sums, skipped = chosen.size, {}, [], []
    options = {"broken": chosen.broken, "cache": chosen.cache, "report": _report_decoding}
    for part, folder in folders.items():
        images = data.image_folder(folder, shape=shape, classes=classes, **options)
        shape, classes = images.x.shape[1:], images.classes
        parts[part] = {"x": images.x, "y": images.y}
        sums.append(images.sha256)
        skipped += images.skipped
    text = sha256(" ".join(sums).encode()).hexdigest()[:16]
    return parts, {"classes": list(classes or ()), "pixels": True, "data": text}, skipped


def _report_decoding(done: int, total: int) -> None:
    """Show how many images are decoded, on a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\rdecoding image {done} of {total}", end=end, file=sys.stderr, flush=True)


def _file(path: Path):
    arrays = data.arrays(path)
    names = arrays.pop("classes", None)
    parts: dict[str, Examples] = {}
    for key, a in arrays.items():
        entry, _, part = key.rpartition("_")
        part, entry = (part, entry) if part in PARTS and entry else ("train", key)
        parts.setdefault(part, {})[entry] = a
    for key, a in arrays.items():
        if a.ndim == 0:
            raise Misuse(f"{path}: {key} is one number, without an axis of examples")
    for part in ("train", *parts):
        missing = [name for name in ("x", "y") if name not in parts.get(part, {})]
        if missing:
            ending = "" if part == "train" else f"_{part}"
            has = ", ".join(arrays) or "nothing"
            raise Misuse(f"{path} has no array {missing[0]}{ending}; it has {has}")
    for part in parts.values():
        if part["y"].dtype.kind == "f" and part["y"].ndim == 1:
            part["y"] = part["y"][:, None]  # as the outputs of a model with one output
    x, y = parts["train"]["x"], parts["train"]["y"]
    classes = None
    if y.dtype.kind in "iu":
        labels = np.concatenate([np.ravel(part["y"]) for part in parts.values()])
        count = 1 + int(labels.max(initial=0))
        if count > max(MANY, labels.size):
            what = f"{path}: y has the label {count - 1}, but there are {labels.size} labels"
            raise Misuse(f"{what}; are they numbers of examples, and not of classes?")
        classes = [*map(str, range(count))] if names is None else [*map(str, names)]
        if labels.min(initial=0) < 0:
            raise Misuse(f"{path}: y has the label {labels.min()}; labels begin at 0")
        if not 1 < len(classes) >= count:
            what = f"{path}: {len(classes)} classes, but labels from 0 to {count - 1}"
            raise Misuse(f"{what}; there must be at least 2 classes, and one for each label")
    pixels = x.dtype == np.uint8 and x.ndim == 4
    return parts, {"classes": classes, "pixels": pixels, "data": _sum(parts)}, ()


def _sum(parts: Mapping[str, Examples]) -> str:
    """The start of the sha256 of all arrays."""
    total = sha256()
    for part in parts.values():
        for name in sorted(part):
            a = part[name]
            total.update(f"{name} {a.dtype} {a.shape}".encode())
            for rows in np.array_split(a, max(1, a.nbytes // 2**26)):
                total.update(np.ascontiguousarray(rows).tobytes())
    return total.hexdigest()[:16]


def _split(source: Source, arrays: Examples, share: float, seed: int):
    """Training and validation part of a source, and the rows of the training part.

    Arrays on the host are not copied.
    """
    positions = {"index": np.arange(source.length), "y": np.asarray(arrays["y"])}
    first, second = (part["index"] for part in data.split(positions, share, seed=seed))
    if source.arrays is None:
        return _rows(source, first), _rows(source, second), first
    on_device = lambda rows: as_source("data", {name: a[rows] for name, a in arrays.items()})
    return on_device(first), on_device(second), first


def _rows(source: Source, rows: np.ndarray) -> Source:
    return replace(source, length=len(rows), take=lambda i: source.take(rows[i]))
