"""WM-811K as published: `LSWMD.pkl`, a pickled pandas table of 2015, read without running any code it names.

Columns: waferMap, lotName, waferIndex, trianTestLabel (sic), failureType; labels are nested arrays such as
[['Edge-Loc']], empty where nobody labelled the wafer. Unlabelled wafers are left out and counted. The published split
('Training' or 'Test') is kept beside each wafer.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models.domain.errors import InputError
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.wafer_table import die_map
from pipelines.decoding.pickles import load_columns, text_of

_SIDES: Mapping[str, Literal["train", "test"]] = {"Training": "train", "Test": "test"}


def open_lswmd(path: Path) -> Origin:
    """Open the published table.

    Raises:
        InputError: not such a table.
        UnsafeInputError: the pickle names anything but pandas and numpy data.
        RetryableError: it ends too early.
    """
    with path.open("rb") as stream:
        table = load_columns(stream)
    missing = [name for name in ("waferMap", "lotName", "failureType") if name not in table]
    if missing:
        raise InputError(
            "not the WM-811K table", where=str(path), expected="waferMap, lotName, failureType", got=f"no {missing}"
        )
    names = [text_of(label) for label in table["failureType"]]
    sides = [text_of(side) for side in table.get("trianTestLabel", [""] * len(names))]
    blank = names.count("")
    notes = (f"{blank} wafers without a label left out",) if blank else ()
    samples = _samples(path, table["lotName"], names, table["waferMap"], sides)
    return Origin(samples, normal="none", exclusive=True, grouped_by="lot", notes=notes)


def _samples(
    path: Path, lots: Iterable[Any], names: Iterable[str], maps: Iterable[Any], sides: Iterable[str]
) -> Iterator[Sample]:
    for row, (lot, name, states, side) in enumerate(zip(lots, names, maps, sides, strict=True)):
        if not name:
            continue
        origin = f"{path.name}:{row}"
        if not isinstance(states, np.ndarray) or states.ndim != 2:
            raise InputError("wafer map is no table of dies", where=origin, got=type(states).__name__)
        whole = states.astype(np.uint8)
        height, width = whole.shape
        dies = die_map(whole.tobytes(), height, width, origin)
        yield Sample((name,), text_of(lot), dies, origin, _SIDES.get(side))
