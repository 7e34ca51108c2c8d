"""A service with something to show: simulated wafers in the spool, their inspections, alerts and quarantine as rows.

The verdicts are made up from the truth: pages are tried here, not models.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from models.bundle import Thresholds
from models.domain.capture import Capture
from models.domain.errors import InputError
from models.domain.inspection import BundleRef, Inspection
from models.domain.tiling import Tiling, Window, plan
from models.domain.verdict import Reason, Verdict
from pipelines.ingestion import CaptureReader, PointReader, open_captures
from pipelines.simulate import NORMAL, PATTERNS, UNKNOWN_PATTERNS, simulate
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.jobs import LeasePolicy, claim, complete, enqueue, fail
from services.records.session import Database, now
from services.records.store import add_inspection
from services.records.tables import SourceFileRow
from services.records.upsert import insert_new
from services.settings import Settings

BUNDLE = BundleRef("wafer", "3", "5e" * 32)
THRESHOLDS = Thresholds(confidence=0.6, novelty=2.0)
POLICY = LeasePolicy()
STEPS = (("CMP3", "SP5-02"), ("ETCH1", "SP5-04"), ("LITHO2", "SP7-01"))
"""Inspection steps and the tools that look at them."""


class Seeder:
    """Puts captures into a database as if they had been inspected, with the truth for verdicts."""

    def __init__(self, settings: Settings, database: Database, seed: int = 7) -> None:
        settings.make_folders()
        self.settings, self.database = settings, database
        self.rng = np.random.default_rng(seed)

    def wafers(
        self, folder: Path, patterns: Sequence[str], seed: int = 7, defects: tuple[int, int] = (60, 4000)
    ) -> None:
        """Simulate one wafer of each pattern and record its inspection and alerts."""
        truth = simulate(folder, patterns=patterns, wafers=1, seed=seed, defects=defects)
        for number, wafer in enumerate(truth.wafers):
            self.inspected(truth.folder / wafer.file, wafer.pattern, STEPS[number % len(STEPS)])

    def inspected(
        self, path: Path, pattern: str, step_and_tool: tuple[str, str] = STEPS[0], levels: tuple[int, ...] = (0,)
    ) -> str:
        """Record one file's inspection; the first capture's inspection id."""
        sha256, job_id = self.taken_in(path)
        found = [self._judged(reader, pattern, step_and_tool, levels) for reader in open_captures(path)]
        with self.database.write() as session:
            lease = claim(session, "seeder", POLICY)
            assert lease is not None
            assert lease.job_id == job_id
            moment = now(session)
            for inspection in found:
                add_inspection(session, inspection, sha256=sha256, job_id=job_id, fence=lease.fence, at=moment)
                raise_alerts(session, evaluate(inspection), subject=inspection.capture.id, at=moment)
            complete(session, lease)
        return found[0].id

    def refused(self, path: Path) -> int:
        """Record a file that cannot be read; its job's id."""
        _, job_id = self.taken_in(path)
        with self.database.write() as session:
            lease = claim(session, "seeder", POLICY)
            assert lease is not None
            try:
                list(open_captures(path))
            except InputError as error:
                fail(session, lease, error, POLICY)
            else:
                raise AssertionError(f"{path} can be read")
        return job_id

    def taken_in(self, path: Path) -> tuple[str, int]:
        """Spool a file and queue it; its hash and its job's id."""
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, self.settings.spool_dir / sha256)
        with self.database.write() as session:
            insert_new(
                session, SourceFileRow, SourceFileRow.sha256, sha256=sha256, size_bytes=path.stat().st_size,
                name=path.name, received_at=now(session) - timedelta(seconds=float(self.rng.uniform(0.4, 2.5))),
            )  # fmt: skip
            job_id, _ = enqueue(session, sha256=sha256, route="champion", sender="seeder")
        return sha256, job_id

    def _judged(
        self, reader: CaptureReader, pattern: str, step_and_tool: tuple[str, str], levels: tuple[int, ...]
    ) -> Inspection:
        step, tool = step_and_tool
        origin = replace(reader.capture.provenance, step=step, tool=tool)
        capture = replace(reader.capture, provenance=origin)
        verdicts = [self._verdict(reader, capture, window, pattern) for window in plan(capture, Tiling(64, 0, levels))]
        return Inspection(
            capture, BUNDLE, tuple(verdicts), NORMAL, datetime.now(UTC), float(self.rng.uniform(0.1, 0.6))
        )

    def _verdict(self, reader: CaptureReader, capture: Capture, window: Window, pattern: str) -> Verdict:
        rival = str(self.rng.choice([name for name in PATTERNS if name != pattern]))
        sure = float(self.rng.uniform(0.72, 0.995))
        novelty = float(self.rng.uniform(0.2, 1.5))
        if window.level.index > 0 and isinstance(reader, PointReader):
            busy = reader.points.index.count(window).sum() / max(1, len(reader.points)) * window.level.height**2 / 64**2
            pattern = pattern if busy > 2.2 else NORMAL
        if pattern in UNKNOWN_PATTERNS:
            return Verdict(window, None, 0.55, 3.2, Reason.NOVEL, rival, "Ring", 0.21)
        if pattern == "unsure":
            return Verdict(window, None, 0.47, 1.1, Reason.UNSURE, "Ring", "Donut", 0.41)
        return Verdict(window, pattern, sure, novelty, Reason.CONFIDENT, pattern, rival, (1 - sure) * 0.7)
