"""Inspections and their maps over HTTP."""

import numpy as np
import pytest

from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from tests.services.api.conftest import Service
from tests.services.making import capture, inspection, record, sha, verdict

PART = Window(Level(2, 256, 256), 64, 128, 64, 64)


@pytest.fixture
def shown(service: Service) -> str:
    """An inspection with a whole window and a strange part."""
    service.spool("wafer")
    found = inspection(capture(), verdict("Ring"), verdict(None, reason=Reason.NOVEL, window=PART))
    record(service.database, found)
    return found.id


def test_windows_are_fractions_of_the_capture(service: Service, shown: str) -> None:
    whole, part = service.client.get(f"/api/v1/inspections/{shown}/windows").json()["windows"]
    assert (whole["whole"], whole["kind"], whole["bottom"]) == (True, "defect", 1.0)
    assert (part["whole"], part["kind"], part["top"], part["left"]) == (False, "unknown", 0.25, 0.5)


def test_points_map_and_picture_fit_together(service: Service, shown: str) -> None:
    path = f"/api/v1/inspections/{shown}"
    geometry = service.client.get(f"{path}/map").json()
    assert (geometry["kind"], geometry["points"], geometry["diameter_um"]) == ("points", 3, 300_000.0)
    wire = service.client.get(f"{path}/points")
    assert np.frombuffer(wire.content, "<u2").shape == (6,)
    picture = service.client.get(f"{path}/picture.png?size=64&theme=dark")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert service.client.get(f"{path}/picture.png?size=100000").status_code == 422


def test_what_a_browser_holds_is_not_made_again(service: Service, shown: str) -> None:
    path = f"/api/v1/inspections/{shown}/points"
    first = service.client.get(path)
    again = service.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "private" in first.headers["cache-control"]


def test_lists_continue_behind_their_cursor(service: Service) -> None:
    for k in range(5):
        record(service.database, inspection(capture(f"w{k}", lot=f"L{k % 2}")), content=f"w{k}")
    seen: list[str] = []
    cursor = ""
    while True:
        page = service.client.get(f"/api/v1/inspections?limit=2{cursor}").json()
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 5
    assert len(service.client.get("/api/v1/inspections?lot=L1").json()["items"]) == 2
    assert service.client.get("/api/v1/inspections?unknown=true").json()["items"] == []


def test_what_is_not_there_is_told_plainly(service: Service) -> None:
    for path in ("", "/windows", "/map", "/points", "/picture.png"):
        answer = service.client.get(f"/api/v1/inspections/{sha('nothing')}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
    record(service.database, inspection(capture("gone")), content="gone")
    gone = inspection(capture("gone")).id
    assert service.client.get(f"/api/v1/inspections/{gone}").status_code == 200
    assert service.client.get(f"/api/v1/inspections/{gone}/map").json()["code"] == "no-source-file"
