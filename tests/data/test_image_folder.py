"""Images of class folders: order, cache, broken files, and error messages of one line."""

import errno
import os
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from inspect import unwrap
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from child import started
from PIL import Image

from fcnn.data import DataError, image_folder
from fcnn.data.images import cache as caches, in_threads


def draw(path, value=0, size=(4, 3), mode="L"):
    """A picture of one gray value or color."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


NAMES = ("cat/2.png", "cat/10.png", "dog/a.png", "dog/B.png", "dog/c.png")


@pytest.fixture
def folder(tmp_path):
    """Two classes of gray images; all pixels of image i have the value i."""
    for i, name in enumerate(NAMES):
        draw(tmp_path / "train" / name, i)
    return tmp_path / "train"


@pytest.fixture
def read(folder, tmp_path):
    """image_folder of `folder` with a cache in tmp_path."""
    return lambda **options: image_folder(folder, **{"cache": tmp_path / "cache"} | options)


@pytest.fixture
def opened(monkeypatch):
    """The number of images that are opened, as the length of a list."""
    times, open_image = [], Image.open
    counted = lambda *options, **others: times.append(1) or open_image(*options, **others)
    monkeypatch.setattr(Image, "open", counted)
    return times


def rejects(message, call):
    """Check that `call` raises a DataError with one line that matches, and return the line."""
    with pytest.raises(DataError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_are_in_natural_order_of_classes_and_names(read):
    images = read()
    assert images.classes == ("cat", "dog")
    assert images.files == NAMES
    assert images.skipped == ()
    assert images.y.dtype == np.int32
    np.testing.assert_array_equal(images.y, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(
        images.x, np.full((5, 3, 4, 1), np.arange(5)[:, None, None, None])
    )


def test_names_that_differ_in_case_or_zeros_have_one_order(tmp_path):
    for name in ("A/1.png", "a/01.PNG", "a/1.png", "a/1.jpeg", "a/.hidden.png", "a/notes.txt"):
        draw(tmp_path / "f" / name) if name[-3:] != "txt" else (tmp_path / "f" / name).touch()
    draw(tmp_path / "f" / "beside.png")
    draw(tmp_path / "f" / ".git" / "1.png")
    images = image_folder(tmp_path / "f", cache=tmp_path / "cache")
    assert images.classes == ("A", "a")
    assert images.files == ("A/1.png", "a/1.jpeg", "a/01.PNG", "a/1.png")


def test_pixels_are_a_memory_map_that_refuses_writing(read):
    for _ in range(2):
        x = read().x
        assert isinstance(x, np.memmap)
        assert x.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 1


def test_the_common_size_and_channels_are_found(folder, read):
    draw(folder / "cat/red.png", (255, 0, 0), mode="RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (3, 4), 9).save(folder / "dog/rotated.png", exif=exif)
    images = read()
    assert images.x.shape == (7, 3, 4, 3)
    np.testing.assert_array_equal(images.x[images.files.index("cat/red.png"), 0, 0], [255, 0, 0])
    assert (images.x[-1] == 9).all()
    draw(folder / "dog/large.png", size=(40, 30))
    line = rejects("images of 2 sizes", read)
    sizes = "images of 2 sizes, 3×4 (7 images), 30×40 (1 images)"
    assert line == f"{folder}: {sizes}; write shape=(64, 64, 3) (--size 64)"
    assert read(shape=(6, 6, 1)).x.shape == (8, 6, 6, 1)
    assert str(read(shape=(6, 6, 1))).startswith(
        "ImageFolder(x uint8(8, 6, 6, 1), y int32(8,), 2 c"
    )


def test_given_classes_decide_the_labels_and_some_may_be_missing(read, folder):
    images = read(classes=["dog", "bird", "cat"])
    assert images.classes == ("dog", "bird", "cat")
    assert images.files == NAMES
    np.testing.assert_array_equal(images.y, [2, 2, 0, 0, 0])
    shutil.rmtree(folder / "cat")
    np.testing.assert_array_equal(read(classes=("cat", "dog")).y, [1, 1, 1])
    line = rejects("dog: not one", lambda: read(classes=("cat", "dogs")))
    assert line == f"{folder / 'dog'}: not one of the classes cat, dogs; did you mean dogs?"


def test_unchanged_images_are_decoded_once(read, opened):
    first, n = read(), len(opened)
    assert n == 10  # 5 headers and 5 pictures
    for options in ({}, {"classes": ("dog", "cat")}, {"broken": "skip"}):
        assert (read(**options).x == first.x).all()
    assert len(opened) == n
    assert read().sha256 == first.sha256 != read(classes=("dog", "cat")).sha256
    assert read(shape=(3, 4, 1)).sha256 == first.sha256
    assert len(opened) == n + 5


CHANGES = {
    "other pixels": (lambda f: draw(f / "cat/2.png", 77), [77, 1, 2, 3, 4]),
    "other time": (lambda f: os.utime(f / "cat/2.png", (1, 1)), [0, 1, 2, 3, 4]),
    "added": (lambda f: draw(f / "cat/3.png", 9), [0, 9, 1, 2, 3, 4]),
    "removed": (lambda f: (f / "cat/2.png").unlink(), [1, 2, 3, 4]),
    "renamed": (lambda f: (f / "cat/2.png").rename(f / "dog/d.png"), [1, 2, 3, 4, 0]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_images_are_decoded_again(folder, read, tmp_path, what):
    before = read()
    change, values = CHANGES[what]
    change(folder)
    images = read()
    np.testing.assert_array_equal(images.x[:, 0, 0, 0], values)
    assert (images.sha256 == before.sha256) == (what == "other time")
    np.testing.assert_array_equal(before.x[:, 0, 0, 0], range(5))  # old maps keep their pixels
    (place,) = (tmp_path / "cache").iterdir()
    assert place.stat().st_mode == folder.stat().st_mode  # others may read it


def edited(path, *change):
    path.write_text(path.read_text().replace(*change))


DAMAGES = {
    "truncated pixels": lambda d: os.truncate(d / "x.npy", 150),
    "other pixels": lambda d: (d / "x.npy").write_bytes(
        (d / "x.npy").read_bytes()[:-9] + b"\7" * 9
    ),
    "no pixels": lambda d: (d / "x.npy").unlink(),
    "truncated manifest": lambda d: os.truncate(d / "manifest.json", 60),
    "list": lambda d: (d / "manifest.json").write_text("[]"),
    "bytes": lambda d: (d / "manifest.json").write_bytes(b"\xff\0"),
    "other sha256": lambda d: edited(d / "manifest.json", '"sha256": "', '"sha256": "0'),
    "no manifest": lambda d: (d / "manifest.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(read, opened, tmp_path, damage):
    before = read(shape=(3, 4, 1))
    (place,) = (tmp_path / "cache").iterdir()
    DAMAGES[damage](place)
    assert len(opened) == 5
    images = read(shape=(3, 4, 1))
    np.testing.assert_array_equal(images.x[:, 0, 0, 0], range(5))
    assert images.sha256 == before.sha256
    assert len(opened) == 10
    read(shape=(3, 4, 1))
    assert len(opened) == 10
    assert sorted(p.name for p in place.iterdir()) == ["manifest.json", "x.npy"]


def test_a_cache_of_another_format_is_made_again(read, opened, monkeypatch):
    read(shape=(3, 4, 1))
    monkeypatch.setattr(caches, "FORMAT", caches.FORMAT + 1)
    read(shape=(3, 4, 1))
    assert len(opened) == 10


def test_the_fingerprint_depends_on_names_labels_and_pixels(folder, read, tmp_path):
    first = read().sha256
    shutil.copytree(folder, tmp_path / "copy")
    assert image_folder(tmp_path / "copy", cache=tmp_path / "cache").sha256 == first
    seen = {first}
    changes = (
        lambda: draw(folder / "dog/c.png", 5),
        lambda: (folder / "dog/c.png").rename(folder / "dog/d.png"),
        lambda: (folder / "dog").rename(folder / "cow"),
    )
    for change in changes:
        change()
        seen.add(read().sha256)
    assert len(seen) == 4


def test_a_broken_image_is_refused_or_skipped(folder, read, opened):
    draw(folder / "cat/3.png", size=(4000, 3))
    os.truncate(folder / "cat/3.png", 50)
    (folder / "dog/zz.png").write_text("text")
    reason = f"{folder / 'cat/3.png'}: damaged picture (image file is truncated)"
    line = rejects("3.png", read)
    assert line == f"{reason}; remove the file, or write broken='skip' (--broken skip)"
    images = read(broken="skip")
    assert images.files == NAMES
    np.testing.assert_array_equal(images.x[:, 0, 0, 0], range(5))
    assert images.skipped[0] == reason
    assert images.skipped[1].startswith(f"{folder / 'dog/zz.png'}: not PNG")
    n = len(opened)
    assert read(broken="skip").skipped == images.skipped
    assert rejects("3.png", read) == line  # also from the cache
    assert len(opened) == n


def test_broken_images_leave_no_class_empty(folder, read):
    for name in ("2.png", "10.png"):
        (folder / "cat" / name).write_bytes(b"")
    line = rejects("all images", lambda: read(broken="skip"))
    assert line == f"{folder / 'cat'}: all images are broken; cat/2.png: empty file"
    for path in folder.glob("dog/*"):
        path.write_bytes(b"")
    for options in ({}, {"shape": (3, 4, 1)}):
        line = rejects("empty", partial(read, broken="skip", **options))
        assert line == f"{folder / 'cat/2.png'}: empty file; remove the file"


def test_an_unreadable_image_is_not_skipped(folder, read):
    (folder / "cat/0.png").symlink_to(folder / "none")
    line = rejects("0.png", lambda: read(broken="skip"))
    assert line == f"{folder / 'cat/0.png'}: cannot be read (No such file or directory)"


def test_images_stay_in_order_if_few_may_wait(read, monkeypatch):
    monkeypatch.setattr(in_threads, "AHEAD", 3)
    np.testing.assert_array_equal(read().x[:, 0, 0, 0], range(5))


def test_progress_is_reported(read):
    seen = []
    read(report=lambda *counts: seen.append(counts))
    read(report=lambda *counts: seen.append(counts))
    assert seen == [(i, 5) for i in range(1, 6)]


def test_an_interrupt_leaves_nothing(read, tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(report=interrupt)
    assert list((tmp_path / "cache").iterdir()) == []


def test_another_process_may_write_the_cache_in_between(folder, read, tmp_path):
    images = read(report=lambda done, total: done == 3 and read())
    np.testing.assert_array_equal(images.x[:, 0, 0, 0], range(5))

    def change_and_read(done, total):
        if done == 5:
            draw(folder / "cat/2.png", 77)
            assert read().x[0, 0, 0, 0] == 77

    os.utime(folder / "cat/2.png", (1, 1))
    assert read(report=change_and_read).x[0, 0, 0, 0] == 0
    assert read().x[0, 0, 0, 0] == 77
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_threads_make_one_cache_at_once(read, tmp_path):
    barrier = Barrier(6)
    together = lambda _: (barrier.wait(), read())[1]
    with ThreadPoolExecutor(6) as pool:
        for images in pool.map(together, range(6)):
            np.testing.assert_array_equal(images.x[:, 0, 0, 0], range(5))
    assert len(list((tmp_path / "cache").iterdir())) == 1


PROGRAM = """
import sys, time
from pathlib import Path
from fcnn.data import image_folder
own, other = map(Path, sys.argv[3:])
def meet(done, total):
    if done == 1:
        own.touch()
        while not other.exists():
            time.sleep(0.01)
images = image_folder(sys.argv[1], cache=sys.argv[2], report=meet)
print(images.sha256, images.x[:, 0, 0, 0])
"""


def test_two_processes_make_one_cache_at_once(folder, read, tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    words = ("-c", PROGRAM, folder, tmp_path / "cache")
    with ExitStack() as stack:
        runs = [stack.enter_context(started(*map(str, [*words, *p]))) for p in ((a, b), (b, a))]
        results = [run.communicate() for run in runs]
    assert results == [(f"{read().sha256} [0 1 2 3 4]\n", "")] * 2
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_full_disk_leaves_nothing(folder, read, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    try:
        line = rejects("cache", lambda: read(shape=(100, 100, 1)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    what = "the cache of images cannot be written (File too large)"
    assert line == f"{tmp_path / 'cache'}: {what}; give cache=FOLDER (--cache FOLDER)"
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(read(shape=(100, 100, 1)).x) == 5


def test_a_small_disk_is_an_error_before_decoding(read, opened, tmp_path, monkeypatch):
    free = shutil._ntuple_diskusage(100, 41, 59)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    line = rejects("cache", lambda: read(shape=(3, 4, 1)))
    assert "cannot be written (No space left on device for 60 bytes); give cache=" in line
    assert opened == []


def test_a_cache_in_a_read_only_folder_is_read(read, opened, tmp_path, monkeypatch):
    def read_only(path, *options, **others):
        if ".part-" in path.name:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = read()
    monkeypatch.setattr(Path, "mkdir", read_only)
    n = len(opened)
    assert read().sha256 == before.sha256
    assert len(opened) == n
    line = rejects("cache", lambda: read(shape=(2, 2, 1)))
    assert "cannot be written (Read-only file system); give cache=FOLDER (--cache FOLDER)" in line


def test_a_file_in_the_place_of_the_cache_is_an_error(read, tmp_path):
    (tmp_path / "file").touch()
    rejects("cannot be written", lambda: read(cache=tmp_path / "file"))
    rejects("cannot be written", lambda: read(cache=tmp_path / "file" / "cache"))


def test_the_cache_lies_outside_of_the_images(folder, read):
    line = rejects("lies in", lambda: read(cache=folder / "cache"))
    assert line.endswith("cache: lies in the folder of the images; give another folder as cache")
    assert sorted(p.name for p in folder.iterdir()) == ["cat", "dog"]


def test_parts_of_killed_processes_are_removed_after_a_day(read, tmp_path):
    read()
    (place,) = (tmp_path / "cache").iterdir()
    new, old = (tmp_path / "cache" / f"{place.name}.part-{name}" for name in ("new", "old"))
    for part in (new, old):
        part.mkdir()
        (part / "x.npy").touch()
    for path in (old / "x.npy", old):
        os.utime(path, (1, 1))
    (place / "manifest.json").unlink()
    read()
    assert sorted((tmp_path / "cache").iterdir()) == [place, new]


def test_the_default_cache_is_in_the_home_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    image_folder(folder)
    assert len(list((tmp_path / "home/.cache/fcnn/images").iterdir())) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    image_folder(folder)
    assert len(list((tmp_path / "xdg/fcnn/images").iterdir())) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    line = rejects("no home", lambda: image_folder(folder))
    assert line == "there is no home folder; give cache=FOLDER (--cache FOLDER)"


LAYOUTS = {
    "missing": ([], ": no such folder; name the folder that contains a folder for each class"),
    "empty": (
        ["/"],
        ": no class folders; put the images of each class into its folder: FOLDER",
    ),
    "flat": (["1.png"], ": images outside of class folders; put the images of each class into"),
    "one class": (["cat/1.png"], ": one class only, cat; add a folder for each other class"),
    "no images": (["a/1.png", "b/1.tif"], "/b: no images, which end in .png, .jpg, .jpeg, .gif"),
    "parts": (
        ["test/cat/1.png", "train/cat/1.png"],
        ": train contains the class folder cat; name FOLDER/train",
    ),
    "one part": (["data/cat/1.png"], ": data contains the class folder cat; name FOLDER/data"),
    "mixed": (
        ["cat/1.png", "cat/more/2.png", "dog/1.png"],
        "/cat/more: images below a class folder; move them to FOLDER/cat",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_are_rejected_with_a_remedy(tmp_path, layout):
    names, message = LAYOUTS[layout]
    for name in names:
        path = tmp_path / "f" / name.strip("/")
        if name.endswith("/"):
            path.mkdir()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    line = rejects(str(tmp_path), lambda: image_folder(tmp_path / "f", cache=tmp_path / "cache"))
    assert line.startswith(f"FOLDER{message}".replace("FOLDER", str(tmp_path / "f")))
    assert not (tmp_path / "cache").exists()


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "a.zip").touch()
    rejects("a.zip: not a folder; name the folder", lambda: image_folder(tmp_path / "a.zip"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (3, 4)}, r"shape \(3, 4\) is wrong; write \(h, w, c\)"),
        ({"broken": "drop"}, "broken 'drop' must be 'refuse' or 'skip'"),
        ({"classes": "cat"}, r"classes 'cat' must be names, such as \('cat', 'dog'\)"),
        ({"classes": (1, 2)}, r"classes \(1, 2\) must be names"),
        ({"classes": ("cat", "cat")}, r"classes \('cat', 'cat'\) must differ from each other"),
    ],
)
def test_wrong_options_are_rejected(folder, options, message):
    with pytest.raises(ValueError, match=f"^image_folder: {message}"):
        unwrap(image_folder)(folder, **options)
