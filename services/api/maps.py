"""GET /inspections/{id}/map, /points, /picture.png, /region.png, /overlay.png: pictures and what viewers draw from."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from models.domain.capture import CaptureKind
from services.api.drawing import FORMAT, Drawing, Region, draw_region
from services.api.inspections import MISSING, UNCHANGING, find, find_line
from services.api.pictures import Theme, pixels_png, png
from services.api.problems import NotFoundError
from services.api.schemas import PREFIX
from services.api.wiring import Wired, Wiring
from services.inspection.findings import geojson, overlay

Fraction = Annotated[float, Query(ge=0, le=1)]
routes = APIRouter(prefix=f"{PREFIX}/inspections", tags=["maps"])


@routes.get("/{inspection_id}/map", responses=MISSING, response_class=Response)
def geometry(inspection_id: str, wired: Wired, request: Request) -> Response:
    """What the capture looks like, as JSON.

    `kind` is `points` (see /points), `dies` (states as lines of digits: 0 no die, 1 pass, 2 fail) or `image`.
    """
    return kept(
        request, inspection_id, "application/json", lambda: json.dumps(_drawing(wired, inspection_id).geometry).encode()
    )


@routes.get("/{inspection_id}/points", responses=MISSING, response_class=Response)
def points(inspection_id: str, wired: Wired, request: Request) -> Response:
    """Places of the defects, binary, little-endian: N uint16 x, N uint16 y, then N uint8 for each filter of /map.

    A filter's numbers are indices of its values. 0..65535 spans the wafer's frame, x from left to right, y from top to
    bottom (the notch is at the bottom).
    """
    return kept(request, inspection_id, "application/octet-stream", lambda: _drawing(wired, inspection_id).wire())


@routes.get("/{inspection_id}/picture.png", responses=MISSING, response_class=Response)
def picture(
    inspection_id: str,
    wired: Wired,
    request: Request,
    size: Annotated[int, Query(ge=16, le=1600, description="Side in pixels.")] = 512,
    theme: Theme = Theme.LIGHT,
) -> Response:
    """The capture as a square picture."""
    return kept(request, inspection_id, "image/png", lambda: png(_drawing(wired, inspection_id), size, theme))


@routes.get("/{inspection_id}/region.png", responses=MISSING, response_class=Response)
def region(
    *,
    inspection_id: str,
    wired: Wired,
    request: Request,
    top: Fraction,
    left: Fraction,
    bottom: Fraction,
    right: Fraction,
    size: Annotated[int, Query(ge=64, le=1600, description="How many pixels across it must be sharp for.")] = 1024,
) -> Response:
    """A part of an aerial image, read from the file at that place; in fractions of its height and width."""

    def make() -> bytes:
        line = find_line(wired, inspection_id)
        reader = wired.drawings.reader(line.capture.id, line.sha256)
        return pixels_png(draw_region(reader, Region(top, left, bottom, right), size))

    return kept(request, inspection_id, "image/png", make)


@routes.get("/{inspection_id}/overlay.png", responses=MISSING, response_class=Response)
def marked(inspection_id: str, wired: Wired, request: Request) -> Response:
    """An aerial image with a mark for each object or window found, and a legend with counts."""

    def make() -> bytes:
        found = find(wired, inspection_id)
        line = found.summary
        if line.capture.kind is not CaptureKind.IMAGE:
            raise NotFoundError("only images have an overlay", where=line.capture.name, got=line.capture.kind.value)
        reader = wired.drawings.reader(line.capture.id, line.sha256)
        return overlay(reader, found.verdicts, line.normal)

    return kept(request, inspection_id, "image/png", make)


@routes.get("/{inspection_id}/findings.geojson", responses=MISSING, response_class=Response)
def places(inspection_id: str, wired: Wired, request: Request) -> Response:
    """Objects or windows found in a georeferenced image: a point each, in longitude and latitude (WGS 84)."""

    def make() -> bytes:
        found = find(wired, inspection_id)
        return json.dumps(geojson(found.summary.capture, found.verdicts, found.summary.normal)).encode()

    return kept(request, inspection_id, "application/geo+json", make)


def _drawing(wired: Wiring, inspection_id: str) -> Drawing:
    summary = find_line(wired, inspection_id)
    return wired.drawings.get(summary.capture.id, summary.sha256)


def kept(request: Request, name: str, media_type: str, make: Callable[[], bytes]) -> Response:
    """An answer the browser may keep: made only if it does not hold it yet; `name` is one for each content."""
    tag = f'"{name[:40]}.{FORMAT}"'
    headers = {"ETag": tag, "Cache-Control": UNCHANGING}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(make(), media_type=media_type, headers=headers)
