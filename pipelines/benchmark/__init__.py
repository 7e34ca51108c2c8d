"""Public protocols, so that a figure can be compared and repeated."""

from pipelines.benchmark.folds import CrossValidation, cross_validate, write_fold

__all__ = ["CrossValidation", "cross_validate", "write_fold"]
