"""Thresholds by API and on the page: the effect before, the change with a reason, the effect after."""

from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.domain.errors import ConfigurationError, RetryableError
from services.serving.bundle_store import BundleStore
from tests.services.api.conftest import Serve, Service
from tests.services.conftest import MakeBundle


@pytest.fixture
def service(serve: Serve, make_bundle: MakeBundle, tmp_path: Path) -> Service:
    """A service whose route means a bundle in a folder."""
    make_bundle(tmp_path / "made", 0)
    started = serve(bundle=str(tmp_path / "made"))
    store = BundleStore(started.settings.bundle_dir)
    store.activate("folder", store.install(tmp_path / "made").ref.digest, "1")
    return started


def test_the_effect_is_seen_before_the_change(service: Service, tmp_path: Path) -> None:
    before = service.client.get("/api/v1/thresholds").json()
    assert before["now"]["thresholds"]["novelty"] is None
    assert [one["budget"] for one in before["choices"]] == sorted(one["budget"] for one in before["choices"])
    refused = [one["novel"] for one in before["choices"]]
    assert refused == sorted(refused)
    seen = service.client.get("/api/v1/thresholds/effect", params={"novelty": 0.25}).json()
    assert (seen["novel"], seen["error"]) == (0.5, 0.0)
    assert load_bundle(tmp_path / "made").manifest.ref.digest == before["bundle"]["digest"]


def test_a_change_needs_a_reason_and_the_bundle_it_is_for(service: Service) -> None:
    digest = service.client.get("/api/v1/thresholds").json()["bundle"]["digest"]
    order = {"novelty": 0.25, "reason": "night shift", "after": digest}
    assert service.client.put("/api/v1/thresholds", json=order | {"reason": ""}).status_code == 422
    assert service.client.put("/api/v1/thresholds", json=order | {"after": "0" * 64}).status_code == 422
    after = service.client.put("/api/v1/thresholds", json=order)
    assert after.status_code == 200
    assert after.json()["now"]["thresholds"]["novelty"] == 0.25
    assert after.json()["bundle"]["digest"] != digest
    assert service.client.put("/api/v1/thresholds", json=order).status_code == 422  # it changed meanwhile


@pytest.mark.parametrize("route", ["../secret", "/etc", "a/b", "..", "x" * 300, "a\0b", "", " "])
def test_a_route_is_a_name_and_no_way_out_of_the_folder(service: Service, route: str) -> None:
    (service.settings.home / "secret.json").write_text('{"digest": "0", "version": "1"}')
    for path in ("/api/v1/thresholds", "/api/v1/thresholds/effect", "/thresholds"):
        assert service.client.get(path, params={"route": route}).status_code == 422, path
    assert service.client.post("/api/v1/reinspections", json={"bundle": route}).status_code == 422
    order = {"novelty": 0.2, "reason": "x", "after": "0" * 64}
    assert service.client.put("/api/v1/thresholds", params={"route": route}, json=order).status_code == 422
    with pytest.raises((ConfigurationError, RetryableError)):
        BundleStore(service.settings.bundle_dir).resolve(route)


def test_a_route_that_nobody_made_is_not_there(service: Service) -> None:
    answer = service.client.get("/api/v1/thresholds?route=elsewhere")
    assert (answer.status_code, answer.json()["expected"]) == (404, "folder")
    assert service.client.post("/api/v1/reinspections", json={"bundle": "elsewhere"}).status_code == 404
    assert service.client.get(f"/api/v1/bundles/{'0' * 64}/examples/1.png").status_code == 404


def test_the_page_previews_and_changes(service: Service) -> None:
    page = service.client.get("/thresholds", params={"novelty": "0.25"})
    assert page.status_code == 200
    for text in ("Rejection against error", "What they would do", "50.0 %", "Put into force"):
        assert text in page.text.replace("\u202f", " ").replace("\xa0", " ")
    digest = service.client.get("/api/v1/thresholds").json()["bundle"]["digest"]
    form = {"route": "folder", "after": digest, "novelty": "0.25", "reason": "night shift"}
    answer = service.client.post("/thresholds", data=form)
    assert answer.status_code == 303
    assert service.client.get("/api/v1/thresholds").json()["now"]["novel"] == 0.5
    assert "not a number" in service.client.get("/thresholds", params={"budget": "two"}).text
