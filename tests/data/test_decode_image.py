"""Pictures decoded to known pixels: modes, orientation, resizing, and damaged files."""

import sys
import warnings
from inspect import unwrap

import numpy as np
import pytest
from PIL import Image

from fcnn.data import DataError, decode_image
from fcnn.data.images.decode_image import own_shape

GRAY = np.arange(0, 240, 20, dtype=np.uint8).reshape(3, 4)
RGB = np.stack([GRAY, 255 - GRAY, GRAY // 2], axis=-1)


def saved(path, pixels, mode=None, **options):
    """Write an array or picture to `path`, and return the path."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "webp"])
def test_a_lossless_picture_of_the_right_size_keeps_its_pixels(tmp_path, ending):
    path = saved(tmp_path / f"a.{ending}", RGB, **({"lossless": True} if ending == "webp" else {}))
    pixels = decode_image(path, (3, 4, 3))
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    np.testing.assert_array_equal(pixels, RGB)
    gray = decode_image(str(path), (3, 4, 1))[..., 0]
    luma = RGB @ [0.299, 0.587, 0.114]
    assert (abs(gray - luma) <= 0.51).all()


def test_a_gray_picture_has_one_channel_or_three_equal_ones(tmp_path):
    path = saved(tmp_path / "a.png", GRAY)
    np.testing.assert_array_equal(decode_image(path, (3, 4, 1)), GRAY[..., None])
    np.testing.assert_array_equal(decode_image(path, (3, 4, 3)), np.stack([GRAY] * 3, -1))
    assert own_shape(path) == (3, 4, 1)


def test_16_bits_keep_the_high_byte(tmp_path):
    deep = (np.arange(12, dtype=np.uint16) * 5461).reshape(3, 4)
    path = saved(tmp_path / "a.png", deep)
    np.testing.assert_array_equal(decode_image(path, (3, 4, 1))[..., 0], deep >> 8)
    np.testing.assert_array_equal(decode_image(path, (3, 4, 3))[..., 2], deep >> 8)
    assert own_shape(path) == (3, 4, 1)


def test_palette_and_bilevel_pictures_give_their_colors(tmp_path):
    few = np.repeat(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), 2, axis=0)
    for ending in ("png", "gif"):
        path = saved(tmp_path / f"a.{ending}", few, "P")
        np.testing.assert_array_equal(decode_image(path, (2, 2, 3)), few)
        assert own_shape(path) == (2, 2, 3)
    path = saved(tmp_path / "b.png", GRAY > 100)
    np.testing.assert_array_equal(decode_image(path, (3, 4, 1))[..., 0], 255 * (GRAY > 100))
    assert own_shape(path) == (3, 4, 1)


def test_transparent_pixels_are_composited_on_white(tmp_path):
    alpha = np.array([[0, 51, 102, 255]] * 3, np.uint8)
    expected = np.rint(RGB * (alpha / 255)[..., None] + 255 - alpha[..., None])
    path = saved(tmp_path / "a.png", np.dstack([RGB, alpha]))
    pixels = decode_image(path, (3, 4, 3))
    assert (abs(pixels - expected) <= 1).all()
    np.testing.assert_array_equal(pixels[:, 0], 255)
    path = saved(tmp_path / "b.png", np.dstack([GRAY, alpha]))
    pixels = decode_image(path, (3, 4, 1))[..., 0]
    np.testing.assert_array_equal(pixels[:, 0], 255)
    np.testing.assert_array_equal(pixels[:, 3], GRAY[:, 3])
    assert own_shape(path) == (3, 4, 1)


@pytest.mark.parametrize("mode", ["P", "RGB", "L"])
def test_a_transparent_color_is_composited_on_white(tmp_path, mode):
    image = Image.new("RGB", (2, 1), (0, 0, 0))
    image.putpixel((1, 0), (204, 204, 204))
    image = image.convert(mode)
    black = image.getpixel((0, 0))
    path = saved(tmp_path / "a.png", image, transparency=black)
    np.testing.assert_array_equal(decode_image(path, (1, 2, 1)).ravel(), [255, 204])


UPRIGHT = {  # the stored pixels of an upright picture, by orientation
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", np.ascontiguousarray(UPRIGHT[orientation](RGB)), exif=exif)
    np.testing.assert_array_equal(decode_image(path, (3, 4, 3)), RGB)
    assert own_shape(path) == (3, 4, 3)


def test_exif_data_may_follow_the_pixels_of_a_png_file(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    path = saved(tmp_path / "a.png", np.ascontiguousarray(RGB[::-1, ::-1]), exif=exif)
    data = path.read_bytes()
    start, pixels, end = (data.index(name) - 4 for name in (b"eXIf", b"IDAT", b"IEND"))
    path.write_bytes(data[:start] + data[pixels:end] + data[start:pixels] + data[end:])
    np.testing.assert_array_equal(decode_image(path, (3, 4, 3)), RGB)


def test_jpeg_is_near_its_picture_and_upright(tmp_path):
    ramp = np.linspace(0, 255, 40 * 60).reshape(60, 40).astype(np.uint8).T
    exif = Image.Exif()
    exif[0x0112] = 8
    path = saved(
        tmp_path / "a.jpg", np.ascontiguousarray(np.rot90(ramp, -1)), quality=95, exif=exif
    )
    assert own_shape(path) == (40, 60, 1)
    assert abs(decode_image(path, (40, 60, 1))[..., 0] - ramp.astype(int)).max() < 8
    path = saved(tmp_path / "b.jpg", RGB, "CMYK", quality=95)
    assert abs(decode_image(path, (3, 4, 3)).astype(int) - RGB).mean() < 40


def test_damaged_exif_data_have_no_orientation(tmp_path):
    path = saved(tmp_path / "a.png", RGB, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(decode_image(path, (3, 4, 3)), RGB)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(tmp_path / "a.gif", (1, 1, 3)), [[[255, 0, 0]]])


def test_the_longer_side_is_cropped_around_the_center(tmp_path):
    wide = np.arange(7 * 3, dtype=np.uint8).reshape(3, 7)
    path = saved(tmp_path / "a.png", wide)
    np.testing.assert_array_equal(decode_image(path, (3, 3, 1))[..., 0], wide[:, 2:5])
    path = saved(tmp_path / "b.png", np.ascontiguousarray(wide.T))
    np.testing.assert_array_equal(decode_image(path, (3, 3, 1))[..., 0], wide.T[2:5])


def lanczos(size, n, length):
    """The (n, size) matrix that scales the centered `length` of `size` pixels to n pixels."""
    start, scale = (size - length) / 2, length / n
    centers = start + (np.arange(n)[:, None] + 0.5) * scale
    distance = (np.arange(size) + 0.5 - centers) / max(1, scale)
    weights = np.sinc(distance) * np.sinc(distance / 3) * (abs(distance) < 3)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("size", [(10, 10), (16, 8), (9, 17), (96, 48)])
def test_a_picture_is_resized_by_the_lanczos_filter_and_cropped(tmp_path, size):
    h, w = size
    picture = np.random.default_rng(0).integers(60, 190, (48, 48)).astype(np.uint8)
    path = saved(tmp_path / "a.png", picture)
    rows, columns = lanczos(48, h, min(48, 48 * h / w)), lanczos(48, w, min(48, 48 * w / h))
    expected = rows @ picture @ columns.T
    assert abs(decode_image(path, (h, w, 1))[..., 0] - expected).max() < 1.5


def test_large_reductions_average(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    gray = decode_image(saved(tmp_path / "a.png", stripes), (4, 4, 1)).astype(int)
    assert (abs(gray - 127.5) < 4).all()  # without antialiasing: 0 or 255
    path = saved(tmp_path / "b.png", np.full((1, 5000), 77, np.uint8))
    assert (decode_image(path, (200, 200, 1)) == 77).all()


def test_a_large_jpeg_is_decoded_at_a_reduced_size(tmp_path, monkeypatch):
    ramp = np.add.outer(np.arange(320), np.arange(320)) * 255 // 640
    path = saved(tmp_path / "a.jpg", ramp.astype(np.uint8), quality=95)
    whole = saved(tmp_path / "a.png", ramp.astype(np.uint8))
    sizes, resize = [], Image.Image.resize

    def resized(self, *options, **others):
        sizes.append(self.size)
        return resize(self, *options, **others)

    monkeypatch.setattr(Image.Image, "resize", resized)
    a, b = (decode_image(p, (16, 8, 1)).astype(int) for p in (path, whole))
    assert sizes == [(80, 80), (320, 320)]
    assert abs(a - b).max() <= 2


def damaged(tmp_path, kind):
    path = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (30, 30), np.uint8))
    data = path.read_bytes()
    changed = {
        "empty": b"",
        "text": b"not a picture",
        "truncated": data[:500],
        "start": data[:7],
        "zeros": data[:100] + bytes(300) + data[400:],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    }
    path.write_bytes(changed[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty file"),
        ("text", "not PNG, JPEG, GIF, BMP or WEBP, or damaged at the start"),
        ("start", "not PNG, JPEG"),
        ("postscript", "not PNG, JPEG"),
        ("truncated", r"damaged picture \(image file is truncated"),
        ("zeros", r"damaged picture \("),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(tmp_path, kind, reason):
    path = damaged(tmp_path, kind)
    with pytest.raises(DataError, match=f"^{path}: {reason}") as caught:
        decode_image(path, (3, 3, 1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [8, 4])
def test_too_many_pixels_are_an_error_and_no_warning(tmp_path, monkeypatch, limit):
    """Over the limit Pillow warns, and over twice the limit it raises an error."""
    path = saved(tmp_path / "a.png", GRAY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(DataError, match=f"^{path}: over {limit} pixels, the limit of Pillow"):
            decode_image(path, (3, 4, 1))
    assert warned == []


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none.png: cannot be read \(No such file"):
        decode_image(tmp_path / "none.png", (3, 3, 1))
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory"):
        decode_image(tmp_path, (3, 3, 1))


def test_pillow_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"^images: need Pillow; write pip install .*train"):
        decode_image(tmp_path / "a.png", (3, 3, 1))


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        ((3, 3), ValueError, r"shape \(3, 3\) is wrong; write \(h, w, c\), such as \(64, 64, 3\)"),
        (64, ValueError, "shape 64 is wrong"),
        ((3, 3, 2), ValueError, r"shape \(3, 3, 2\) has 2 channels; write 1 for gray or 3 for RGB"),
        ((0, 3, 1), ValueError, "h 0 must be at least 1"),
        ((3, 2.5, 1), TypeError, "w 2.5 must be an integer"),
    ],
)
def test_wrong_shapes_are_rejected(tmp_path, shape, kind, message):
    with pytest.raises(kind, match=f"^decode_image: {message}"):
        unwrap(decode_image)(tmp_path / "a.png", shape)
