"""Decoding of one picture to uint8 pixels of a given shape, with Pillow."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from fcnn.data.dataset import DataError
from fcnn.installation import install
from fcnn.ops.validation import named, require, require_counts

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
ORIENTATION = 0x0112  # EXIF tag
TRANSPOSITIONS = {  # from the EXIF orientation to the upright picture
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
GAP = 3.0  # size over target size, at least, to which a fast reduction precedes Lanczos
_FILTERS = Lock()  # all threads share the filters of warnings


class BrokenImage(DataError):
    """Error for a file that is not a whole picture, unlike a file that cannot be read."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def decode_image(path: str | Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Decode the picture in a file to uint8 pixels (h, w, c), upright and cropped in the center.

    The format is PNG, JPEG, GIF, BMP or WebP, whatever the ending of the file. The EXIF orientation
    is applied. Transparent pixels are composited on white. Of 16-bit channels the high byte is
    kept. An animation gives its first frame. Color becomes gray by the luma of BT.601. Color
    profiles are not applied.

    The largest centered part with the aspect ratio w:h is resized by an antialiased Lanczos filter,
    so the shorter side is scaled and the longer one is cropped. Lanczos follows a box filter for
    reductions by 6 or more, and a JPEG file is decoded at a reduced size if that is at least 3
    times the target size. A picture that has the size (h, w) is not resized.

    Shapes: a file -> (h, w, c) uint8.
    Options:
        path: file of the picture.
        shape: (h, w, c) of the result, with c = 1 for gray or 3 for RGB.
    Units:  pixels from 0 (black) to 255.
    Raises: DataError, a ValueError, if Pillow is not installed, or if the file is missing, damaged,
            in another format, or has more pixels than Pillow's limit, `Image.MAX_IMAGE_PIXELS`. Its
            message is one line with the file and the reason. ValueError or TypeError for a wrong
            `shape`.
    Cost:   up to 8 bytes for each pixel in the file.
    Source: EXIF orientation: CIPA DC-008; luma: ITU-R BT.601; Lanczos filter: Duchon 1979.

    >>> from PIL import Image
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 20), (255, 0, 51)).save(f"{folder}/red.png")
    ...     fcnn.data.decode_image(f"{folder}/red.png", (1, 2, 3))
    array([[[255,   0,  51],
            [255,   0,  51]]], dtype=uint8)
    """
    with named("decode_image"):
        require_image_shape(shape)
    h, w, c = shape
    with _opened(Path(path).expanduser()) as image:
        image.draft(None, (int(GAP * max(h, w)),) * 2)
        image.load()
        upright = _upright(image)
    return np.array(_resized(_in_channels(upright, c), h, w)).reshape(shape)


def own_shape(path: Path) -> tuple[int, int, int]:
    """(h, w, c) of the upright picture in a file, where c is 1 if the mode of the file is gray.

    Raises: DataError, as `decode_image`, if the header of the file is damaged.
    """
    with _opened(path) as image:
        gray = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
        w, h = image.size
        if image.format == "PNG":  # EXIF may follow the pixels; decode them without the lock
            image.load()
        if _orientation(image) >= 5:
            w, h = h, w
    return h, w, 1 if gray else 3


def require_image_shape(shape: Any) -> None:
    """ValueError or TypeError unless `shape` is (h, w, c) with c = 1 or 3."""
    example = "write (h, w, c), such as (64, 64, 3)"
    require(isinstance(shape, tuple) and len(shape) == 3, f"shape {shape!r} is wrong; {example}")
    h, w, c = shape
    require_counts(h=h, w=w, c=c)
    require(c in (1, 3), f"shape {shape} has {c} channels; write 1 for gray or 3 for RGB")


def require_pillow() -> Any:
    """The module PIL.Image.

    Raises: DataError if Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        if getattr(error, "name", None) in ("PIL", None):
            raise DataError(f"images: need Pillow; write {install('train')}") from None
        raise DataError(f"images: Pillow cannot be imported: {error}") from None
    return Image


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The picture in a file, whose pixels are not yet decoded; errors name the file."""
    pillow = require_pillow()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        with _quiet(pillow.DecompressionBombWarning):
            image = pillow.open(BytesIO(data), formats=FORMATS)
        yield image
    except MemoryError:
        raise
    except (pillow.DecompressionBombWarning, pillow.DecompressionBombError):
        most = f"over {pillow.MAX_IMAGE_PIXELS:,} pixels, the limit of Pillow"
        raise BrokenImage(path, f"{most}; reduce its size") from None
    except pillow.UnidentifiedImageError:
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        what = f"not {formats}, or damaged at the start" if data else "empty file"
        raise BrokenImage(path, what) from None
    except Exception as error:  # Pillow raises errors of many types for damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BrokenImage(path, f"damaged picture ({reason})") from None


@contextmanager
def _quiet(*raised: type[Warning]) -> Iterator[None]:
    """Ignore warnings, but raise those of the given types."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in raised:
            warnings.simplefilter("error", kind)
        yield


def _orientation(image: Any) -> int:
    """EXIF orientation, from 1 to 8; 1 if it is missing or damaged."""
    try:
        with _quiet():
            orientation = image.getexif().get(ORIENTATION)
    except Exception:  # damaged EXIF data of an undamaged picture
        return 1
    return orientation if orientation in TRANSPOSITIONS else 1


def _upright(image: Any) -> Any:
    name = TRANSPOSITIONS.get(_orientation(image))
    return image.transpose(require_pillow().Transpose[name]) if name else image


def _in_channels(image: Any, c: int) -> Any:
    """The picture in mode L (c = 1) or RGB (c = 3), without transparency."""
    pillow = require_pillow()
    if image.mode.startswith("I"):  # 16 bits
        image = pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data:
        white = pillow.new("RGBA", image.size, "white")
        image = pillow.alpha_composite(white, image.convert("RGBA"))
    return image.convert("L" if c == 1 else "RGB")


def _resized(image: Any, h: int, w: int) -> Any:
    """The largest centered part with the aspect ratio w:h, resized to (h, w)."""
    width = min(image.width, image.height * w / h)
    height = min(image.height, image.width * h / w)
    left, top = (image.width - width) / 2, (image.height - height) / 2
    box = (left, top, image.width - left, image.height - top)
    return image.resize((w, h), require_pillow().Resampling.LANCZOS, box, reducing_gap=GAP)
