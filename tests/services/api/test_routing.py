"""The routing and the looks of challengers over HTTP."""

from services.records.route_tables import ShadowOutcome
from services.records.session import now
from services.records.store import add_inspection
from services.routing.history import apply
from services.routing.shadows import answer, ask_shadow, claim_shadow, compare, fail_shadow
from tests.services.api.conftest import Service
from tests.services.making import add_job, capture, claim_one, inspection, sha, verdict
from tests.services.routing.test_routing import ROUTING


def shadowed(service: Service) -> None:
    """Three inspections with a challenger: one agrees, one does not, one fails."""
    job_id = add_job(service.database)
    lease = claim_one(service.database)
    assert lease is not None
    challengers = [inspection(capture("wafer", n, 3), verdict("Ring" if n else "Scratch")) for n in range(2)]
    with service.database.write() as session:
        for n in range(3):
            one = inspection(capture("wafer", n, 3))
            add_inspection(
                session, one, sha256=lease.sha256, job_id=job_id, fence=1, at=now(session), rule="all", route="champion"
            )
            ask_shadow(session, one.id, "candidate", now(session))
        for challenger in challengers:
            task = claim_shadow(session)
            assert task is not None
            answer(session, task, challenger, compare(inspection(challenger.capture), challenger))
        task = claim_shadow(session)
        assert task is not None
        fail_shadow(session, task, "bad-configuration")


def test_the_routing_in_force_says_what_its_routes_mean(service: Service) -> None:
    plain = service.client.get("/api/v1/routing").json()
    assert (plain["number"], plain["routing"]["rules"][0]["route"]) == (0, "champion")
    assert "waferwatch release" in plain["bundles"][0]["missing"]
    with service.database.write() as session:
        apply(session, ROUTING, actor="Zoë", note="trial")
    applied = service.client.get("/api/v1/routing").json()
    assert (applied["number"], applied["applied_by"]) == (1, "Zoë")
    assert applied["routing"]["rules"][1]["canary"]["share"] == 0.2
    assert [one["note"] for one in service.client.get("/api/v1/routing/history").json()["items"]] == ["trial"]


def test_a_routing_is_put_into_force_by_whoever_saw_the_last_one(service: Service) -> None:
    order = {"routing": ROUTING.model_dump(mode="json"), "note": "trial", "after": 0}
    answer = service.client.post("/api/v1/routing", json=order)
    assert (answer.status_code, answer.json()["number"]) == (201, 1)
    late = service.client.post("/api/v1/routing", json=order)
    assert (late.status_code, late.json()["code"]) == (409, "routing-stale")
    assert service.client.post("/api/v1/routing", json=order | {"routing": {"rules": []}}).status_code == 422


def test_what_challengers_said_is_listed_and_counted(service: Service) -> None:
    shadowed(service)
    listed = service.client.get("/api/v1/shadow").json()["items"]
    assert [one["outcome"] for one in listed] == ["failed", "disagreed", "agreed"]
    (disagreed,) = service.client.get("/api/v1/shadow?outcome=disagreed").json()["items"]
    assert (disagreed["champion_label"], disagreed["challenger_label"]) == ("Scratch", "Ring")
    assert disagreed["differences"] == [{"n": 0, "champion": "Scratch", "challenger": "Ring"}]
    (count,) = service.client.get("/api/v1/shadow/counts").json()
    assert count["outcomes"] == {
        one.value: 1 for one in ShadowOutcome if one.value in ("agreed", "disagreed", "failed")
    }
    assert count["disagreement"] == 0.5
    assert {"champion": "Scratch", "challenger": "Ring", "captures": 1} in count["words"]


def test_pages_of_looks_continue(service: Service) -> None:
    shadowed(service)
    first = service.client.get("/api/v1/shadow?limit=2").json()
    second = service.client.get(f"/api/v1/shadow?limit=2&cursor={first['next']}").json()
    assert len({one["id"] for one in (*first["items"], *second["items"])}) == 3
    assert second["next"] is None


def test_routes_are_counted_by_bundle(service: Service) -> None:
    shadowed(service)
    (count,) = service.client.get("/api/v1/routing/counts").json()
    assert (count["rule"], count["route"], count["captures"], count["unknown"]) == ("all", "champion", 3, 0)
    assert sha("wafer") != count["bundle"]["digest"]
