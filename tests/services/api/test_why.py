"""Why a verdict: the bundle that judged looks again, by API and on a page; what is missing is said."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.inspection import BundleRef
from models.domain.tiling import Level, Window
from services.api.pictures import COLOURS, Theme, heat_png, patch_png
from services.serving.bundle_store import BundleStore
from tests.services.api.conftest import Service
from tests.services.conftest import MakeBundle
from tests.services.making import capture, inspection, record, verdict

WINDOW = Window(Level(0, 16, 16), 0, 0, 16, 16)


@pytest.fixture
def judged(service: Service, make_bundle: MakeBundle, tmp_path: Path) -> str:
    """The id of an inspection whose file and bundle are here."""
    make_bundle(tmp_path / "made", 0)
    manifest = BundleStore(service.settings.bundle_dir).install(tmp_path / "made")
    service.spool("wafer")
    ref = BundleRef("tiny", "1", manifest.ref.digest)
    found = inspection(capture(), verdict("ring", window=WINDOW, runner_up="scratch"), bundle=ref)
    record(service.database, found)
    return found.id


def test_the_api_says_why(service: Service, judged: str) -> None:
    answer = service.client.get(f"/api/v1/inspections/{judged}/why")
    assert answer.status_code == 200
    why = answer.json()
    assert why["label"] in ("none", "ring", "scratch")
    assert (why["likeliest"], why["runner_up"]) == ("ring", "scratch")
    assert 0 <= why["margin"] <= 1
    distances = [one["distance"] for one in why["neighbours"]]
    assert distances == sorted(distances)
    assert len(distances) == 8
    assert {one["label"] for one in why["neighbours"]} == {"none", "ring", "scratch"}
    for address in (why["saliency"], why["attention"], why["neighbours"][0]["picture"]):
        picture = service.client.get(address)
        assert picture.status_code == 200
        assert Image.open(io.BytesIO(picture.content)).size == (256, 256)


def test_another_class_may_be_asked_about(service: Service, judged: str) -> None:
    why = service.client.get(f"/api/v1/inspections/{judged}/why", params={"label": "scratch", "window": 0}).json()
    assert why["label"] == "scratch"
    assert "label=scratch" in why["saliency"]


def test_the_page_shows_it(service: Service, judged: str) -> None:
    page = service.client.get(f"/inspections/{judged}/why")
    assert page.status_code == 200
    for text in ("Why ring?", "Grad-CAM", "Nearest known examples", "lot lot", "Lead over the second"):
        assert text in page.text
    assert f"/inspections/{judged}/why" in service.client.get(f"/inspections/{judged}").text


def test_what_is_missing_is_said(service: Service, judged: str) -> None:
    assert service.client.get("/api/v1/inspections/none/why").status_code == 404
    assert service.client.get(f"/api/v1/inspections/{judged}/why?window=5").status_code == 404
    assert service.client.get(f"/api/v1/inspections/{judged}/why/colour.png").status_code == 404
    other = inspection(capture("other"), verdict("ring", window=WINDOW))
    record(service.database, other, content="other")
    answer = service.client.get(f"/api/v1/inspections/{other.id}/why")
    assert answer.status_code == 503
    assert answer.json()["code"] == "no-bundle"


def test_heat_hides_the_cold_patch_and_not_the_other_way_round() -> None:
    pixels = np.zeros((8, 8, 2), np.uint8)
    pixels[..., 1] = 255
    heat = np.zeros((8, 8), np.float32)
    plain = np.asarray(Image.open(io.BytesIO(patch_png(pixels, 64))))
    cold = np.asarray(Image.open(io.BytesIO(heat_png(pixels, heat, 64))))
    heat[:4] = 1
    hot = np.asarray(Image.open(io.BytesIO(heat_png(pixels, heat, 64))))
    np.testing.assert_array_equal(plain, cold)
    assert tuple(plain[0, 0]) == COLOURS[Theme.LIGHT].passed
    assert not np.array_equal(hot[0, 0], plain[0, 0])
    np.testing.assert_array_equal(hot[-1], plain[-1])
