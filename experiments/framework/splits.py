"""Training, validation and test images, for experiments that choose a setting on validation."""

from typing import NamedTuple

from experiments.framework.images import framed, loaded, smaller
from experiments.framework.options import Options
from fcnn.data import Images, split


class Splits(NamedTuple):
    """Validation images are a tenth of the original training images, and are not trained on."""

    train: Images
    validation: Images
    test: Images
    classes: int


def splits(config: Options, *, frame: int = 0, most: int | None = None) -> Splits:
    """The images of the data set that the options name; a few of them with --smoke.

    Options:
        frame: pixels of background around every image.
        most: the number of original training images that are used; None: all.
    Raises: DataError, a ValueError, if the data set cannot be read.
    """
    data = smaller(loaded(config)) if config.smoke else loaded(config)
    original = Images(data.train.x[:most], data.train.y[:most])
    train, validation, test = (framed(each, frame) for each in (*split(original), data.test))
    return Splits(train, validation, test, len(data.classes))
