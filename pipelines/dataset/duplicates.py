"""Exact duplicates and conflicting labels, found before any split is made.

The same map on both sides of a split is an answer the model has seen; the same map under two labels teaches nothing
and caps the best reachable score. WM-811K has both.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which samples to keep.

    Attributes:
        kept: indices of the samples to keep, ascending; each content occurs once.
        repeated: how many samples were left out as repeats of a kept one.
        conflicts: groups of indices whose content is the same and whose labels differ; all of them are left out.
    """

    kept: tuple[int, ...]
    repeated: int
    conflicts: tuple[tuple[int, ...], ...]


def find_duplicates(ids: Sequence[str], labels: Sequence[tuple[str, ...]]) -> Duplicates:
    """Keep the first of every content whose labels agree.

    Args:
        ids: content hash per sample.
        labels: labels per sample; order within a sample does not matter.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    for index, identity in enumerate(ids):
        by_content[identity].append(index)
    kept: list[int] = []
    conflicts: list[tuple[int, ...]] = []
    repeated = 0
    for indices in by_content.values():
        if len({frozenset(labels[i]) for i in indices}) > 1:
            conflicts.append(tuple(indices))
        else:
            kept.append(indices[0])
            repeated += len(indices) - 1
    return Duplicates(tuple(sorted(kept)), repeated, tuple(conflicts))
