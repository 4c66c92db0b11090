"""Labelled images: layouts, labels, duplicates, splits and leak checks; NumPy and Pillow only."""

from anomaly.dataset.duplicates import DuplicateCluster, DuplicateReport, find_duplicates
from anomaly.dataset.layouts import labelled_images, read_dataset
from anomaly.dataset.leaks import refuse_bank_images
from anomaly.dataset.records import Dataset, LabelledImage
from anomaly.dataset.split_file import parse_splits_csv, splits_csv
from anomaly.dataset.splits import SplitAssignment, SplitEntry, split_dataset

__all__ = [
    "Dataset",
    "DuplicateCluster",
    "DuplicateReport",
    "LabelledImage",
    "SplitAssignment",
    "SplitEntry",
    "find_duplicates",
    "labelled_images",
    "parse_splits_csv",
    "read_dataset",
    "refuse_bank_images",
    "split_dataset",
    "splits_csv",
]
