"""Data sets of pictures and texts: read from anywhere, checked, split, decoded once. No torch here.

`load_images` and `load_texts` are what training uses, `describe_data` what the Data page shows, `open_image`
and `fit_image` what a prediction does with one picture.
"""

from core.data.images import ImageData, Pixels, load_images
from core.data.library import (
    UPLOAD_LIMIT_MB,
    DataCard,
    delete_upload,
    list_data,
    store_upload,
    upload_size,
)
from core.data.pictures import fit_image, open_image, to_rgb
from core.data.report import DataReport, describe_data
from core.data.texts import TextData, clean_texts, load_texts

__all__ = [
    "UPLOAD_LIMIT_MB",
    "DataCard",
    "DataReport",
    "ImageData",
    "Pixels",
    "TextData",
    "clean_texts",
    "delete_upload",
    "describe_data",
    "fit_image",
    "list_data",
    "load_images",
    "load_texts",
    "open_image",
    "store_upload",
    "to_rgb",
    "upload_size",
]
