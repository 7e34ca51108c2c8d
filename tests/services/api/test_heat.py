"""Heat maps over HTTP: a list that says what there is, and pictures to lay over the capture."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from models.domain.heat import HeatMap
from models.domain.tiling import Level
from services.api.heat_colours import colour_of, shades
from tests.services.api.conftest import Service
from tests.services.making import capture, inspection, record

LEVEL = Level(5, 1000, 1500)
BOX = (0.01, 0.02, 0.97, 0.98)


@pytest.fixture
def shown(service: Service) -> str:
    """An inspection with heat of two classes and of what is unknown."""
    scratch, ring, unknown = (np.zeros((3, 4), np.uint8) for _ in range(3))
    scratch[1, 2], ring[0, 0], unknown[2, 3] = 255, 51, 255
    maps = [HeatMap(LEVEL, name, BOX, cells) for name, cells in (("Scratch", scratch), ("Ring", ring), (None, unknown))]
    found = replace(inspection(capture()), heat=tuple(maps))
    record(service.database, found)
    return found.id


def test_the_list_says_what_there_is(service: Service, shown: str) -> None:
    answer = service.client.get(f"/api/v1/inspections/{shown}/heat").json()
    assert answer["inspection"] == shown
    assert [(one["label"], one["greatest"]) for one in answer["maps"]] == [("Scratch", 1.0), ("Ring", 0.2), (None, 1.0)]
    first = answer["maps"][0]
    assert [first[side] for side in ("top", "left", "bottom", "right")] == list(BOX)
    assert (first["level"], first["rows"], first["columns"]) == (5, 3, 4)
    assert len({one["colours"][-1] for one in answer["maps"]}) == 3
    assert first["colours"][0].endswith("/ 0.00)")


def test_pictures_are_clear_where_there_is_nothing(service: Service, shown: str) -> None:
    maps = service.client.get(f"/api/v1/inspections/{shown}/heat").json()["maps"]
    for place, ((row, column), opacity) in enumerate((((1, 2), 0.92), ((0, 0), 0.92 * 0.2), ((2, 3), 0.92))):
        picture = service.client.get(maps[place]["picture"])
        assert picture.headers["content-type"] == "image/png"
        pixels = np.asarray(Image.open(io.BytesIO(picture.content)).convert("RGBA"))
        assert pixels.shape == (3, 4, 4)
        assert np.argwhere(pixels[..., 3]).tolist() == [[row, column]]
        assert pixels[row, column, 3] / 255 == pytest.approx(opacity, abs=0.01)
    full = np.asarray(Image.open(io.BytesIO(service.client.get(maps[0]["picture"]).content)).convert("RGBA"))
    assert tuple(full[1, 2, :3]) == colour_of("Scratch", 0)


def test_the_browser_keeps_them(service: Service, shown: str) -> None:
    path = f"/api/v1/inspections/{shown}/heat/0.png"
    tag = service.client.get(path).headers["etag"]
    again = service.client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_not_there_is_said(service: Service, shown: str) -> None:
    missing = service.client.get(f"/api/v1/inspections/{shown}/heat/3.png")
    assert missing.status_code == 404
    assert missing.json()["expected"] == "0 <= number < 3"
    assert service.client.get("/api/v1/inspections/none/heat").status_code == 404
    found = inspection(capture("another"))
    record(service.database, found, content="another")
    assert service.client.get(f"/api/v1/inspections/{found.id}/heat").json()["maps"] == []


def test_shades_are_even_steps_from_clear_to_dense() -> None:
    for colour in [colour_of(None, 0), *(colour_of("x", place) for place in range(8))]:
        table = shades(colour).astype(int)
        assert table[0, 3] == 0
        assert (np.diff(table[:, 3]) >= 0).all()
        assert tuple(table[-1, :3]) == colour
        assert table[0, :3].sum() > table[-1, :3].sum()
        assert np.abs(np.diff(table[:, :3], axis=0)).max() <= 3
