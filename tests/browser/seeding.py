"""A service with something to show: wafers drawn by the simulator, their inspections, alerts and quarantine as rows.

The verdicts are made up from the truth and the files hold a recipe instead of defects: pages are tried here, not models
and not formats.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.domain.capture import Capture, CaptureKind, Provenance, capture_id
from models.domain.errors import InputError
from models.domain.heat import HeatMap
from models.domain.inspection import BundleRef, Inspection, Looks, Spot
from models.domain.tiling import Level, Tiling, Window, plan, pyramid
from models.domain.verdict import Reason, Verdict
from models.shape import shape_of
from pipelines.ingestion import CaptureReader, PointReader, open_captures
from pipelines.simulate import NORMAL, PATTERNS, UNKNOWN_PATTERNS, sample
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.inspection.naming import named
from services.jobs import LeasePolicy, claim, complete, enqueue, fail
from services.records.session import Database, now
from services.records.store import add_inspection
from services.records.tables import SourceFileRow
from services.records.upsert import insert_new
from services.settings import Settings

BUNDLE = BundleRef("wafer", "3", "5e" * 32)
POLICY = LeasePolicy()
STEPS = (("CMP3", "SP5-02"), ("ETCH1", "SP5-04"), ("LITHO2", "SP7-01"))
"""Inspection steps and the tools that look at them."""
UNSURE = "between two"
PNG = b"\x89PNG"


@dataclass(frozen=True, slots=True)
class Wafer:
    """What a seeded file holds."""

    pattern: str
    seed: int
    defects: int = 800
    lot: str = "A4711"
    wafer: str = "07"
    product: str = "P12"
    step: str = STEPS[0][0]
    tool: str = STEPS[0][1]
    levels: tuple[int, ...] = (0,)


def opened(path: Path, /, *, sha256: str | None = None) -> Iterator[CaptureReader]:
    """Open a seeded file: a real picture, or one wafer that is drawn anew, always the same.

    Raises:
        InputError: it is one of the broken ones.
    """
    if path.read_bytes().startswith(PNG):
        yield from open_captures(path)
        return
    text = path.read_text()
    if not text.startswith("{"):
        raise InputError(
            "file ends early", where=f"{path.name[:24]}, line 118", expected="EndOfFile;", got="end of file",
            remedy="send the file again once the tool has finished writing it", code="truncated",
        )  # fmt: skip
    wafer = Wafer(**json.loads(text))
    drawn = sample("Ring" if wafer.pattern == UNSURE else wafer.pattern, wafer.seed, defects=wafer.defects)
    origin = Provenance(
        wafer.lot, wafer.wafer, int(wafer.wafer), wafer.product, wafer.step, wafer.tool, datetime(2026, 3, 1, 6, 12)
    )
    diameter = drawn.points.diameter_um
    name = f"{wafer.lot} / {wafer.wafer}"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    capture = Capture(capture_id(sha256), CaptureKind.WAFER, name, diameter, diameter, origin)
    yield PointReader(capture, replace(drawn.points, columns=_columns(len(drawn.points), wafer.seed)))


def _columns(count: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """What tools say of each defect."""
    rng = np.random.default_rng(seed)
    return {
        "DEFECTID": np.arange(1, count + 1),
        "CLASSNUMBER": rng.choice([0, 1, 5, 17], count, p=[0.7, 0.15, 0.1, 0.05]),
        "TEST": rng.integers(1, 3, count),
        "ADDERFLAG": (rng.random(count) < 0.3).astype(np.int64),
    }


class Seeder:
    """Puts files into the spool and what would have become of them into the database."""

    def __init__(self, settings: Settings, database: Database) -> None:
        settings.make_folders()
        self.settings, self.database = settings, database
        self.bundle = BUNDLE
        """Which is said to have judged."""

    def gallery(self, patterns: Sequence[str], seed: int = 1) -> list[str]:
        """One wafer of each pattern, over the steps in turn; the ids of their inspections."""
        rng = np.random.default_rng(seed)
        ids = []
        for number, pattern in enumerate(patterns):
            step, tool = STEPS[int(rng.integers(len(STEPS)))]
            defects = int(10 ** rng.uniform(2.3, 4.2))
            lot, slot = f"A47{seed:02d}{number // 12}", f"{number % 12 + 1:02d}"
            ids.append(self.inspected(Wafer(pattern, 100 * seed + number, defects, lot, slot, step=step, tool=tool)))
        return ids

    def inspected(self, wafer: Wafer) -> str:
        """Record the inspection of a wafer and its alerts; the inspection's id."""
        sha256, job_id = self.taken_in(json.dumps(asdict(wafer)), f"{wafer.lot}_{wafer.wafer}.001")
        (reader,) = opened(self.settings.spool_dir / sha256)
        assert isinstance(reader, PointReader)
        rng = np.random.default_rng(wafer.seed)
        windows = list(plan(reader.capture, Tiling(64, 0, tuple(wafer.levels))))
        verdicts = tuple(_verdict(rng, reader, window, wafer.pattern) for window in windows)
        looks = Looks(_place(wafer.pattern), shape_of(reader.read(windows[0]).pixels))
        found = Inspection(
            reader.capture, self.bundle, verdicts, NORMAL, datetime.now(UTC), float(rng.uniform(0.1, 0.6)), looks
        )
        return self._recorded(found, sha256, job_id)

    def pictured(self, px: int = 3000, spots: int = 0) -> str:
        """Record the inspection of an aerial image with a chequered ground, each square with a number of its own.

        Some places of it are unknown, the last of them unlike the others.
        """
        y, x = np.mgrid[:px, :px] // 50
        grey = ((x * 7 + y * 13) % 251).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(np.stack([grey, grey, 255 - grey], axis=-1)).save(stream, "PNG", compress_level=1)
        name = "flight7_0012.png"
        sha256, job_id = self.taken_in(stream.getvalue(), name)
        (reader,) = opened(self.settings.spool_dir / sha256)
        windows = list(plan(reader.capture, Tiling(512, 0, (0, 1))))
        verdicts = tuple(
            Verdict(one, "car" if k % 3 else NORMAL, 0.9, 0.4, Reason.CONFIDENT, "car") for k, one in enumerate(windows)
        )
        heat = _heat(windows[-1].level)
        found = Inspection(reader.capture, self.bundle, verdicts, NORMAL, datetime.now(UTC), 1.2, heat=heat)
        found = replace(found, spots=tuple(_spot(reader, k, k == spots - 1) for k in range(spots)))
        return self._recorded(named(found, self.settings.spool_dir / sha256, name), sha256, job_id)

    def _recorded(self, found: Inspection, sha256: str, job_id: int) -> str:
        with self.database.write() as session:
            lease = claim(session, "seeder", POLICY)
            assert lease is not None
            assert lease.job_id == job_id
            moment = now(session)
            add_inspection(
                session, found, sha256=sha256, job_id=job_id, fence=lease.fence, at=moment, rule="all", route="champion"
            )
            raise_alerts(session, evaluate(found), at=moment)
            complete(session, lease)
        return found.id

    def drawn(self, wafer: Wafer, px: int) -> NDArray[np.uint8]:
        """A wafer as the model sees it, (px, px, 2); nothing is recorded."""
        path = self.settings.home / "drawn.001"
        path.write_text(json.dumps(asdict(wafer)))
        (reader,) = opened(path)
        (window,) = plan(reader.capture, Tiling(px, 0, (0,)))
        return reader.read(window).pixels

    def refused(self, name: str) -> int:
        """Record a file that cannot be read; its job's id."""
        sha256, job_id = self.taken_in(f"broken {name}", name)
        with self.database.write() as session:
            lease = claim(session, "seeder", POLICY)
            assert lease is not None
            try:
                list(opened(self.settings.spool_dir / sha256))
            except InputError as error:
                fail(session, lease, error, POLICY)
        return job_id

    def taken_in(self, content: str | bytes, name: str) -> tuple[str, int]:
        """Spool a file and queue it; its hash and its job's id."""
        content = content.encode() if isinstance(content, str) else content
        sha256 = hashlib.sha256(content).hexdigest()
        (self.settings.spool_dir / sha256).write_bytes(content)
        with self.database.write() as session:
            received = now(session) - timedelta(seconds=1.4)
            insert_new(
                session, SourceFileRow, SourceFileRow.sha256, sha256=sha256, size_bytes=1000 * len(content), name=name,
                received_at=received,
            )  # fmt: skip
            job_id, _ = enqueue(session, sha256=sha256, route="champion", sender="watch")
        return sha256, job_id


def _spot(reader: CaptureReader, k: int, is_other: bool) -> Spot:
    window = Window(pyramid(reader.capture, 96)[-1], 150 + 170 * k, 250 + 110 * k, 96, 96)
    said = Verdict(window, None, 0.8, 4.0 - 0.1 * k, Reason.NOVEL, NORMAL, "car", 0.1)
    return Spot(said, Looks(np.eye(2, 8, dtype=np.float32)[int(is_other)], np.zeros(90, np.float32)))


def _heat(level: Level) -> tuple[HeatMap, ...]:
    """Two classes, each around a place of its own, and something that was refused."""
    rows, columns = np.mgrid[:90, :90]
    maps = []
    for label, row, column, size in (
        ("car", 30, 30, 12),
        ("truck", 60, 55, 20),
        (None, 75, 15, 3),
        ("boat", 0, 0, 0.1),
    ):
        values = 250 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * size**2)) * (label != "boat")
        maps.append(HeatMap(level, label, (0.02, 0.02, 0.98, 0.98), values.astype(np.uint8)))
    return tuple(maps)


def _verdict(rng: np.random.Generator, reader: PointReader, window: Window, pattern: str) -> Verdict:
    rival = str(rng.choice([name for name in PATTERNS if name != pattern]))
    sure = float(rng.uniform(0.72, 0.995))
    novelty = float(rng.uniform(0.2, 1.5))
    if window.level.index > 0:
        share = len(reader.points.index.located(window)) / max(1, len(reader.points))
        density = share * (window.level.height / 64) ** 2
        pattern = pattern if density > 2.2 else NORMAL
    if pattern in UNKNOWN_PATTERNS:
        return Verdict(window, None, 0.55, 3.2, Reason.NOVEL, rival, "Ring", 0.21)
    if pattern == UNSURE:
        return Verdict(window, None, 0.47, 1.1, Reason.UNSURE, "Ring", "Donut", 0.41)
    return Verdict(window, pattern, sure, novelty, Reason.CONFIDENT, pattern, rival, (1 - sure) * 0.7)


def _place(pattern: str) -> NDArray[np.float32]:
    """Where a pattern lies in the latent space."""
    return np.random.default_rng(list(pattern.encode())).standard_normal(8).astype(np.float32)
