"""Which split a sample goes to: by group with class balance, by time, or as its publishers divided it.

By time is the hardest and the truest: what is tested came after what was learned, as it will in the fab. Classes are
then as common as they were, so a rare one may be missing from a side; the import says so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from pipelines.dataset.split import SHARES, SPLITS, assign_groups

By = Literal["group", "time", "published"]

_VALID = 0.15
"""Of what a published split lets one learn from: for the epoch, the temperature and the thresholds."""


def split_by_time(groups: Sequence[str], taken: Sequence[datetime | None]) -> NDArray[np.str_]:
    """The oldest groups to learn from, the next to validate, the newest to test: (N,) splits.

    A group goes by its newest sample and stays whole.

    Raises:
        ConfigurationError: samples carry no time, or there are too few groups.
    """
    missing = sum(moment is None for moment in taken)
    if missing:
        raise ConfigurationError(
            "samples carry no time",
            expected="a column `time`, or KLARF files with their inspection time",
            got=f"{missing} of {len(taken)} samples without one",
            remedy="split by group",
        )
    newest: dict[str, datetime] = {}
    for group, moment in zip(groups, taken, strict=True):
        if moment is not None:
            at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            newest[group] = max(at, newest.get(group, at))
    order = sorted(newest, key=lambda group: (newest[group], group))
    if len(order) < len(SPLITS):
        raise ConfigurationError("too few groups to split by time", expected="at least 3", got=str(len(order)))
    names, counts = np.unique(np.asarray(groups, dtype=np.str_), return_counts=True)
    size = dict(zip(map(str, names), counts.tolist(), strict=True))
    # A group lies where its middle falls, but no split stays empty.
    ends = np.cumsum([size[group] for group in order])
    middles = (ends - np.array([size[group] for group in order]) / 2) / ends[-1]
    places = np.searchsorted(np.cumsum(SHARES)[:-1], middles, side="right")
    places[0], places[-1] = 0, 2
    if not (places == 1).any():
        newest_of_all = np.flatnonzero(places == 2)
        places[newest_of_all[0] if len(newest_of_all) > 1 else -2] = 1
    side = dict(zip(order, np.asarray(SPLITS)[places], strict=True))
    return np.asarray([side[group] for group in groups], dtype=np.str_)


def split_as_published(
    targets: NDArray[np.uint8], groups: Sequence[str], sides: Sequence[str | None], seed: int
) -> NDArray[np.str_]:
    """What the publishers test is tested, the rest is divided by group: (N,) splits.

    Raises:
        ConfigurationError: they name no split, or only one side of it.
    """
    if set(sides) != {"train", "test"}:
        counted = {str(side): sides.count(side) for side in sorted(set(sides), key=str)}
        raise ConfigurationError(
            "no published split",
            expected="every sample marked as train or test, and both there (LSWMD.pkl as published)",
            got=str(counted),
        )
    splits = np.full(len(sides), "test", dtype="<U5")
    rest = [i for i, side in enumerate(sides) if side == "train"]
    part = assign_groups(targets[rest], [groups[i] for i in rest], (1 - _VALID, _VALID), seed)
    splits[rest] = np.where(part == 0, "train", "valid")
    return splits
