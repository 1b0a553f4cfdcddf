"""The receipt of a checkpoint: what was saved, under which configuration, on which machine.

    {"sha256": sum of the text of "receipt", "receipt": {...}}

It has the sum of every array, which proves a restored state, and the sum of every file, which names
the file that was damaged. A receipt whose own sum is wrong is a damaged checkpoint, and never a
changed configuration.
"""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

FORMAT = 1  # it changes when a reader of an earlier format would misread a receipt
NAME = "receipt.json"


class Damaged(Exception):
    """A checkpoint that is not what was saved; the message is one line."""


@dataclass(frozen=True)
class Receipt:
    """Content of a receipt. JSON can hold all of it."""

    step: int
    config: dict[str, Any]
    environment: dict[str, Any]
    arrays: dict[str, list[Any]]  # path → dtype, shape, sha256
    validation: dict[str, float] = field(default_factory=dict)  # metrics at this step
    files: dict[str, list[Any]] = field(default_factory=dict)  # name → bytes, sha256
    format: int = FORMAT


def write(folder: Path, receipt: Receipt) -> None:
    """Write the receipt of the files in `folder`."""
    body = asdict(receipt) | {"files": sums(folder)}
    text = json.dumps({"sha256": _sum(body), "receipt": body}, indent=1)
    (folder / NAME).write_text(text, encoding="utf-8")


def read(folder: Path) -> Receipt:
    """The receipt of a checkpoint.

    Raises: Damaged if it is missing, or not what was written; ValueError for a later format.
    """
    try:
        content = json.loads((folder / NAME).read_bytes())
        body = content["receipt"]
        right = _sum(body) == content["sha256"] and _is_receipt(body)
    except FileNotFoundError:
        raise Damaged(f"{NAME} is missing") from None
    except OSError as error:
        raise Damaged(f"{NAME} cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        right, body = False, {}
    if not right:
        raise Damaged(f"{NAME} is not what was written")
    if body["format"] > FORMAT:
        what = f"{folder / NAME} has format {body['format']}, but this fcnn reads {FORMAT}"
        raise ValueError(f"{what}; install a later fcnn")
    return Receipt(**{field.name: body[field.name] for field in fields(Receipt)})


def verify(folder: Path, receipt: Receipt) -> None:
    """Compare all files of a checkpoint with its receipt.

    Raises: Damaged, which names the first file that differs.
    """
    expected, found = receipt.files, sums(folder)
    for name, (size, digest) in expected.items():
        if name not in found:
            raise Damaged(f"{name} is missing")
        if found[name][0] != size:
            raise Damaged(f"{name} has {found[name][0]:,} bytes, not {size:,}")
        if found[name][1] != digest:
            raise Damaged(f"{name} has other bytes")
    for name in found:
        if name not in expected:
            raise Damaged(f"{name} was added")


def sums(folder: Path) -> dict[str, list[Any]]:
    """Size and sha256 of every file below `folder` but the receipt, in order of names.

    Raises: Damaged if a file cannot be read.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name == NAME:
            continue
        try:
            with path.open("rb") as file:
                found[name] = [path.stat().st_size, file_digest(file, "sha256").hexdigest()]
        except OSError as error:
            raise Damaged(f"{name} cannot be read ({error.strerror})") from None
    return found


def flush(folder: Path) -> None:
    """Wait until all files and folders below `folder` are on the disk."""
    for path in [folder, *folder.rglob("*")]:
        flush_one(path)


def flush_one(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sum(body: Any) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _is_receipt(body: Any) -> bool:
    """Whether the entries have the types of a receipt: a sum alone does not prove it."""
    types = {"step": int, "format": int, **dict.fromkeys(("config", "environment"), dict)}
    types |= dict.fromkeys(("arrays", "validation", "files"), dict)
    lengths = [(body["arrays"], 3), (body["files"], 2)]
    return all(isinstance(body[name], kind) for name, kind in types.items()) and all(
        len(entry) == length for entries, length in lengths for entry in entries.values()
    )
