"""Care before training: what is wrong with a dataset, found before a figure is believed."""

from pipelines.care.check import Finding, Kind, Review, review
from pipelines.care.stop import refuse_leaks

__all__ = ["Finding", "Kind", "Review", "refuse_leaks", "review"]
