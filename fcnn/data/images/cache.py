"""Cache of decoded images: a folder with the pixels, x.npy, and a description, manifest.json.

The cache is written to a folder beside it, which is then renamed, so it is whole or absent.
manifest.json holds the names, sizes and times of the image files, and the size and time of x.npy.
If one of them differs, or the manifest does not match its own checksum, the cache is not used.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from fcnn.data.dataset import DataError
from fcnn.data.images.decode_image import BrokenImage
from fcnn.data.images.in_threads import in_threads
from fcnn.installation import cache_folder

FORMAT = 1  # number of this format and of the method of decoding; others are not read
ABANDONED = 86400  # seconds without a change after which a part of a killed process is removed
File = list[Any]  # [name, size, time of the last change in ns] of an image


class Pixels(NamedTuple):
    """Content of a cache: pixels, the reason for each skipped file, and sha256 of the pixels."""

    x: np.memmap
    skipped: dict[str, str]
    sha256: str


def default_cache() -> Path:
    """The folder of all caches: $XDG_CACHE_HOME/fcnn/images, or ~/.cache/fcnn/images."""
    try:
        return cache_folder() / "images"
    except RuntimeError:
        raise DataError("there is no home folder; give cache=FOLDER (--cache FOLDER)") from None


def stamp(path: Path) -> list[int]:
    """[size, time of the last change in ns] of a file."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def read(folder: Path, files: list[File]) -> Pixels | None:
    """The cache in `folder`, or None if it is missing, damaged, or made from other files."""
    try:
        text = (folder / "manifest.json").read_text(encoding="ascii")
        manifest = json.loads(text)
        checksum = manifest.pop("checksum")
        if checksum != _checksum(manifest) or manifest["format"] != FORMAT:
            return None
        if manifest["files"] != files or manifest["x"] != stamp(folder / "x.npy"):
            return None
        x = np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Pixels(x, manifest["skipped"], manifest["sha256"])


def write(
    folder: Path,
    files: list[File],
    decode: Callable[[str], np.ndarray],
    shape: tuple[int, int, int],
    *,
    skip: bool,
    report: Callable[[int, int], None] | None,
) -> None:
    """Decode `files` in several threads, and write the cache to `folder`.

    Options:
        decode: function from the name of a file to pixels of the given shape.
        skip: whether broken images are left out.
        report: function of the numbers of finished and of all files.
    Raises: DataError if the cache cannot be written or a file cannot be read; BrokenImage for a
            broken image, unless it is skipped and another one is whole.
    """
    part = folder.with_name(f"{folder.name}.part-{uuid4().hex}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        _require_space(folder.parent, len(files) * prod(shape))
        part.mkdir()
        manifest = _write_pixels(part / "x.npy", files, decode, shape, skip, report)
        manifest |= {"format": FORMAT, "files": files, "x": stamp(part / "x.npy")}
        manifest["checksum"] = _checksum(manifest)
        with (part / "manifest.json").open("x", encoding="ascii") as file:
            json.dump(manifest, file)
            _sync(file)
        if read(folder, files) is None:  # another process may have written it
            _replace(folder, part)
    except OSError as error:
        what = f"the cache of images cannot be written ({error.strerror})"
        raise DataError(f"{folder.parent}: {what}; give cache=FOLDER (--cache FOLDER)") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_pixels(path, files, decode, shape, skip, report) -> dict[str, Any]:
    """Write the array (n, h, w, c) row by row. Plain writes report a full disk, maps do not."""
    skipped, digest, total = {}, sha256(), len(files)
    names = [name for name, *_ in files]
    with path.open("xb") as file:
        _write_header(file, (total, *shape))
        for i, row in enumerate(in_threads(decode, names)):
            if not isinstance(row, BrokenImage):
                file.write(row.data)
                digest.update(row.data)
            elif skip:
                skipped[names[i]] = row
            else:
                raise row
            if report is not None:
                report(i + 1, total)
        if len(skipped) == total:
            raise skipped[names[0]]
        file.seek(0)
        _write_header(file, (total - len(skipped), *shape))  # as long, for any number of rows
        _sync(file)
    reasons = {name: error.reason for name, error in skipped.items()}
    return {"skipped": reasons, "sha256": digest.hexdigest()}


def _write_header(file: Any, shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _replace(folder: Path, part: Path) -> None:
    """Rename `part` to `folder`, in the place of an old cache."""
    for _ in range(100):  # another process may put its cache there in between
        try:
            part.rename(folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        old = part.parent / f"{part.name}.old"
        with suppress(FileNotFoundError):
            folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _remove_abandoned(folder: Path) -> None:
    for part in folder.parent.glob(f"{folder.name}.part-*"):
        with suppress(OSError):
            if time.time() - max(p.stat().st_mtime for p in (part, *part.iterdir())) > ABANDONED:
                shutil.rmtree(part, ignore_errors=True)


def _require_space(folder: Path, size: int) -> None:
    if size > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} for {size:,} bytes")


def _sync(file: Any) -> None:
    """Write a file to the disk, so that it is whole after a crash if its folder is renamed."""
    file.flush()
    os.fsync(file.fileno())


def _checksum(manifest: dict[str, Any]) -> str:
    return sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
