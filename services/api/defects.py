"""GET /inspections/{id}/defects: one defect exactly, as the file has it, and the pictures the tool took of it."""

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from pipelines.ingestion import PointMap, PointReader
from pipelines.ingestion.formats.klarf import open_image
from services.api.drawing import Region, draw_region
from services.api.inspections import MISSING, find_line
from services.api.maps import kept
from services.api.pictures import pixels_png
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX, Answer
from services.api.wiring import Wired, Wiring
from services.records import queries
from services.records.views import InspectionSummary

LARGEST_PICTURE = 64 << 20
PICTURE_PX = 800
_REACH = 0.02
"""How far from a place a defect may be to be meant, as a share of the diameter."""
Place = Annotated[float, Query(ge=0, le=1, description="Fraction of the wafer's frame.")]
routes = APIRouter(prefix=f"{PREFIX}/inspections", tags=["defects"])


class DefectAnswer(Answer):
    """One defect."""

    n: int = Field(description="Its number in the order of the file, from 0.")
    x_um: float = Field(description="Micrometres from the wafer's centre, to the right.")
    y_um: float = Field(description="Micrometres from the wafer's centre, up (away from the notch).")
    columns: dict[str, float | int | str | None] = Field(description="What else the file says of it.")
    pictures: list[str] = Field(description="Addresses of the pictures the tool took of it.")


@routes.get("/{inspection_id}/defects/nearest", responses=MISSING)
def nearest(inspection_id: str, wired: Wired, x: Place, y: Place) -> DefectAnswer:
    """The defect nearest to a place; x from left to right, y from top to bottom."""
    points = _points(wired, find_line(wired, inspection_id))
    row, column = points.positions
    distance = np.hypot(column / 2**31 - x, row / 2**31 - y) if len(points) else np.full(1, np.inf)
    n = int(distance.argmin())
    if distance[n] > _REACH:
        raise NotFoundError("no defect there", where=f"x={x:.4f}, y={y:.4f}", expected="a defect within 2 % of it")
    return _answer(inspection_id, points, n)


@routes.get("/{inspection_id}/defects/{n}", responses=MISSING)
def defect(inspection_id: str, n: int, wired: Wired) -> DefectAnswer:
    """One defect by its number."""
    points = _points(wired, find_line(wired, inspection_id))
    if not 0 <= n < len(points):
        raise NotFoundError("no such defect", where=str(n), expected=f"0 to {len(points) - 1}")
    return _answer(inspection_id, points, n)


@routes.get("/{inspection_id}/defects/{n}/pictures/{k}.png", responses=MISSING, response_class=Response)
def picture(inspection_id: str, n: int, k: int, wired: Wired, request: Request) -> Response:
    """A picture the tool took of a defect; it must lie beside the wafer's file in the watch folder."""
    return kept(request, f"{inspection_id[:24]}-{n}-{k}", "image/png", lambda: _picture(wired, inspection_id, n, k))


def _points(wired: Wiring, line: InspectionSummary) -> PointMap:
    reader = wired.drawings.wafer(line.capture.id, line.sha256)
    if not isinstance(reader, PointReader):
        raise NotFoundError("a capture without defects", where=line.capture.name, expected="a wafer of points")
    return reader.points


def _answer(inspection_id: str, points: PointMap, n: int) -> DefectAnswer:
    count = 0 if points.pictures is None else len(range(*points.pictures.of(n).indices(len(points.pictures))))
    path = f"{PREFIX}/inspections/{inspection_id}/defects/{n}/pictures"
    return DefectAnswer(
        n=n,
        x_um=float(points.x_um[n]),
        y_um=float(points.y_um[n]),
        columns={name: _plain(values[n]) for name, values in points.columns.items()},
        pictures=[f"{path}/{k}.png" for k in range(count)],
    )


def _plain(value: object) -> float | int | str | None:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return plain if np.isfinite(plain) else None
    return plain if isinstance(plain, int) else str(plain)


def _picture(wired: Wiring, inspection_id: str, n: int, k: int) -> bytes:
    line = find_line(wired, inspection_id)
    pictures = _points(wired, line).pictures
    chosen = range(0) if pictures is None else range(*pictures.of(n).indices(len(pictures)))
    if pictures is None or not 0 <= k < len(chosen):
        raise NotFoundError("no such picture", where=f"defect {n}, picture {k}")
    name = str(pictures.file[chosen[k]])
    with tempfile.NamedTemporaryFile(prefix="picture-") as copy:
        # A copy of what was opened is decoded: whatever happens to the name meanwhile, these are the bytes looked at.
        copy.write(_bytes(_folders(wired, line.sha256), name))
        copy.flush()
        readers = list(wired.drawings.open(Path(copy.name)))
        reader = readers[pictures.place_in_file(chosen[k], len(readers))]
        level = pyramid(reader.capture, 1)[-1]
        if max(level.height, level.width) <= PICTURE_PX:
            pixels = reader.read(Window(level, 0, 0, level.height, level.width)).pixels
            return pixels_png(pixels if pixels.shape[2] != 1 else np.repeat(pixels, 3, axis=2))
        return pixels_png(draw_region(reader, Region(0, 0, 1, 1), PICTURE_PX))


def _folders(wired: Wiring, sha256: str) -> list[Path]:
    """Folders the file came from, within the watch folder: pictures lie beside it."""
    with wired.database.read() as session:
        paths = queries.places_of(session, sha256)
    root = wired.settings.watch_dir.resolve()
    folders = (Path(path).resolve().parent for path in paths)
    return [folder for folder in folders if folder.is_relative_to(root)]


def _bytes(folders: list[Path], name: str) -> bytes:
    for folder in folders:
        try:
            with open_image(folder, name) as stream:
                content = stream.read(LARGEST_PICTURE + 1)
        except (InputError, FileNotFoundError):
            continue
        if len(content) > LARGEST_PICTURE:
            raise InputError("picture is too large", where=name[:80], expected=f"at most {LARGEST_PICTURE} bytes")
        return content
    raise NotFoundError(
        "picture is not here", where=name[:80], expected="a file beside the wafer's own in the watch folder",
        remedy="let the tool write its pictures there, or copy them",
    )  # fmt: skip
