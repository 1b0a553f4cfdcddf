"""Files of images in folders named after their classes: FOLDER/cat/1.png, FOLDER/dog/2.png."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fcnn.data.dataset import DataError
from fcnn.ops.validation import did_you_mean

ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")  # in lower case


def class_folders(folder: Path, classes: Sequence[str] | None) -> dict[str, list[str]]:
    """Names of the images in each class folder, in natural order of classes and of images.

    Options:
        classes: names that the class folders may have, or None for any.
    Raises: DataError if the classes are not folders of images; the message shows the layout.
    """
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: {what}; name the folder that contains a folder for each class")
    names, images = _listing(folder)
    if not names:
        what = "images outside of class folders" if images else "no class folders"
        layout = f"{folder / 'cat' / '1.png'}, {folder / 'dog' / '2.png'}"
        raise DataError(f"{folder}: {what}; put the images of each class into its folder: {layout}")
    found = {name: _listing(folder / name) for name in names}
    _reject_deeper(folder, found)
    for name, (_, images) in found.items():
        if classes is not None and name not in classes:
            near = did_you_mean(name, classes)
            known = ", ".join(classes)
            raise DataError(f"{folder / name}: not one of the classes {known}{near}")
        if not images:
            endings = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
            what = f"no images, which end in {endings}"
            raise DataError(f"{folder / name}: {what}; add some or remove the folder")
    if classes is None and len(found) == 1:
        raise DataError(f"{folder}: one class only, {names[0]}; add a folder for each other class")
    return {name: images for name, (_, images) in found.items()}


def natural(name: str) -> tuple[list[Any], str]:
    """Sort key that compares numbers by value and ignores case, but for equal names."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _listing(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the visible subfolders and of the visible images, in natural order."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            inner = {entry.name for entry in visible if entry.is_dir()}
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    files = {entry.name for entry in visible} - inner
    images = [name for name in files if name.lower().endswith(ENDINGS)]
    return sorted(inner, key=natural), sorted(images, key=natural)


def _reject_deeper(folder: Path, found: dict[str, tuple[list[str], list[str]]]) -> None:
    """DataError if images lie in subfolders of the class folders."""
    deeper = {
        name: [each for each in inner if _listing(folder / name / each)[1]]
        for name, (inner, _) in found.items()
    }
    for name, inner in deeper.items():
        if inner and found[name][1]:
            extra = folder / name / inner[0]
            raise DataError(f"{extra}: images below a class folder; move them to {extra.parent}")
    parts = sorted((name for name in deeper if deeper[name]), key=lambda name: name != "train")
    if parts:
        what = f"{parts[0]} contains the class folder {deeper[parts[0]][0]}"
        raise DataError(f"{folder}: {what}; name {folder / parts[0]}")
