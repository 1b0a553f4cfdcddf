"""Data files may be renamed, moved or packed. Files of other formats are rejected."""

import gzip
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from test_data import IMAGES, RECORD, pack, write_cifar, write_mnist

from fcnn.data import DataError, load


def renamed(change):
    """A layout: a function that moves each file of a folder to change(name)."""

    def apply(folder):
        for path in sorted(folder.iterdir()):
            aside, target = path.rename(folder / "aside"), folder / change(path.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.rename(target)

    return apply


def rewritten(change):
    """A layout: a function that replaces the content of each file by change(content)."""

    def apply(folder):
        for path in sorted(folder.iterdir()):
            path.write_bytes(change(path.read_bytes()))

    return apply


def torchvision(folder):
    """The layout of torchvision: MNIST/raw has each file packed and unpacked."""
    write_mnist(folder / "MNIST" / "raw", zipped=False)
    write_mnist(folder / "FashionMNIST" / "raw", images=3)
    for path in sorted(folder.glob("*.gz")):
        path.rename(folder / "MNIST" / "raw" / path.name)


LAYOUTS = {
    "a dot for a dash": renamed(lambda name: name.replace("-idx", ".idx").removesuffix(".gz")),
    "upper case": renamed(str.upper),
    ".gz twice": renamed(lambda name: f"{name}.gz"),
    "no ending": renamed(lambda name: name.removesuffix(".gz")),
    "downloaded twice": renamed(lambda name: name.replace(".gz", " (1).gz")),
    "short names": renamed(lambda name: name.replace("-idx3-ubyte", "").replace("-idx1-ubyte", "")),
    "a folder for each": renamed(lambda name: f"{name}/{name.removesuffix('.gz')}"),
    "a subfolder": renamed(lambda name: f"archive/MNIST/raw/{name}"),
    "unpacked under the old name": rewritten(gzip.decompress),
    "packed twice": rewritten(gzip.compress),
    "torchvision": torchvision,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mnist_is_read_in_every_layout(tmp_path, layout):
    LAYOUTS[layout](write_mnist(tmp_path))
    data = load("mnist", tmp_path)
    np.testing.assert_array_equal(data.train.y, [0, 2, 4, 6, 8, 9])
    np.testing.assert_allclose(data.test.x[5], 5 / 255)


def test_another_data_set_in_the_folder_is_not_read(tmp_path):
    write_mnist(tmp_path / "MNIST" / "raw")
    with pytest.raises(DataError, match="train-images-idx3-ubyte: no such file"):
        load("fashion_mnist", tmp_path)
    write_mnist(tmp_path / "FashionMNIST" / "raw", images=3)
    assert len(load("fashion_mnist", tmp_path).train.y) == 3
    assert len(load("mnist", tmp_path).train.y) == 6


def test_a_data_set_in_two_subfolders_is_rejected(tmp_path):
    for name in ("a", "b"):
        write_mnist(tmp_path / name)
    with pytest.raises(DataError, match=r"train-images.* is in .*a and in .*b; name one"):
        load("mnist", tmp_path)


def test_the_error_names_an_archive_to_unpack(tmp_path):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    for name in ("mnist", "cifar10"):
        with pytest.raises(
            DataError,
            match=r"no such .*; unpack archive.zip there, give another .*, or write download=True",
        ):
            load(name, tmp_path)


def huge(shape, count=5 * 10**7):
    """A small gzip file of an IDX header and `count` zeros."""
    pack = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [pack.compress(struct.pack(">4B3I", 0, 0, 8, 3, *shape))]
    parts += [pack.compress(bytes(10**6)) for _ in range(count // 10**6)]
    return b"".join([*parts, pack.flush()])


def zipped(folder):
    with zipfile.ZipFile(folder / IMAGES, "w") as file:
        file.writestr("train-images-idx3-ubyte", "")


BAD = {
    "decompression bomb": (
        lambda d: (d / IMAGES).write_bytes(huge((6, 28, 28))),
        "announces 6×28×28 bytes but holds more than 70240; fetch",
    ),
    "announced size too large": (
        lambda d: (d / IMAGES).write_bytes(huge((2**31, 2**16, 2**16), count=0)),
        "announces 2147483648×65536×65536 bytes, over 268,435,456; is it another file",
    ),
    "far fewer bytes than announced": (
        lambda d: (d / IMAGES).write_bytes(huge((10**4, 150, 150), count=10**6)),
        "announces 10000×150×150 bytes but holds 1000000; fetch",
    ),
    "gzipped five times": (
        lambda d: [
            (d / IMAGES).write_bytes(gzip.compress((d / IMAGES).read_bytes())) for _ in range(4)
        ],
        "cannot be read: it starts with 1f 8b",
    ),
    "zip": (zipped, "cannot be read: it is a zip archive; unpack it first"),
    "web page": (
        lambda d: (d / IMAGES).write_bytes(b"<!DOCTYPE html><html>404</html>"),
        "cannot be read: it is a web page, not the file",
    ),
    "a folder of that name": (
        lambda d: [(d / IMAGES).unlink(), (d / IMAGES).mkdir()],
        "no such file, nor one in a subfolder",
    ),
}


@pytest.mark.parametrize("damage", BAD)
def test_damaged_files_are_rejected_in_one_line_and_with_little_memory(tmp_path, damage):
    damage_files, message = BAD[damage]
    damage_files(write_mnist(tmp_path))
    tracemalloc.start()
    with pytest.raises(DataError, match=message) as caught:
        load("mnist", tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
    assert str(tmp_path / "train-images-idx3-ubyte") in str(caught.value)
    assert "\n" not in str(caught.value)


CIFAR = {
    "in subfolders": lambda d: renamed(lambda name: f"data/CIFAR10/{name}")(d),
    "upper case": lambda d: renamed(str.upper)(d / "cifar-10-batches-bin"),
    "packed, one level down": lambda d: [
        pack(d, d / "cifar-10-batches-bin"),
        renamed(lambda name: f"CIFAR10/{name}")(d),
    ],
    "packed, ungzipped under the old name": lambda d: [
        pack(d, d / "cifar-10-batches-bin"),
        rewritten(gzip.decompress)(d),
    ],
    "packed, packed again, renamed": lambda d: [
        pack(d, d / "cifar-10-batches-bin"),
        rewritten(gzip.compress)(d),
        renamed(lambda name: "cifar10.tar.gz.gz")(d),
    ],
    "each batch packed": lambda d: [
        rewritten(gzip.compress)(d / "cifar-10-batches-bin"),
        renamed(lambda name: f"{name}.gz")(d / "cifar-10-batches-bin"),
    ],
}


@pytest.mark.parametrize("layout", CIFAR)
def test_cifar_is_read_in_every_layout(tmp_path, layout):
    write_cifar(tmp_path)
    CIFAR[layout](tmp_path)
    data = load("cifar10", tmp_path)
    assert data.train.x.shape == (10, 32, 32, 3)
    np.testing.assert_allclose(data.test.x[0, 0, 0] * 255, [10, 20, 30], rtol=1e-6)


def python_version(folder, *, packed):
    inner = folder / "cifar-10-batches-py"
    inner.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (inner / name).write_bytes(pickle.dumps({"labels": []}))
    if packed:
        with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as tar:
            tar.add(inner, arcname=inner.name)
        for path in inner.iterdir():
            path.unlink()


@pytest.mark.parametrize("packed", [True, False])
def test_an_error_names_the_python_version_of_cifar(tmp_path, packed):
    python_version(tmp_path, packed=packed)
    with pytest.raises(DataError, match=r"is the Python version of CIFAR-10; fetch the binary one"):
        load("cifar10", tmp_path)
    write_cifar(tmp_path)
    assert len(load("cifar10", tmp_path).train.y) == 10


def test_an_error_names_the_matlab_version_of_cifar(tmp_path):
    (tmp_path / "data_batch_1.mat").write_bytes(b"MATLAB")
    with pytest.raises(DataError, match=r"is the MATLAB version of CIFAR-10; fetch the binary one"):
        load("cifar10", tmp_path)


def test_a_decompression_bomb_among_the_batches_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr("fcnn.data.cifar.LARGEST", 3 * RECORD)
    inner = write_cifar(tmp_path)
    (inner / "test_batch.bin").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DataError, match=r"test_batch.bin: holds over 9,219 bytes, more than a"):
        load("cifar10", tmp_path)
