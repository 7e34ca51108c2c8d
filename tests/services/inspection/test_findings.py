"""What was found, as a picture and as places on Earth."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from models.domain.verdict import Reason, Verdict
from pipelines.ingestion import CaptureReader, open_captures
from services.inspection.findings import OVERLAY_PX, geojson, overlay

HEIGHT, WIDTH, TILE = 1200, 2400, 64


@pytest.fixture
def frame(tmp_path: Path) -> CaptureReader:
    """A grey GeoTIFF: UTM zone 5 north, 10 cm a pixel."""
    path = tmp_path / "frame.tif"
    shape = {"height": HEIGHT, "width": WIDTH, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32605", transform=from_origin(500_000, 6_000_000, 0.1, 0.1), **shape
    ) as file:
        file.write(np.full((3, HEIGHT, WIDTH), 90, np.uint8))
    return next(iter(open_captures(path)))


def verdict(reader: CaptureReader, row: int, column: int, label: str | None) -> Verdict:
    window = Window(pyramid(reader.capture, TILE)[-1], row - TILE // 2, column - TILE // 2, TILE, TILE)
    reason = Reason.CONFIDENT if label else Reason.NOVEL
    return Verdict(window, label, 0.9, 1.5, reason, likeliest=label or "pup")


def test_a_mark_for_each_finding_and_none_for_what_is_normal(frame: CaptureReader) -> None:
    found = [verdict(frame, 300, 600, "pup"), verdict(frame, 900, 1800, None), verdict(frame, 600, 1200, "sand")]
    with Image.open(io.BytesIO(overlay(frame, found, "sand"))) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (OVERLAY_PX // 2, OVERLAY_PX, 3)

    def is_marked(row: int, column: int) -> bool:
        part = pixels[row * 2 // 3 - 20 : row * 2 // 3 + 20, column * 2 // 3 - 20 : column * 2 // 3 + 20]
        return bool((part != 90).any())

    assert [is_marked(300, 600), is_marked(900, 1800), is_marked(600, 1200)] == [True, True, False]


def test_findings_lie_on_earth(frame: CaptureReader) -> None:
    made = geojson(frame.capture, [verdict(frame, 0, 0, "pup"), verdict(frame, 600, 1200, None)], "sand")
    first, second = made["features"]
    # the corner is on the zone's central meridian, 153° west; 120 m east and 60 m south lies the middle
    assert first["geometry"]["coordinates"][0] == pytest.approx(-153, abs=1e-7)
    assert first["geometry"]["coordinates"][1] == pytest.approx(54.1481, abs=1e-4)
    longitude, latitude = np.subtract(second["geometry"]["coordinates"], first["geometry"]["coordinates"])
    assert latitude * 111_320 == pytest.approx(-60, rel=0.01)
    assert longitude * 111_320 * np.cos(np.radians(54.1481)) == pytest.approx(120, rel=0.01)
    assert (first["properties"]["label"], first["properties"]["unknown"]) == ("pup", False)
    assert (second["properties"]["label"], second["properties"]["unknown"]) == (None, True)
    assert (second["properties"]["row_px"], second["properties"]["column_px"]) == (600, 1200)


def test_an_image_without_a_place_has_no_geojson(frame: CaptureReader) -> None:
    with pytest.raises(InputError, match="no place on Earth"):
        geojson(replace(frame.capture, georeference=None), [], "sand")


def test_nothing_found_is_said(frame: CaptureReader) -> None:
    assert geojson(frame.capture, [verdict(frame, 600, 1200, "sand")], "sand")["features"] == []
    assert overlay(frame, [], "sand").startswith(b"\x89PNG")
