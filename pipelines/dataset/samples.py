"""A labelled sample, its content hash, and its row in `samples.parquet`.

Wafers are kept as what the tool recorded (die states or points), never as pixels: a recipe with another tile size
renders the same dataset anew, with the very code that renders when serving.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from pipelines.ingestion.wafer_maps import DieGrid, DieMap, PointMap


class DatasetKind(StrEnum):
    """What the samples are."""

    DIE_MAPS = "die maps"
    POINTS = "points"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Picture:
    """One image patch as the bytes of a PNG file: lossless, and small in Parquet."""

    png: bytes


Payload = DieMap | PointMap | Picture


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled wafer or patch.

    Attributes:
        labels: what it shows; empty = nothing to act on, where several labels may lie on one sample.
        group: what must stay on one side of a split: a lot, a flight, a frame.
        payload: the data itself.
        origin: where it came from (file and row), for reports.
        taken: when it was inspected; None where nobody says.
        published: the side its publishers put it on, `train` or `test`; None where they do not say.
        split: the split it belongs to already; '' = to be decided. Its group stays there with it.
    """

    labels: tuple[str, ...]
    group: str
    payload: Payload
    origin: str
    published: Literal["train", "test"] | None = None
    taken: datetime | None = None
    split: str = ""


def content_id(payload: Payload) -> str:
    """Hash of what was inspected, hex: equal data has equal ids, whatever its label, lot or file name."""
    digest = hashlib.sha256()
    match payload:
        case Picture(png=png):
            digest.update(png)
        case DieMap(states=states):
            digest.update(f"dies {states.shape}".encode())
            digest.update(np.ascontiguousarray(states).tobytes())
        case PointMap():
            digest.update(f"points {payload.diameter_um}".encode())
            digest.update(np.stack([payload.x_um, payload.y_um]).tobytes())
            dies = payload.inspected
            if dies is not None:
                digest.update(f"dies {dies.pitch_um}".encode())
                digest.update(np.stack([dies.x_um, dies.y_um]).tobytes())
    return digest.hexdigest()


def kind_of(payload: Payload) -> DatasetKind:
    """Which kind of dataset this payload belongs to."""
    match payload:
        case DieMap():
            return DatasetKind.DIE_MAPS
        case PointMap():
            return DatasetKind.POINTS
        case Picture():
            return DatasetKind.IMAGES


_INDEX = [
    ("id", pa.string()),
    ("labels", pa.list_(pa.string())),
    ("group", pa.string()),
    ("origin", pa.string()),
]
_FLOATS = pa.list_(pa.float32())
_DOUBLES = pa.list_(pa.float64())
_PAYLOAD: dict[DatasetKind, list[tuple[str, pa.DataType]]] = {
    DatasetKind.DIE_MAPS: [("height", pa.int32()), ("width", pa.int32()), ("map", pa.binary())],
    DatasetKind.POINTS: [
        ("x_um", _FLOATS),
        ("y_um", _FLOATS),
        ("diameter_um", pa.float64()),
        ("die_x_um", _DOUBLES),
        ("die_y_um", _DOUBLES),
        ("die_width_um", pa.float64()),
        ("die_height_um", pa.float64()),
    ],
    DatasetKind.IMAGES: [("png", pa.binary())],
}


def schema(kind: DatasetKind) -> pa.Schema:
    """Columns of `samples.parquet` before the split is known."""
    return pa.schema(_INDEX + _PAYLOAD[kind])


def to_row(sample: Sample, identity: str) -> dict[str, Any]:
    """The sample as one row; `identity` is its `content_id`."""
    row: dict[str, Any] = {
        "id": identity,
        "labels": list(sample.labels),
        "group": sample.group,
        "origin": sample.origin,
    }
    match sample.payload:
        case Picture(png=png):
            row |= {"png": png}
        case DieMap(states=states):
            height, width = states.shape
            row |= {"height": height, "width": width, "map": np.ascontiguousarray(states).tobytes()}
        case PointMap() as points:
            dies = points.inspected
            row |= {
                "x_um": points.x_um,
                "y_um": points.y_um,
                "diameter_um": points.diameter_um,
                "die_x_um": None if dies is None else dies.x_um,
                "die_y_um": None if dies is None else dies.y_um,
                "die_width_um": None if dies is None else dies.pitch_um[0],
                "die_height_um": None if dies is None else dies.pitch_um[1],
            }
    return row


def payloads(kind: DatasetKind, batch: pa.RecordBatch) -> Sequence[Payload]:
    """The payloads of a batch of rows, in order."""
    rows = batch.drop_columns(["labels", "id", "group"])
    match kind:
        case DatasetKind.IMAGES:
            return [Picture(row["png"]) for row in rows.to_pylist()]
        case DatasetKind.DIE_MAPS:
            return [
                DieMap(np.frombuffer(row["map"], np.uint8).reshape(row["height"], row["width"]))
                for row in rows.to_pylist()
            ]
        case DatasetKind.POINTS:
            return [_points(batch, row) for row in range(batch.num_rows)]


def _points(batch: pa.RecordBatch, row: int) -> PointMap:
    def values(name: str) -> Any:
        # The flat child array, not Python objects: a wafer may have a million points.
        return batch.column(name)[row].values.to_numpy()

    def number(name: str) -> float:
        return float(batch.column(name)[row].as_py())

    dies = None
    if batch.column("die_x_um")[row].is_valid:
        dies = DieGrid(values("die_x_um"), values("die_y_um"), (number("die_width_um"), number("die_height_um")))
    return PointMap(values("x_um"), values("y_um"), number("diameter_um"), dies)
