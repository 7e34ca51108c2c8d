"""A service with one of everything people and programs can look at or change."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from models.domain.alert import AlertState
from models.domain.errors import InputError
from models.domain.inspection import BundleRef, Inspection, Looks
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from services.alerting.handling import change_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.alerting.silencing import Wish, add_silence
from services.clustering import Clustering
from services.jobs import fail
from services.records import queries
from services.records.labels import add_labels
from services.records.session import Database, now
from services.serving.bundle_store import BundleStore
from tests.services.api.conftest import Serve, Service
from tests.services.conftest import MakeBundle
from tests.services.faking_models import FakeModels
from tests.services.making import POLICY, add_job, capture, claim_one, inspection, record, verdict

WINDOW = Window(Level(0, 16, 16), 0, 0, 16, 16)
"""As the bundle of `make_bundle` looks at a wafer."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What is there, by how addresses name it.

    Attributes:
        service: with an open and an acknowledged alert, a group of strangers, a file that waits, one in quarantine, a
            silence, labels, and a bundle in force.
        inspection_id: of a wafer whose file and bundle are at hand.
        capture_id: of the same.
        queued: the job that waits.
        quarantined: the job that was set aside.
    """

    service: Service
    inspection_id: str
    capture_id: str
    queued: int
    quarantined: int


def fill(serve: Serve, make_bundle: MakeBundle, folder: Path, **settings: object) -> Filled:
    """Start a service with these settings and put one of everything into it."""
    manifest = make_bundle(folder / "made", 0)
    service = serve(models_known=FakeModels(), bundle=str(folder / "made"), **settings)
    store = BundleStore(service.settings.bundle_dir)
    store.activate("folder", store.install(folder / "made").ref.digest, "1")
    database = service.database
    ref = BundleRef("tiny", "1", manifest.ref.digest)
    first = inspection(capture("first"), verdict("ring", window=WINDOW, runner_up="scratch"), bundle=ref, normal="none")
    second = inspection(capture("second", step="CMP"), verdict("scratch", window=WINDOW), bundle=ref, normal="none")
    for one, content in ((first, "first"), (second, "second")):
        _recorded(service, one, content)
    for content in ("odd", "odder"):
        strange = inspection(capture(content), verdict(None, reason=Reason.NOVEL, window=WINDOW), bundle=ref)
        looks = Looks(np.ones(8, np.float32), np.zeros(90, np.float32))
        _recorded(service, replace(strange, looks=looks), content)
    Clustering(database).refresh()
    quarantined = _quarantined(database)
    queued = add_job(database, "waits")
    with database.write() as session:
        newest = queries.alerts(session, states=[AlertState.OPEN]).items[0]
        change_alert(session, newest.id, version=newest.version, to=AlertState.ACKNOWLEDGED, actor="ada")
        until = now(session) + timedelta(days=2)
        add_silence(session, Wish("new chuck", until, tool="T1"), author="ada")
        add_labels(session, [second.id], name="comet", author="ada")
    return Filled(service, first.id, first.capture.id, queued, quarantined)


def _recorded(service: Service, found: Inspection, content: str) -> None:
    service.spool(content)
    record(service.database, found, content=content)
    with service.database.write() as session:
        raise_alerts(session, evaluate(found), at=now(session))


def _quarantined(database: Database) -> int:
    job_id = add_job(database, "bad")
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        fail(session, lease, InputError("file ends early", where="bad.001", got="=1+1"), POLICY)
    return job_id
