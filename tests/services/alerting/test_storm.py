"""An alert storm: 10,000 identical findings are one alert, one message per channel, and pages that answer."""

import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from models.domain.alert import Alert, Fingerprint, Quiet, Severity
from services.alerting.occurrences import raise_alerts
from services.api.app import create_app
from services.records.alert_tables import AlertOccurrenceRow, AlertRow
from services.records.session import Database, now
from services.records.tables import OutboxRow
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.api.conftest import FakeIntake, opened
from tests.services.making import sha
from tests.web import served

FINDINGS = 10_000
PART = 500
LOT = 25
QUIET = Quiet(window=timedelta(hours=8))


def rain(database: Database, first: int, count: int) -> float:
    """So many findings, a lot in each transaction, as workers record files of whole lots; seconds it took."""
    began = time.perf_counter()
    fingerprint = Fingerprint("pattern", "Ring", "P1", "ETCH", "T9")
    for start in range(first, first + count, LOT):
        lot = [
            Alert(fingerprint, sha(f"wafer {number}"), Severity.WARNING, "Ring", "Look.", quiet=QUIET)
            for number in range(start, start + LOT)
        ]
        with database.write() as session:
            raise_alerts(session, lot, at=now(session), channels=["mail", "webhook"])
    return time.perf_counter() - began


def answer_s(client: httpx.Client, path: str) -> float:
    """Median of five answers, seconds."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert client.get(path, headers={"Accept": "text/html"}).status_code == 200
        times.append(time.perf_counter() - began)
    return median(times)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_findings_are_one_alert(database: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database.url.render_as_string(hide_password=False))
    app = create_app(
        settings, database, accept=FakeIntake(database), opener=opened, metrics=Metrics(CollectorRegistry())
    )
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        early = rain(database, 0, PART)
        calm = {path: answer_s(client, path) for path in ("/alerts", "/alerts/1")}
        middle = rain(database, PART, FINDINGS - 2 * PART)
        late = rain(database, FINDINGS - PART, PART)
        after = {path: answer_s(client, path) for path in calm}
        listed = client.get("/api/v1/alerts").json()["items"]
    with database.read() as session:
        (alert,) = session.scalars(select(AlertRow)).all()
        subjects = session.scalar(select(func.count()).select_from(AlertOccurrenceRow))
        told = Counter(session.scalars(select(OutboxRow.channel)))
    assert (alert.count, subjects, len(listed), listed[0]["count"]) == (FINDINGS, FINDINGS, 1, FINDINGS)
    assert told == {"mail": 1, "webhook": 1}
    rate = FINDINGS / (early + middle + late)
    print(f"{rate:.0f} findings a second; late/early {late / early:.2f}; pages {calm} {after}")
    assert late < 3 * early, "the ten thousandth finding costs what the first did"
    assert all(after[path] < 3 * calm[path] for path in calm), "pages do not feel how many there were"
