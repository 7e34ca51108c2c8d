"""Wafer maps in Parquet: columns `height, width, map` and `label` or `labels`, and more where it is known.

`lot_group` keeps wafers together, `time` and `official_test` divide them as `ImportOptions.by` says.
`map` holds the die states row by row as bytes (uint8): 0 no die, 1 pass, 2 fail.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.domain.errors import InputError
from pipelines.dataset.samples import Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.ingestion.wafer_maps import DieMap

_COLUMNS = {"height", "width", "map"}


def open_wafer_table(path: Path, *, normal: str | None = None) -> Origin:
    """Open a table of labelled die maps.

    Args:
        path: the Parquet file.
        normal: label of a wafer without a pattern; by default `none` for single labels, `normal` for lists.

    Raises:
        InputError: not a Parquet file, or a column is missing.
    """
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError("cannot read wafer table", where=str(path), expected="Parquet", got=str(error)) from error
    names = set(file.schema_arrow.names)
    listed = "labels" in names
    missing = sorted(_COLUMNS - names) + ([] if names & {"label", "labels"} else ["label or labels"])
    if missing:
        raise InputError(
            "wafer table lacks columns",
            where=str(path),
            expected="height, width, map, and label or labels",
            got=f"no {', '.join(missing)}",
        )
    grouped = "lot_group" in names
    notes = () if grouped else ("no column lot_group: each wafer is its own group, lots may lie on both sides",)
    wanted = [
        "height",
        "width",
        "map",
        "labels" if listed else "label",
        *(name for name in ("lot_group", "time", "official_test") if name in names),
    ]
    return Origin(
        samples=_samples(file, path, wanted),
        normal=normal or ("normal" if listed else "none"),
        exclusive=not listed,
        grouped_by="lot" if grouped else "sample",
        notes=notes,
    )


def _samples(file: pq.ParquetFile, path: Path, columns: list[str]) -> Iterator[Sample]:
    row = 0
    for batch in file.iter_batches(batch_size=4096, columns=columns):
        for record in batch.to_pylist():
            yield _sample(record, f"{path.name}:{row}", row)
            row += 1


def _sample(record: dict[str, Any], origin: str, row: int) -> Sample:
    labels = record["labels"] if "labels" in record else [record["label"]]
    if labels is None or any(not label for label in labels):
        raise InputError("wafer without a label", where=origin, got=repr(labels), remedy="leave unlabelled rows out")
    lot, tested = record.get("lot_group"), record.get("official_test")
    return Sample(
        labels=tuple(labels),
        group=str(row if lot is None else lot),
        payload=die_map(record["map"], record["height"], record["width"], origin),
        origin=origin,
        taken=moment(record.get("time"), origin),
        published=None if tested is None else "test" if tested else "train",
    )


def moment(value: datetime | str | None, where: str) -> datetime | None:
    """A time from a table: a timestamp, or ISO 8601 text; None or empty = not known.

    Raises:
        InputError: it is neither.
    """
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError as error:
        raise InputError("not a time", where=where, expected="ISO 8601", got=repr(value)[:40]) from error


def die_map(states: bytes, height: int, width: int, origin: str) -> DieMap:
    """Die states from bytes, row by row.

    Raises:
        InputError: the number of bytes does not fit, or a state is not 0, 1 or 2.
    """
    flat = np.frombuffer(states, np.uint8)
    if flat.size != height * width or flat.size == 0:
        raise InputError(
            "wafer map of the wrong size", where=origin, expected=f"{height} x {width} bytes", got=str(flat.size)
        )
    if flat.max() > 2:
        raise InputError(
            "unknown die state", where=origin, expected="0 no die, 1 pass, 2 fail", got=str(int(flat.max()))
        )
    return DieMap(flat.reshape(height, width))
