"""**I** for a service on Ray, whose model is real and has random weights: the oracle is what was recorded itself."""

import hashlib
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import func, select

from models.domain.alert import AlertState
from models.domain.inspection import Inspection
from services.alerting.rules import evaluate
from services.records import queries
from services.records.tables import CaptureRow, InspectionRow, JobRow, JobState, SourceFileRow
from tests.services.serving.service import Service


def check_service(service: Service, files: Collection[Path]) -> None:
    """Captures == distinct inputs; alerts == those of the inspections; every job done by whoever held it last."""
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    with service.database.read() as session:
        assert set(session.scalars(select(JobRow.state))) == {JobState.DONE}
        assert set(session.scalars(select(SourceFileRow.sha256))) == hashes
        assert session.scalar(select(func.count()).select_from(CaptureRow)) == len(hashes)
        assert session.scalar(select(func.count()).select_from(InspectionRow)) == len(hashes)
        fences = select(JobRow.fence, InspectionRow.fence).join(InspectionRow, InspectionRow.job_id == JobRow.id)
        assert all(last == wrote for last, wrote in session.execute(fences).tuples())
        expected: Counter[str] = Counter()
        for identity in session.scalars(select(InspectionRow.id)):
            found = queries.inspection(session, identity)
            assert found is not None
            line = found.summary
            judged = Inspection(
                line.capture, line.bundle, found.verdicts, line.normal, line.started_at, line.duration_s
            )
            expected.update(alert.fingerprint.key for alert in evaluate(judged))
        alerts = queries.alerts(session, states=list(AlertState), limit=10_000).items
        raised = Counter(alert.count for alert in alerts)
    assert raised == Counter(expected.values()), f"{raised} is not {Counter(expected.values())}"
