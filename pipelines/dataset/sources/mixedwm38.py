"""MixedWM38 as published: one NPZ with `arr_0` (N, 52, 52) die states and `arr_1` (N, 8) labels.

Wang et al., IEEE TSM 33(4) 2020, doi 10.1109/TSM.2020.3020985: several patterns may lie on one wafer. The set names
no lots, so nothing better than a random split is possible; duplicates must go first.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.wafer_table import die_map, open_wafer_table

MIXTURE = "mixture"
"""Label of wafers with several patterns where only single ones are to be learned."""
PATTERNS = ("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc", "Near-full", "Scratch", "Random")
"""Columns of `arr_1`, in the order of the data set's own description."""


def open_mixedwm38(path: Path) -> Origin:
    """Open the NPZ, or the same wafers as a Parquet table with a `labels` column.

    Raises:
        InputError: neither of the two, or arrays of other shapes.
    """
    if not zipfile.is_zipfile(path):
        return open_wafer_table(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            maps, flags = archive["arr_0"], archive["arr_1"]
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            "cannot read MixedWM38", where=str(path), expected="NPZ with numeric arr_0 and arr_1", got=str(error)
        ) from error
    if maps.ndim != 3 or flags.shape != (len(maps), len(PATTERNS)):
        raise InputError(
            "MixedWM38 of another shape",
            where=str(path),
            expected="arr_0 (N, rows, columns) and arr_1 (N, 8)",
            got=f"{maps.shape} and {flags.shape}",
        )
    note = "no lots are known: each wafer is its own group, the split is random"
    return Origin(_samples(maps, flags, path), normal="normal", exclusive=False, grouped_by="sample", notes=(note,))


def single_patterns(origin: Origin) -> Origin:
    """The same wafers with one label each: a pattern, normal, or `MIXTURE`, which is a stranger to the single ones."""
    normal = origin.normal or "normal"

    def alone() -> Iterator[Sample]:
        for sample in origin.samples:
            yield replace(sample, labels=(MIXTURE,) if len(sample.labels) > 1 else sample.labels or (normal,))

    return replace(origin, samples=alone(), normal=normal, exclusive=True)


def _samples(maps: NDArray[Any], flags: NDArray[Any], path: Path) -> Iterator[Sample]:
    height, width = maps.shape[1:]
    for row, (states, present) in enumerate(zip(maps, flags, strict=True)):
        origin = f"{path.name}:{row}"
        labels = tuple(name for name, flag in zip(PATTERNS, present, strict=True) if flag)
        whole = states.astype(np.uint8)
        if (whole != states).any():
            raise InputError("unknown die state", where=origin, expected="0 no die, 1 pass, 2 fail", got="a fraction")
        yield Sample(labels, str(row), die_map(whole.tobytes(), height, width, origin), origin)
