"""What a viewer needs to draw a capture: small, in places of a common frame, ready to be sent.

Places are uint16 fractions of the frame (4.6 µm on 300 mm): u from left to right, v from top to bottom. Exact
coordinates stay in the file; nobody measures on a screen.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import CaptureKind
from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from pipelines.ingestion import CaptureReader, DieGrid, DieMap, DieReader, PointMap, PointReader
from pipelines.ingestion.point_index import FRACTION_BITS

FORMAT = 2
"""Changes whenever what is written below changes, so that old cache files are left alone."""
PREVIEW_PX = 1024
MAX_VALUES = 255
MAX_GRID_DIES = 40_000
"""More outlines than that are a grey area on any screen."""
_PLACE_SHIFT = FRACTION_BITS - 16
_FILTERS = {
    "Class": ("CLASSNUMBER", "ROUGHBINNUMBER", "FINEBINNUMBER"),
    "Test": ("TEST",),
    "Adder": ("ADDERFLAG",),
}
"""What a viewer can filter by, and the columns that say it: the first one there is counts."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """One capture, ready to be drawn.

    Attributes:
        geometry: what kind it is and where things are; JSON for the viewer.
        places: uint16 (2, N): u and v of each defect; (2, 0) where there are none.
        groups: uint8 (F, N): for each filter of `geometry["filters"]` the index of the defect's value in it.
        pixels: uint8 (H, W, 3) picture of an image, at most 1024 a side; (0, 0, 3) for wafers.
    """

    geometry: dict[str, Any]
    places: NDArray[np.uint16]
    groups: NDArray[np.uint8]
    pixels: NDArray[np.uint8]

    def wire(self) -> bytes:
        """Places for the viewer: all u, all v, then the values of each filter in turn; little-endian."""
        return self.places.astype("<u2").tobytes() + self.groups.tobytes()

    def dump(self) -> bytes:
        """The drawing as bytes for a cache file."""
        stream = io.BytesIO()
        geometry = np.frombuffer(json.dumps(self.geometry).encode(), np.uint8)
        np.savez(stream, geometry=geometry, places=self.places, groups=self.groups, pixels=self.pixels)
        return stream.getvalue()

    @classmethod
    def load(cls, content: bytes) -> "Drawing":
        """The drawing in a cache file.

        Raises:
            ValueError: it is not one.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                geometry = json.loads(file["geometry"].tobytes())
                return cls(geometry, file["places"], file["groups"], file["pixels"])
        except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error


_NO_PLACES = np.empty((2, 0), np.uint16)
_NO_GROUPS = np.empty((0, 0), np.uint8)
_NO_PIXELS = np.empty((0, 0, 3), np.uint8)


def draw(reader: CaptureReader) -> Drawing:
    """Draw an opened capture: the cost of reading its defects once, or one coarse window of an image."""
    if isinstance(reader, PointReader):
        return _draw_points(reader.points)
    if isinstance(reader, DieReader):
        return _draw_dies(reader.dies)
    return _draw_image(reader)


def _draw_points(points: PointMap) -> Drawing:
    row, column = points.positions
    places = np.stack([column >> _PLACE_SHIFT, row >> _PLACE_SHIFT]).astype(np.uint16)
    found = [(name, *_values(column)) for name, column in _filter_columns(points)]
    told = [(name, values, which) for name, values, which in found if len(values) > 1]
    geometry = {
        "kind": "points",
        "diameter_um": float(points.diameter_um),
        "points": len(points),
        "filters": [{"name": name, "values": values} for name, values, _ in told],
        "dies": None if points.inspected is None else _grid(points.inspected),
    }
    groups = np.stack([which for _, _, which in told]) if told else _NO_GROUPS
    return Drawing(geometry, places, groups, _NO_PIXELS)


def _filter_columns(points: PointMap) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, columns in _FILTERS.items():
        column = next((points.columns[one] for one in columns if one in points.columns), None)
        if column is not None and len(points):
            yield name, np.asarray(column)
    if points.pictures is not None:
        has = np.full(len(points), "without")
        has[points.pictures.defect] = "with"
        yield "Picture", has


def _values(column: NDArray[Any]) -> tuple[list[dict[str, Any]], NDArray[np.uint8]]:
    """The values of a column, most frequent first, and the index of each defect's; those beyond 254 share the last."""
    values, which, counts = np.unique(column, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    named = [{"code": str(values[i]), "count": int(counts[i])} for i in order[: MAX_VALUES - 1]]
    if len(order) >= MAX_VALUES:
        named.append({"code": "other", "count": int(counts[order[MAX_VALUES - 1 :]].sum())})
    return named, np.minimum(rank[which], MAX_VALUES - 1).astype(np.uint8)


def _grid(grid: DieGrid) -> dict[str, Any] | None:
    if not 0 < len(grid) <= MAX_GRID_DIES:
        return None
    corners = np.stack([grid.x_um, grid.y_um], axis=1).round(1)
    return {"pitch_um": [float(step) for step in grid.pitch_um], "corners_um": corners.tolist()}


def _draw_dies(dies: DieMap) -> Drawing:
    rows, columns = np.flatnonzero(dies.states.any(axis=1)), np.flatnonzero(dies.states.any(axis=0))
    states = dies.states[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else dies.states
    geometry = {
        "kind": "dies",
        "rows": states.shape[0],
        "columns": states.shape[1],
        "states": ["".join(map(str, line)) for line in states.tolist()],
        "failed": dies.failed,
        "inspected": dies.inspected,
    }
    return Drawing(geometry, _NO_PLACES, _NO_GROUPS, _NO_PIXELS)


def _draw_image(reader: CaptureReader) -> Drawing:
    levels = pyramid(reader.capture, 1)
    level = max((one for one in levels if max(one.height, one.width) <= PREVIEW_PX), key=lambda one: one.index)
    pixels = reader.read(Window(level, 0, 0, level.height, level.width)).pixels
    geometry = {"kind": "image", "height": round(reader.capture.height), "width": round(reader.capture.width)}
    return Drawing(geometry, _NO_PLACES, _NO_GROUPS, _to_rgb(pixels))


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a capture in fractions of its height and width, 0..1."""

    top: float
    left: float
    bottom: float
    right: float


def draw_region(reader: CaptureReader, region: Region, px: int) -> NDArray[np.uint8]:
    """A part of an image, sharp enough for `px` pixels across, read at that place only: uint8 (H, W, 3).

    Raises:
        InputError: the part is empty, or the capture is not an image.
    """
    capture = reader.capture
    if capture.kind is not CaptureKind.IMAGE:
        raise InputError("only images have regions", where=capture.name, got=capture.kind.value)
    top, bottom = sorted((min(1.0, max(0.0, region.top)), min(1.0, max(0.0, region.bottom))))
    left, right = sorted((min(1.0, max(0.0, region.left)), min(1.0, max(0.0, region.right))))
    if top == bottom or left == right:
        raise InputError("empty region", where=capture.name, got=str(region))
    levels = pyramid(capture, 1)
    sharp = [one for one in levels if max((right - left) * one.width, (bottom - top) * one.height) >= px]
    level = sharp[0] if sharp else levels[-1]
    first_row, first_column = int(top * level.height), int(left * level.width)
    height = max(1, min(level.height - first_row, round((bottom - top) * level.height)))
    width = max(1, min(level.width - first_column, round((right - left) * level.width)))
    return _to_rgb(reader.read(Window(level, first_row, first_column, height, width)).pixels)


def _to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bands = pixels.shape[2]
    if bands >= 3:
        return np.ascontiguousarray(pixels[:, :, :3])
    return np.repeat(pixels[:, :, :1], 3, axis=2)


def states_of(geometry: dict[str, Any]) -> NDArray[np.uint8]:
    """The die states of a drawing of dies, uint8 (rows, columns).

    Raises:
        InputError: the drawing is of something else.
    """
    if geometry["kind"] != "dies":
        raise InputError("not a die map", got=str(geometry["kind"]))
    return np.array([list(map(int, line)) for line in geometry["states"]], np.uint8)
