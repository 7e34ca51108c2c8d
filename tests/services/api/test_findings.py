"""The picture with marks and the places on Earth of a recorded inspection: what was found, where, and nothing else."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine, from_origin

from models.domain.inspection import BundleRef, Inspection
from models.domain.tiling import Window, pyramid
from models.domain.verdict import Reason, Verdict
from pipelines.ingestion import open_captures
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records.session import now
from services.records.store import add_inspection
from tests.services.api.conftest import Serve, Service
from tests.services.making import NOON, capture, claim_one, inspection, record

HEIGHT, WIDTH, TILE, GREY = 1000, 2000, 64, 90
UTM_5N = from_origin(500_000, 6_000_000, 0.1, 0.1)
"""Pixels of 10 cm; the upper left corner lies on the zone's central meridian, 153° west."""
FOUND = {(250, 500): "pup", (700, 1500): "cow", (720, 600): "pup", (400, 1750): None}
"""What lies where: row and column of its middle, and its class; None = unknown."""
NOTHING = (120, 1200)
"""The middle of a window that shows sand."""
OVERLAY_SCALE = 0.8
"""Of the picture: 2,000 pixels become 1,600."""


@pytest.fixture
def service(serve: Serve) -> Service:
    """A service that reads real images."""
    return serve(open_captures)


def inspected(service: Service, folder: Path, **place: object) -> str:
    """Record the inspection of an even grey image with what is `FOUND` on it; its id."""
    path, pixels = folder / "frame", np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    if place:
        shape = {"height": HEIGHT, "width": WIDTH, "count": 3, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", **shape, **place) as file:
            file.write(pixels.transpose(2, 0, 1))
    else:
        Image.fromarray(pixels).save(path, "PNG")
    with path.open("rb") as stream:
        spool = Spool(service.settings.spool_dir, 1 << 30)
        receive(service.database, spool, stream, Arrival("upload", path.name, route="champion"))
    (reader,) = open_captures(path)
    level = pyramid(reader.capture, TILE)[-1]
    verdicts = [
        Verdict(
            window=Window(level, row - TILE // 2, column - TILE // 2, TILE, TILE),
            label=label,
            confidence=0.75,
            novelty=0.5 if label else 3.0,
            reason=Reason.CONFIDENT if label else Reason.NOVEL,
            likeliest=label or "pup",
        )
        for (row, column), label in {**FOUND, NOTHING: "sand"}.items()
    ]
    found = Inspection(reader.capture, BundleRef("aerial", "1", "a" * 64), tuple(verdicts), "sand", NOON, 1.0)
    lease = claim_one(service.database)
    assert lease is not None
    with service.database.write() as session:
        add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=1, at=now(session))
    return found.id


def marks_at(pixels: NDArray[np.uint8], place: tuple[int, int]) -> set[tuple[int, ...]]:
    """Colours other than the image's around a place of it."""
    row, column = (round(side * OVERLAY_SCALE) for side in place)
    around = pixels[row - 20 : row + 20, column - 20 : column + 20].reshape(-1, 3)
    return {tuple(one) for one in np.unique(around, axis=0).tolist()} - {(GREY,) * 3, (0, 0, 0)}


def test_the_picture_has_a_mark_of_its_class_on_each_finding(service: Service, tmp_path: Path) -> None:
    shown = inspected(service, tmp_path)
    answer = service.client.get(f"/api/v1/inspections/{shown}/overlay.png")
    assert answer.headers["content-type"] == "image/png"
    pixels = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert pixels.shape == (HEIGHT * OVERLAY_SCALE, WIDTH * OVERLAY_SCALE, 3)
    marks = {place: marks_at(pixels, place) for place in (*FOUND, NOTHING)}
    assert marks[NOTHING] == set(), "what is normal is not marked"
    (pup,), (cow,), (other_pup,), (unknown,) = (marks[place] for place in FOUND)
    assert pup == other_pup
    assert len({pup, cow, unknown}) == 3
    assert unknown == (255, 255, 255)
    for place in FOUND:  # rings are centred: their pixels lie on all sides of the middle
        row, column = (round(side * OVERLAY_SCALE) for side in place)
        part = (pixels[row - 20 : row + 21, column - 20 : column + 21] != GREY).any(2)
        assert np.argwhere(part).mean(0) == pytest.approx((20, 20), abs=0.6)
    rest = pixels.copy()
    rest[:140, :200] = GREY  # the legend
    for row, column in FOUND:
        y, x = round(row * OVERLAY_SCALE), round(column * OVERLAY_SCALE)
        rest[y - 20 : y + 20, x - 20 : x + 20] = GREY
    assert (rest == GREY).all(), "nothing else is drawn"


def test_places_on_earth_are_those_of_the_findings(service: Service, tmp_path: Path) -> None:
    shown = inspected(service, tmp_path, crs="EPSG:32605", transform=UTM_5N)
    answer = service.client.get(f"/api/v1/inspections/{shown}/findings.geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    features = answer.json()["features"]
    assert Counter(one["properties"]["label"] for one in features) == Counter(FOUND.values())
    for one in features:
        said, (longitude, latitude) = one["properties"], one["geometry"]["coordinates"]
        place = round(said["row_px"]), round(said["column_px"])
        assert FOUND[place] == said["label"]
        assert (said["unknown"], said["confidence"]) == (said["label"] is None, 0.75)
        assert said["reason"] == ("novel" if said["unknown"] else "confident")
        (east,), (north,) = rasterio.warp.transform("EPSG:4326", "EPSG:32605", [longitude], [latitude])
        assert (east, north) == pytest.approx(UTM_5N @ (place[1], place[0]), abs=0.01), "to the centimetre"


def test_a_turned_image_lies_turned(service: Service, tmp_path: Path) -> None:
    turned = Affine.translation(-150.0, 57.0) @ Affine.rotation(30) @ Affine.scale(1e-6, -1e-6)
    shown = inspected(service, tmp_path, crs="EPSG:4326", transform=turned)
    features = service.client.get(f"/api/v1/inspections/{shown}/findings.geojson").json()["features"]
    for one in features:
        place = one["properties"]["column_px"], one["properties"]["row_px"]
        assert one["geometry"]["coordinates"] == pytest.approx(turned @ place, abs=1e-8)


def test_what_cannot_be_drawn_is_said(service: Service, tmp_path: Path) -> None:
    nowhere = inspected(service, tmp_path)
    answer = service.client.get(f"/api/v1/inspections/{nowhere}/findings.geojson")
    assert (answer.status_code, answer.json()["code"]) == (422, "no-crs")
    wafer = inspection(capture())
    record(service.database, wafer)
    answer = service.client.get(f"/api/v1/inspections/{wafer.id}/overlay.png")
    assert (answer.status_code, answer.json()["title"]) == (404, "only images have an overlay")
    for name in ("overlay.png", "findings.geojson"):
        assert service.client.get(f"/api/v1/inspections/none/{name}").status_code == 404
