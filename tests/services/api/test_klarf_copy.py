"""The tool's file with the verdicts in it, as whoever reads the tool's files gets it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from prometheus_client import CollectorRegistry

from models.domain.inspection import BundleRef, Inspection
from models.domain.verdict import Labels
from pipelines.ingestion import open_captures
from pipelines.ingestion.formats.klarf import read_klarf
from pipelines.simulate import simulate
from services.api.app import create_app
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records.session import Database, now
from services.records.store import add_inspection
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.making import claim_one, verdict
from tests.web import served

BUNDLE = BundleRef("wafer", "3", "b" * 64)
Inspected = tuple[httpx.Client, list[str]]


@pytest.fixture
def inspected(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inspected]:
    """A lot of two wafers in one file, both inspected; the service and the inspections' ids."""
    (file,) = simulate(tmp_path / "made", 1, patterns=("Ring", "Donut"), file_per_lot=True).files
    shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
    settings = Settings(home=tmp_path)
    database = Database(settings.database_url)
    with file.open("rb") as stream:
        receive(database, Spool(settings.spool_dir, 1 << 30), stream, Arrival("upload", "lot 7.001", route="champion"))
    lease = claim_one(database)
    assert lease is not None
    ids = []
    for reader, label in zip(open_captures(file), ("Ring", None), strict=True):
        found = Inspection(reader.capture, BUNDLE, (verdict(label),), "Normal", datetime.now(UTC), 0.1)
        with database.write() as session:
            add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=1, at=now(session))
        ids.append(found.id)
    metrics = Metrics(CollectorRegistry())
    app = create_app(settings, database, accept=lambda *_, **__: None, opener=open_captures, metrics=metrics)  # type: ignore[arg-type]
    labels = Labels(("Normal", "Ring", "Scratch"), normal="Normal")
    monkeypatch.setattr(app.state.wiring.bundles, "labels", lambda _: labels)
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client, ids
    database.close()


def test_every_wafer_of_the_file_carries_its_verdict(inspected: Inspected, tmp_path: Path) -> None:
    client, ids = inspected
    answers = [client.get(f"/api/v1/inspections/{one}/klarf") for one in ids]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert unquote(answers[0].headers["content-disposition"]).endswith("lot 7_verdicts.001")
    path = tmp_path / "copy.001"
    path.write_bytes(answers[0].content)
    ring, unknown = read_klarf(path).wafers
    assert set(ring.defects.columns["MACROSIGCLASS"].tolist()) == {902}
    assert set(unknown.defects.columns["MACROSIGCLASS"].tolist()) == {900}
    assert (ring.classes[902], ring.classes[900]) == ("Ring", "UNKNOWN")


def test_the_page_offers_it(inspected: Inspected) -> None:
    client, ids = inspected
    assert f"/api/v1/inspections/{ids[0]}/klarf" in client.get(f"/inspections/{ids[0]}").text


def test_no_such_inspection(inspected: Inspected) -> None:
    client, _ = inspected
    assert client.get("/api/v1/inspections/nothing/klarf").status_code == 404
