"""scikit-learn's digits: 1,797 real handwritten digits of 8×8, which come with the package."""

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.installation import install

TEST = 360  # a fifth


def digits() -> Dataset:
    """A fixed split of the 1,797 scans: 1,437 to train on, 360 to test on, classes in proportion.

    Raises: DataError if scikit-learn is not installed.
    Source: Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise DataError(
            f"digits: the images come with scikit-learn; {install('experiments')}"
        ) from None
    ink, y = load_digits(return_X_y=True)
    x = (ink / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    y = y.astype(np.int32)
    train, test = train_test_split(np.arange(len(y)), test_size=TEST, stratify=y, random_state=0)
    return Dataset(
        "digits", Images(x[train], y[train]), Images(x[test], y[test]), tuple("0123456789")
    )
