"""The app as a whole: nobody gets in unasked where others could reach it; upload, jobs, health and metrics."""

from models.domain.errors import InputError
from services.intake.receiving import key_of
from services.jobs import fail
from tests.services.api.conftest import Serve, Service
from tests.services.making import POLICY, add_job, claim_one, inspection, record


def test_on_loopback_no_login_is_needed_and_the_page_says_so(service: Service) -> None:
    page = service.client.get("/alerts", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "No login" in page.text


def test_an_upload_answers_when_the_file_is_safe(service: Service) -> None:
    answer = service.client.post("/api/v1/captures", files={"file": ("../../etc/wafer.001", b"lot a")})
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert job["state"] == "queued"
    assert service.intake.taken == [(b"lot a", "wafer.001", "local", None)]
    again = service.client.post(
        "/api/v1/captures", files={"file": ("wafer.001", b"lot a")}, headers={"Idempotency-Key": "k1"}
    ).json()
    assert again["known_before"] is True
    assert again["job"]["id"] == job["id"]
    assert service.intake.taken[-1][3] == key_of("upload", "local", "k1")


def test_waiting_answers_with_the_verdicts(service: Service) -> None:
    record(service.database, inspection(), content="wafer")
    answer = service.client.post("/api/v1/captures?wait=5", files={"file": ("wafer.001", b"wafer")})
    assert answer.status_code == 200
    (found,) = answer.json()["inspections"]
    assert (found["label"], found["unknown"], found["capture"]["lot"]) == ("Scratch", False, "LOT7")


def test_waiting_for_a_file_that_cannot_be_read_tells_why(service: Service) -> None:
    add_job(service.database, "bad")
    lease = claim_one(service.database)
    assert lease is not None
    with service.database.write() as session:
        fail(session, lease, InputError("file ends early", where="bad.001", remedy="send it again"), POLICY)
    answer = service.client.post("/api/v1/captures?wait=5", files={"file": ("bad.001", b"bad")})
    assert answer.status_code == 422
    assert answer.json()["title"] == "file ends early"
    assert answer.json()["remedy"] == "send it again"
    (listed,) = service.client.get("/api/v1/quarantine").json()["items"]
    assert listed["error"]["what"] == "file ends early"


def test_waiting_ends_with_the_time_given(service: Service) -> None:
    answer = service.client.post("/api/v1/captures?wait=0.2", files={"file": ("slow.001", b"slow")})
    assert answer.status_code == 202
    assert answer.json()["inspections"] == []


def test_a_refused_file_and_a_body_without_one(service: Service) -> None:
    refused = service.client.post("/api/v1/captures", files={"file": ("a.001", b"refuse me")})
    assert (refused.status_code, refused.json()["code"]) == (422, "empty-file")
    assert service.client.post("/api/v1/captures", data={"x": "y"}).status_code == 422


def test_a_file_over_the_limit_is_refused_before_it_is_taken(serve: Serve) -> None:
    service = serve(upload_limit_bytes=200_000)
    answer = service.client.post("/api/v1/captures", files={"file": ("big.001", b"x" * 300_000)})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.client.post("/api/v1/captures", files={"file": ("ok.001", b"y" * 100_000)}).status_code == 202
    assert service.client.post("/api/v1/alerts/1/resolve", content=b"[" * 2_000_000).status_code == 413


def test_alive_and_ready(service: Service) -> None:
    assert service.client.get("/healthz").json() == {"status": "ok"}
    ready = service.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "database": "up", "workers": "idle", "waiting_files": 0}
    add_job(service.database)
    assert service.client.get("/readyz").json()["workers"] == "slow"


def test_without_its_database_the_service_is_alive_and_not_ready(service: Service) -> None:
    service.database.close()
    (service.settings.home / "waferwatch.db").unlink()
    (service.settings.home / "waferwatch.db").mkdir()
    assert service.client.get("/healthz").status_code == 200
    assert service.client.get("/readyz").status_code == 503
    answer = service.client.get("/api/v1/alerts")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "waferwatch_database_up 0.0" in service.client.get("/metrics").text


def test_metrics_count_routes_not_addresses(service: Service) -> None:
    for k in range(20):
        service.client.get(f"/api/v1/inspections/{k}")
        service.client.get(f"/nowhere/{k}")
    text = service.client.get("/metrics").text
    assert (
        'waferwatch_http_requests_total{method="GET",route="/api/v1/inspections/{inspection_id}",status="404"} 20.0'
        in text
    )
    assert 'route="unmatched",status="404"} 20.0' in text
    assert 'waferwatch_jobs{state="queued"} 0.0' in text
    assert 'waferwatch_alerts_open{severity="critical",state="open"} 0.0' in text


def test_the_description_for_programs_has_examples_and_no_pages(service: Service) -> None:
    described = service.client.get("/api/v1/openapi.json").json()
    assert all(path.startswith(("/api/v1/", "/healthz", "/readyz", "/metrics")) for path in described["paths"])
    assert "examples" in str(described["components"]["schemas"]["InspectionAnswer"])
