"""Level 4: images, text and time series as arrays, their download and split, and augmentation."""

from fcnn.data import augment, series, text
from fcnn.data.arrays import arrays
from fcnn.data.dataset import NAMES, DataError, Dataset, Images
from fcnn.data.download import download
from fcnn.data.images.decode_image import decode_image
from fcnn.data.images.image_folder import ImageFolder, image_folder
from fcnn.data.load import load
from fcnn.data.split import split

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "ImageFolder",
    "Images",
    "arrays",
    "augment",
    "decode_image",
    "download",
    "image_folder",
    "load",
    "series",
    "split",
    "text",
]
