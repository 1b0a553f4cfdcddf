"""Digits of scikit-learn: 1,797 scanned handwritten digits of 8×8 pixels, without a download."""

import numpy as np

from fcnn.data.dataset import DataError, Dataset, Images
from fcnn.installation import install

TEST = 360  # one fifth of the images


def digits() -> Dataset:
    """Fixed split of the digits: 1,437 for training and 360 for testing, stratified by class.

    Raises: DataError if scikit-learn is not installed.
    Source: Alpaydin & Kaynak 1998, UCI Optical Recognition of Handwritten Digits.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        if getattr(error, "name", None) in ("sklearn", None):
            raise DataError(f"digits: needs scikit-learn; write {install('experiments')}") from None
        raise DataError(f"digits: scikit-learn cannot be imported: {error}") from None
    pixels, y = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    y = y.astype(np.int32)
    train, test = train_test_split(np.arange(len(y)), test_size=TEST, stratify=y, random_state=0)
    return Dataset(
        "digits", Images(x[train], y[train]), Images(x[test], y[test]), tuple("0123456789")
    )
