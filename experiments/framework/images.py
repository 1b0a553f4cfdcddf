"""Images of an experiment: the data set that the options name, and background around its images."""

import numpy as np

from experiments.framework.options import Options
from fcnn.data import Dataset, Images, load


def loaded(config: Options) -> Dataset:
    """The data set that the options name.

    Raises: DataError, a ValueError, if it cannot be read.
    """
    return load(config.dataset or "digits", config.data_dir)


def framed(images: Images, frame: int) -> Images:
    """Add `frame` pixels of background around every image; a shift then cuts off fewer pixels."""
    return Images(np.pad(images.x, ((0, 0), (frame, frame), (frame, frame), (0, 0))), images.y)
