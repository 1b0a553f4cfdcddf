"""Level 4: image data sets as arrays, their download and split, and data augmentation."""

from fcnn.data import augment
from fcnn.data.dataset import NAMES, DataError, Dataset, Images
from fcnn.data.download import download
from fcnn.data.load import load
from fcnn.data.split import split

__all__ = ["NAMES", "DataError", "Dataset", "Images", "augment", "download", "load", "split"]
