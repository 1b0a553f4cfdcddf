"""Files of the data sets that can be downloaded: their sizes, checksums and mirrors.

The mirrors are those of 2026-11, from the sources below. Downloads were tested with a local server,
not with these mirrors, and a mirror may move or end. The checksums decide: a file is accepted for
its size and its sha256 only, whichever mirror serves it.

    data set       size and sha256                             mirrors
    mnist          of the files, whose md5 torchvision has     torchvision, TensorFlow Datasets
    fashion_mnist  of the files, whose md5 Zalando publishes   Keras, Zalando's repository and page
    cifar10        quoted, not checked against the file        University of Toronto, swift-models

The values of cifar10 are those of tensorflow/datasets, url_checksums/cifar10.txt. The page of
CIFAR-10 publishes the md5 c32a1d4ab5d03f1284b67883e8d87530 of that file.
"""

from typing import NamedTuple


class KnownFile(NamedTuple):
    name: str
    size: int  # bytes
    sha256: str


class Download(NamedTuple):
    """The files of a data set. The URL of a file is a mirror followed by the file's name."""

    mirrors: tuple[str, ...]
    files: tuple[KnownFile, ...]


KNOWN_FILES = {
    "mnist": Download(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (
            KnownFile(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            KnownFile(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            KnownFile(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            KnownFile(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "fashion_mnist": Download(
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # has no https
        ),
        (
            KnownFile(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            KnownFile(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            KnownFile(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            KnownFile(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "cifar10": Download(
        (
            "https://www.cs.toronto.edu/~kriz/",
            "https://cave.cs.toronto.edu/kriz/",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
        ),
        (
            KnownFile(  # quoted
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
}
