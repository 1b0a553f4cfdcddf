"""Arrays of .npz files: memory maps at the right offset, limits, and damaged files."""

import struct
import sys
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from fcnn.data import DataError, arrays

X = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
GIVEN = {
    "x": X,
    "y": np.arange(5, dtype=np.int32),
    "fortran": np.asfortranarray(X),
    "scalar": np.float64(3),
    "empty": np.zeros((0, 3), np.uint8),
    "names": np.array(["cat", "dögs"]),
    "a/mask": np.arange(5) > 2,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def member(array):
    """The bytes of an .npy file."""
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def rejects(path, message):
    with pytest.raises(DataError, match=message) as caught:
        arrays(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_all_arrays_are_read_and_refuse_writing(path, save):
    save(path, **GIVEN)
    found = arrays(str(path))
    assert list(found) == list(GIVEN)
    for name, expected in GIVEN.items():
        assert found[name].dtype == expected.dtype
        assert found[name].shape == expected.shape
        np.testing.assert_array_equal(found[name], expected)
        with pytest.raises(ValueError, match="read-only"):
            found[name][...] = 0
    assert found["fortran"].flags.f_contiguous
    mapped = {name for name, a in found.items() if isinstance(a, np.memmap)}
    assert mapped == (set(GIVEN) - {"empty"} if save is np.savez else set())


def test_a_map_at_any_offset_is_a_batch_and_a_jax_array(path):
    """The values start at an offset that no alignment of floats divides."""
    np.savez(path, xyz=X)
    found = arrays(path)["xyz"]
    assert found.offset % 4
    np.testing.assert_array_equal(found[[3, 1]], X[[3, 1]])
    np.testing.assert_array_equal(jnp.asarray(found), X)


def test_maps_are_found_after_extra_fields(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"made by hand"
        info = zipfile.ZipInfo("x.npy")
        info.extra = struct.pack("<HH5s", 0x7777, 5, b"extra")
        archive.writestr(info, member(X))
        archive.writestr("y.npy", member(GIVEN["y"]), zipfile.ZIP_BZIP2)
    found = arrays(path)
    assert isinstance(found["x"], np.memmap)
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["y"], GIVEN["y"])


def test_a_map_uses_no_memory(path):
    np.savez(path, x=np.zeros(10**7, np.uint8))
    tracemalloc.start()
    arrays(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.array([1, "a", None], object),
            "'x' holds Python objects, which are not unpickled",
        ),
        (X.astype(">f4"), r"'x' holds big-endian >f4; save it with .astype\('<f4'\)"),
        (np.array(["a"], ">U3"), r"'x' holds big-endian >U3; save it with .astype\('<U3'\)"),
        (np.zeros(2, [("a", "f4")]), r"'x' holds .*, not numbers, bools or strings; save it with"),
        (np.zeros(2, "M8[s]"), r"'x' holds datetime64\[s\], not numbers"),
        (
            np.asarray(jnp.zeros(2, jnp.bfloat16)),
            r"'x' holds .*V2.*, not numbers, bools",
        ),
    ],
)
def test_other_kinds_of_arrays_are_rejected(path, save, array, message):
    save(path, x=array)
    rejects(path, message)


class Unpickled:
    """An object that leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(path, tmp_path):
    np.savez(path, x=np.array([Unpickled(tmp_path / "trace")]))
    rejects(path, "Python objects")
    assert not (tmp_path / "trace").exists()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)


NPY = member(X)
HUGE = NPY.replace(b"(5, 3, 4)", b"(5000000, 3, 4)").replace(b" " * 6 + b"\n", b"\n")
NEGATIVE = NPY.replace(b"(5, 3, 4)", b"(-5,-3,4)")
FILES = {
    "one array": (lambda p: p.write_bytes(NPY), r"is one array, without its labels; save .*savez"),
    "text": (lambda p: p.write_text("x,y"), "not an .npz file; save images and labels in one"),
    "empty file": (lambda p: p.touch(), "not an .npz file"),
    "no arrays": (lambda p: archive(p, []), "contains no arrays; save images and labels in one"),
    "other member": (lambda p: archive(p, [("a.txt", "")]), r"'a\.txt' is not an array; save"),
    "line break": (lambda p: archive(p, [("a\nb", "")]), r"'a\\nb' is not an array; save"),
    "no header": (
        lambda p: archive(p, [("x.npy", b"text")]),
        "damaged .npz file .*; save it again",
    ),
    "huge shape": (
        lambda p: archive(p, [("x.npy", HUGE)]),
        f"'x.npy' announces 240,000,128 bytes but holds {len(HUGE)}; save the file again",
    ),
    "huge compressed shape": (
        lambda p: archive(p, [("x.npy", HUGE)], zipfile.ZIP_DEFLATED),
        f"'x.npy' announces 240,000,128 bytes but holds {len(HUGE)}; save the file again",
    ),
    "negative shape": (lambda p: archive(p, [("x.npy", NEGATIVE)]), "'x' has the shape"),
    "more bytes": (
        lambda p: archive(p, [("x.npy", NPY + b"1")]),
        "368 bytes but holds 369",
    ),
    "more compressed bytes": (
        lambda p: archive(p, [("x.npy", NPY + b"1")], zipfile.ZIP_DEFLATED),
        "368 bytes but holds 369",
    ),
    "version": (
        lambda p: archive(p, [("x.npy", NPY[:6] + b"\x09" + NPY[7:])]),
        "damaged .npz file",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_other_files_are_rejected(path, kind):
    write, message = FILES[kind]
    write(path)
    tracemalloc.start()
    rejects(path, message)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_files_are_rejected(path, save):
    save(path, **GIVEN)
    data = path.read_bytes()
    for end in (len(data) - 1, len(data) // 2, 40):
        path.write_bytes(data[:end])
        rejects(path, "damaged .npz file .*; save it again")
    path.write_bytes(data[:100] + data[200:])
    rejects(path, "; save")


def test_a_flipped_bit_of_a_compressed_array_is_found(path):
    np.savez_compressed(path, x=np.random.default_rng(0).random(100))
    data = bytearray(path.read_bytes())
    data[400] ^= 1
    path.write_bytes(data)
    rejects(path, "damaged .npz file")


def test_duplicate_names_are_rejected(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", NPY)
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("x.npy", NPY)
    rejects(path, "contains 'x.npy' 2 times")


def test_a_large_ratio_of_compression_is_rejected(path, monkeypatch):
    np.savez_compressed(path, x=np.zeros(10**6, np.uint8))
    assert arrays(path)["x"].shape == (10**6,)
    monkeypatch.setattr(sys.modules["fcnn.data.arrays"], "SMALL", 10**6)
    what = r"'x.npy' announces 1,000,128 bytes, over 200 times its compressed [\d,]+"
    rejects(path, f"{what}; save it by np.savez, which is memory-mapped")


def test_the_total_of_compressed_arrays_is_limited(path, monkeypatch):
    monkeypatch.setattr(sys.modules["fcnn.data.arrays"], "LARGEST", 600)
    np.savez_compressed(path, a=X)
    arrays(path)
    np.savez_compressed(path, a=X, b=X)
    rejects(path, "compressed arrays announce 736 bytes, over 600; save it by np.savez")
    np.savez(path, a=X, b=X)
    arrays(path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    rejects(tmp_path / "none.npz", r"cannot be read \(No such file or directory\)")
    rejects(tmp_path, r"cannot be read \(Is a directory\)")
    (tmp_path / "a.csv").write_text("1,2")
    rejects(tmp_path / "a.csv", "is a CSV file, which is not supported; save images and labels")
