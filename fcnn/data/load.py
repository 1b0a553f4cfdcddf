"""Data sets of images by name: read from their files, which are downloaded on request."""

from contextlib import suppress
from pathlib import Path

from fcnn.data.cifar import cifar10
from fcnn.data.data_dir import folder_of
from fcnn.data.dataset import DataError, Dataset, require_name
from fcnn.data.digits import digits
from fcnn.data.download import download as fetch_files
from fcnn.data.idx import idx_images
from fcnn.ops.validation import named, require_flags


def load(name: str, data_dir: str | Path | None = None, *, download: bool = False) -> Dataset:
    """Read a data set of images from its files into memory.

    Files may be gzipped or plain. Their names may be in upper or lower case, with the endings of
    common downloads. "digits" comes with scikit-learn and needs no files.

    Shapes: train and test are pairs of x (n, h, w, c) float32 and y (n,) int32.
    Options:
        name: "digits", "mnist", "fashion_mnist" or "cifar10".
        data_dir: folder of the files. If None, it is the environment variable FCNN_DATA, or
            fcnn/data in $XDG_CACHE_HOME or ~/.cache. If it has a subfolder `name`, only that is
            searched. Upper case and dashes do not matter: MNIST and fashion-mnist are found. The
            search includes up to three levels of subfolders.
        download: whether to fetch files that are missing or damaged, by `fcnn.data.download`. If
            the data set can be read from `data_dir`, nothing is fetched.
    Units:  pixels from 0 to 1.
    Raises: DataError, a ValueError, for an unknown name, and for files that are missing or damaged.
            Its message is one line that names the file and shows what to do. TypeError if download
            is not a bool.
    Cost:   memory for all images in float32: 31 MB for 10,000 images of 28×28.
    Source: digits: Alpaydin & Kaynak 1998; MNIST: LeCun et al. 1998; Fashion-MNIST: Xiao et al.,
            arXiv:1708.07747; CIFAR-10: Krizhevsky 2009.

    >>> digits = fcnn.data.load("digits")
    >>> digits
    Dataset('digits', train=Images(x float32(1437, 8, 8, 1), y int32(1437,)),
            test=Images(x float32(360, 8, 8, 1), y int32(360,)), 10 classes)
    >>> digits.shape, digits.classes[digits.train.y[0]]
    ((8, 8, 1), '3')
    """
    with named("load"):
        require_flags(download=download)
    require_name(name)
    if name == "digits":
        return digits()
    if download:
        with suppress(DataError):
            return _read(name, data_dir)
        fetch_files(name, data_dir)
    return _read(name, data_dir)


def _read(name: str, data_dir: str | Path | None) -> Dataset:
    folder = folder_of(name, data_dir)
    return cifar10(folder) if name == "cifar10" else idx_images(name, folder)
