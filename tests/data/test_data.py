"""Readers of data files: the bytes of each format, and one-line errors for damaged files."""

import gzip
import io
import struct
import tarfile

import numpy as np
import pytest

from fcnn.data import NAMES, DataError, load

RECORD = 3073


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_mnist(folder, *, zipped=True, images=6, labels=None, top=9, size=28):
    """Write MNIST files in which each pixel of image i is i, and label i is min(2 i, top)."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix in ("train", "t10k"):
        x = np.broadcast_to(np.arange(images)[:, None, None], (images, size, size))
        y = np.minimum(np.arange(images if labels is None else labels) * 2, top)
        for name, array in ((f"{prefix}-images-idx3-ubyte", x), (f"{prefix}-labels-idx1-ubyte", y)):
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / name).write_bytes(idx(array))
    return folder


def write_cifar(folder, *, label=9):
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir()
    planes = np.repeat([10, 20, 30], 1024).astype(np.uint8)
    planes[1] = 200  # row 0, column 1 of the red plane
    record = np.concatenate([[label], planes]).astype(np.uint8).tobytes()
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        (inner / name).write_bytes(record * 2)
    return inner


def pack(folder, inner):
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        tar.add(inner, arcname=inner.name)
    for path in inner.iterdir():
        path.unlink()
    inner.rmdir()


def test_digits_are_a_fixed_split_of_1797_images():
    data = load("digits")
    assert data.train.x.shape == (1437, 8, 8, 1)
    assert data.test.x.shape == (360, 8, 8, 1)
    assert (data.train.x.min(), data.train.x.max()) == (0, 1)
    assert (np.bincount(data.test.y) >= 34).all()
    seen = {x.tobytes() for x in data.train.x}
    assert sum(x.tobytes() in seen for x in data.test.x) == 0
    np.testing.assert_array_equal(data.test.y, load("digits", download=True).test.y)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_idx_files_are_read_gzipped_or_plain_from_a_folder_or_subfolder(tmp_path, zipped, nested):
    folder = tmp_path / "mnist" if nested else tmp_path
    folder.mkdir(exist_ok=True)
    write_mnist(folder, zipped=zipped)
    data = load("mnist", tmp_path)
    assert data.shape == (28, 28, 1)
    np.testing.assert_array_equal(data.train.y, [0, 2, 4, 6, 8, 9])
    np.testing.assert_allclose(data.test.x[5], 5 / 255)
    assert data.train.x.dtype == np.float32
    assert len(load("fashion_mnist", folder).classes) == 10


def test_the_environment_may_give_the_data_folder(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    monkeypatch.setenv("FCNN_DATA", str(tmp_path))
    assert len(load("mnist").train.y) == 6


@pytest.mark.parametrize("packed", [True, False])
def test_color_planes_of_cifar_become_channels(tmp_path, packed):
    inner = write_cifar(tmp_path)
    if packed:
        pack(tmp_path, inner)
    data = load("cifar10", tmp_path)
    assert data.train.x.shape == (10, 32, 32, 3)
    assert data.test.x.shape == (2, 32, 32, 3)
    np.testing.assert_allclose(
        data.train.x[0, 0, :2] * 255, [[10, 20, 30], [200, 20, 30]], rtol=1e-6
    )
    assert data.classes[data.train.y[0]] == "truck"


def cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
rezip = lambda path, f: path.write_bytes(gzip.compress(f(gzip.decompress(path.read_bytes()))))
DAMAGE = {
    "truncated gz": (
        lambda d: cut(d / IMAGES, 40),
        IMAGES,
        "cannot be read .*fetch the file again",
    ),
    "corrupt gz": (lambda d: (d / IMAGES).write_bytes(b"no gzip at all"), IMAGES, "cannot be read"),
    "bit flipped": (
        lambda d: (d / IMAGES).write_bytes(
            (raw := (d / IMAGES).read_bytes())[:-9] + b"\1" + raw[-8:]
        ),
        IMAGES,
        "cannot be read",
    ),
    "empty": (lambda d: (d / IMAGES).write_bytes(b""), IMAGES, "0 bytes are too few"),
    "cut in the header": (
        lambda d: rezip(d / IMAGES, lambda raw: raw[:9]),
        IMAGES,
        "9 bytes are too few",
    ),
    "wrong magic": (
        lambda d: rezip(d / IMAGES, lambda raw: b"\0\0\x0d" + raw[3:]),
        IMAGES,
        "starts with 00 00 0d 03, but .* 00 00 08 03",
    ),
    "labels for images": (
        lambda d: (d / IMAGES).write_bytes((d / LABELS).read_bytes()),
        IMAGES,
        "starts with 00 00 08 01",
    ),
    "short": (
        lambda d: rezip(d / IMAGES, lambda raw: raw[:-1]),
        IMAGES,
        "6×28×28 bytes but holds 4703",
    ),
    "long": (lambda d: rezip(d / IMAGES, lambda raw: raw + b"x"), IMAGES, "but holds 4705"),
    "missing": (
        lambda d: (d / IMAGES).unlink(),
        IMAGES[:-3],
        "no such file, nor .*gz; .*--data-dir",
    ),
    "counts disagree": (
        lambda d: write_mnist(d, labels=5),
        LABELS,
        "5 labels, but .* holds 6 images",
    ),
    "label out of range": (lambda d: write_mnist(d, top=10), LABELS, "label 10 at position 5"),
    "no images": (lambda d: write_mnist(d, images=0), IMAGES, "no images"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_idx_error_is_one_line_with_the_file(tmp_path, damage):
    damage_files, file, message = DAMAGE[damage]
    damage_files(write_mnist(tmp_path))
    with pytest.raises(DataError, match=message) as caught:
        load("mnist", tmp_path)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_training_and_test_images_of_different_sizes_are_rejected(tmp_path):
    write_mnist(tmp_path)
    x = np.zeros((6, 20, 20))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)))
    with pytest.raises(DataError, match="training images are 28×28 but test images 20×20"):
        load("mnist", tmp_path)


CIFAR_DAMAGE = {
    "short record": (
        lambda d: cut(d / "data_batch_3.bin", 2 * RECORD - 1),
        "data_batch_3.bin: 6145 bytes",
    ),
    "empty": (lambda d: (d / "test_batch.bin").write_bytes(b""), "test_batch.bin: 0 bytes"),
    "missing": (lambda d: (d / "data_batch_5.bin").unlink(), "data_batch_5.bin: cannot be read"),
    "no test": (lambda d: (d / "test_batch.bin").unlink(), "test_batch.bin: cannot be read"),
    "label": (
        lambda d: (d / "test_batch.bin").write_bytes(b"\x0a" * RECORD),
        "label 10 in record 0",
    ),
}


@pytest.mark.parametrize("damage", CIFAR_DAMAGE)
def test_damaged_cifar_error_is_one_line_with_the_file(tmp_path, damage):
    damage_files, message = CIFAR_DAMAGE[damage]
    damage_files(write_cifar(tmp_path))
    with pytest.raises(DataError, match=message) as caught:
        load("cifar10", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_rejected(tmp_path):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    pack(tmp_path, write_cifar(tmp_path))
    cut(archive, 100)
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: cannot be read"):
        load("cifar10", tmp_path)
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("other.bin"), io.BytesIO())
    with pytest.raises(DataError, match=r"does not contain cifar-10-batches-bin/data_batch_1\.bin"):
        load("cifar10", tmp_path)


def test_a_missing_folder_is_rejected(tmp_path, monkeypatch):
    monkeypatch.delenv("FCNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    advice = r"give data_dir=DIR \(--data-dir DIR\), set FCNN_DATA, or write download=True \(fcnn t"
    with pytest.raises(DataError, match=f"^mnist: no data directory; {advice}"):
        load("mnist")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        load("mnist", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: not a folder"):
        load("mnist", tmp_path / "file")
    with pytest.raises(DataError, match=r"no such folder, nor cifar-10-binary\.tar\.gz"):
        load("cifar10", tmp_path)
    with pytest.raises(DataError, match=f"'mnits'; expected one of {', '.join(NAMES)}"):
        load("mnits")


def test_a_data_set_prints_as_one_line(tmp_path):
    data = load("mnist", write_mnist(tmp_path))
    images = "Images(x float32(6, 28, 28, 1), y int32(6,))"
    assert str(data) == f"Dataset('mnist', train={images}, test={images}, 10 classes)"


@pytest.mark.parametrize(
    ("name", "near"),
    [("minst", "mnist"), ("MNIST", "mnist"), ("fashion", "fashion_mnist"), ("CIFAR-10", "cifar10")],
)
def test_an_error_names_the_data_set_with_the_nearest_name(name, near):
    with pytest.raises(
        DataError, match=rf"^unknown data set '{name}'; expected one of .*; did you mean {near}\?$"
    ):
        load(name)


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("fashion_mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3, 5]),
        ("mnist", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 0, 9]),
    ],
)
def test_files_of_the_other_data_set_are_rejected(tmp_path, wanted, first):
    """MNIST and Fashion-MNIST have files of the same names."""
    folder = write_mnist(tmp_path / "raw", images=20, zipped=False)
    labels = folder / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(np.array([*first, *[0] * 8])))
    (other,) = {"mnist", "fashion_mnist"} - {wanted}
    with pytest.raises(
        DataError, match=f"^{labels}: labels of {other}, not {wanted}; load {other} or"
    ):
        load(wanted, folder)
    assert load(other, folder).name == other


def test_an_error_names_the_unsupported_format_of_a_file(tmp_path):
    table = tmp_path / "mnist_train.csv"
    table.write_text("5,0,0")
    message = (
        r"give another data_dir \(--data-dir\), .*\); mnist_train.csv is a CSV file, which is not"
    )
    for name in ("mnist", "cifar10"):
        with pytest.raises(DataError, match=message):
            load(name, tmp_path)
    with pytest.raises(
        DataError, match="csv: not a folder, and is a CSV file, which is not supported; give"
    ):
        load("mnist", table)
    write_mnist(tmp_path)
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / name).unlink()
    table.rename(tmp_path / "train-images.csv")
    np.savez(tmp_path / "train-labels.npz", np.arange(6))
    with pytest.raises(
        DataError, match="csv: cannot be read: it is a CSV file, which is not supported; f"
    ):
        load("mnist", tmp_path)
    # The name ends in .csv, but the content is IDX, so the file is read.
    (tmp_path / "train-images.csv").write_bytes(idx(np.zeros((6, 28, 28))))
    with pytest.raises(DataError, match="npz: cannot be read: it is a NumPy archive, which is not"):
        load("mnist", tmp_path)
