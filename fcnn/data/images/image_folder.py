"""Images in one folder per class, as arrays of pixels and labels."""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnn.data.dataset import DataError
from fcnn.data.images import cache as caches
from fcnn.data.images.class_folders import class_folders
from fcnn.data.images.decode_image import (
    BrokenImage,
    decode_image,
    own_shape,
    require_image_shape,
    require_pillow,
)
from fcnn.data.images.in_threads import in_threads
from fcnn.ops.validation import named, require

ATTEMPTS = 3  # to read the cache, which other processes may replace


class ImageFolder(NamedTuple):
    """Images of a folder with their labels and names: files[i] is the file of x[i].

    Shapes: x (n, h, w, c) uint8, a read-only memory map; y (n,) int32 labels.
    Units:  x from 0 (black) to 255.

    `classes[y]` names label y. `skipped` has one line for each broken image. `sha256` changes if
    the pixels, labels, or names of files or classes change.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    files: tuple[str, ...]
    skipped: tuple[str, ...]
    sha256: str

    def __repr__(self) -> str:
        arrays = f"x {self.x.dtype}{self.x.shape}, y {self.y.dtype}{self.y.shape}"
        return f"ImageFolder({arrays}, {len(self.classes)} classes, {len(self.skipped)} skipped)"


def image_folder(
    folder: str | Path,
    *,
    shape: tuple[int, int, int] | None = None,
    classes: Sequence[str] | None = None,
    broken: str = "refuse",
    cache: str | Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> ImageFolder:
    """Read the images of a folder that has one subfolder for each class, decoded by `decode_image`.

    Classes, and the images of each class, are in natural order: 2.png precedes 10.png, and case
    does not matter. Hidden files, and files that do not end in .png, .jpg, .jpeg, .gif, .bmp or
    .webp, are ignored, also beside the class folders.

    The pixels are decoded once, in several threads, to a subfolder of `cache`. Later calls map its
    file to memory while the names, sizes and modification times of the images are unchanged. The
    cache is made again if they differ or it is damaged. It may be removed at any time.

    Shapes: n images -> x (n, h, w, c) uint8, y (n,) int32.
    Options:
        folder: folder of the class folders.
        shape: (h, w, c) of each image; None for the common size of all images, with c = 1 if all
            files are gray and 3 if not.
        classes: names of the classes in the order of the labels, such as those of the training
            images; None for the names of the class folders. Images of some classes may be missing.
        broken: "refuse" for an error that names the first broken image, or "skip" to leave broken
            images out and list them in `skipped`.
        cache: folder of the caches; None for $XDG_CACHE_HOME/fcnn/images, or ~/.cache/fcnn/images.
        report: function of the numbers of finished and of all images, called for each image while
            they are decoded.
    Units:  pixels from 0 (black) to 255.
    Raises: DataError, a ValueError, for another layout of folders, broken or unreadable images,
            images of several sizes if `shape` is None, or a cache that cannot be written. Its
            message is one line that names the file and a remedy. ValueError or TypeError for wrong
            options.
    Cost:   h·w·c bytes on disk for each image, in the cache of each `shape`. A call reads the size
            and time of each file. Memory holds some images while they are decoded. The pixels of an
            existing cache are not compared with their sha256.
    Source: layout of torchvision.datasets.ImageFolder, which has classes in another order.

    >>> import os
    >>> from PIL import Image
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("cat", "dog"):
    ...         os.makedirs(f"{folder}/train/{name}")
    ...         Image.new("L", (8, 6), 255).save(f"{folder}/train/{name}/1.png")
    ...     images = fcnn.data.image_folder(f"{folder}/train", cache=f"{folder}/cache")
    ...     images, images.files
    (ImageFolder(x uint8(2, 6, 8, 1), y int32(2,), 2 classes, 0 skipped),
     ('cat/1.png', 'dog/1.png'))
    """
    with named("image_folder"):
        if shape is not None:
            require_image_shape(shape)
        if classes is not None:
            classes = _distinct(classes)
        require(broken in ("refuse", "skip"), f"broken {broken!r} must be 'refuse' or 'skip'")
    folder = Path(folder).expanduser()
    found = class_folders(folder, classes)
    names = [f"{name}/{image}" for name, images in found.items() for image in images]
    place = _place(folder, shape, cache)
    try:
        pixels = _pixels(folder, names, shape, place, broken == "skip", report)
        if pixels.skipped and broken == "refuse":
            name, reason = next(iter(pixels.skipped.items()))
            raise BrokenImage(folder / name, reason)
    except BrokenImage as error:
        otherwise = ", or write broken='skip' (--broken skip)" if broken == "refuse" else ""
        raise DataError(f"{error}; remove the file{otherwise}") from None
    files = tuple(name for name in names if name not in pixels.skipped)
    skipped = tuple(f"{folder / name}: {reason}" for name, reason in pixels.skipped.items())
    _require_each(folder, found, files, pixels.skipped)
    classes = tuple(found) if classes is None else classes
    label = {name: i for i, name in enumerate(classes)}
    labels = [label[_class_of(name)] for name in files]
    facts = json.dumps([classes, files, labels, pixels.x.shape, pixels.sha256])
    fingerprint = sha256(facts.encode()).hexdigest()
    return ImageFolder(pixels.x, np.array(labels, np.int32), classes, files, skipped, fingerprint)


def _pixels(folder, names, shape, place, skip, report) -> caches.Pixels:
    """The pixels in the cache at `place`, which is made if necessary."""
    try:
        files = [[name, *caches.stamp(folder / name)] for name in names]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from None
    for _ in range(ATTEMPTS):
        if pixels := caches.read(place, files):
            return pixels
        require_pillow()
        shape = shape or _common_shape(folder, names)
        decode = lambda name, shape=shape: decode_image(folder / name, shape)
        caches.write(place, files, decode, shape, skip=skip, report=report)
    what = "the cache changes while it is read"
    raise DataError(f"{place}: {what}; give cache=FOLDER (--cache FOLDER)")


def _common_shape(folder: Path, names: list[str]) -> tuple[int, int, int]:
    """(h, w, c) of all images that are not broken."""
    results = list(in_threads(lambda name: own_shape(folder / name), names))
    shapes = [result for result in results if not isinstance(result, BrokenImage)]
    if not shapes:
        raise results[0]
    sizes = Counter((h, w) for h, w, _ in shapes).most_common()
    c = max(c for *_, c in shapes)
    if len(sizes) > 1:
        most = ", ".join(f"{h}×{w} ({n} images)" for (h, w), n in sizes[:3])
        most += ", …" * (len(sizes) > 3)
        advice = f"write shape=(64, 64, {c}) (--size 64)"
        raise DataError(f"{folder}: images of {len(sizes)} sizes, {most}; {advice}")
    return (*sizes[0][0], c)


def _distinct(classes: Any) -> tuple[str, ...]:
    names = not isinstance(classes, str) and all(isinstance(name, str) for name in classes)
    require(names, f"classes {classes!r} must be names, such as ('cat', 'dog')")
    require(len(set(classes)) == len(classes), f"classes {classes!r} must differ from each other")
    return tuple(classes)


def _place(folder: Path, shape: Any, cache: str | Path | None) -> Path:
    """The cache of the images of `folder` in `shape`."""
    root = caches.default_cache() if cache is None else Path(cache).expanduser()
    images = folder.resolve()
    if cache is not None and root.resolve().is_relative_to(images):
        raise DataError(f"{root}: lies in the folder of the images; give another folder as cache")
    return root / sha256(os.fsencode(f"{images} {shape}")).hexdigest()[:32]


def _class_of(name: str) -> str:
    return name.partition("/")[0]


def _require_each(folder: Path, found: Any, files: Sequence[str], skipped: dict[str, str]) -> None:
    """DataError if all images of a class are broken."""
    whole = set(map(_class_of, files))
    for each in found:
        if each not in whole:
            first = next(name for name in skipped if _class_of(name) == each)
            what = f"all images are broken; {first}: {skipped[first]}"
            raise DataError(f"{folder / each}: {what}")
