"""A whole line in one folder: watch folder, spool, database, worker, relay, a receiver; and what must hold of it.

Everything is real except the model, the file format, and the receiver, which is a file that messages are appended to.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from models.domain.alert import AlertState
from models.domain.errors import InputError, RetryableError
from services.alerting.channels.channel import Message
from services.alerting.policy import AlertPolicy
from services.alerting.relay import relay_once
from services.alerting.rule_file import Rules, shipped_rules
from services.alerting.rule_kinds import FileRule, NoveltyRule, PatternRule
from services.inspection import Worked, Workplace, trying, work_once
from services.intake.disposal import Disposal
from services.intake.spool import Spool
from services.intake.watching import Watcher, WatchPolicy
from services.jobs import LeasePolicy
from services.records import queries
from services.records.alert_tables import AlertOccurrenceRow, AlertRow
from services.records.session import Database
from services.records.tables import CaptureRow, InspectionRow, JobRow, JobState, OutboxRow, SourceFileRow
from services.settings import Afterwards
from tests.services.inspection.faking import FakeClassifier, fake_open, manifest

TERMINAL = {JobState.DONE, JobState.DEAD, JobState.QUARANTINED, JobState.CANCELLED}
POLICY = LeasePolicy(lease_s=30, max_attempts=5, backoff_s=2, backoff_limit_s=60)
OF_ONE = tuple(
    rule.model_copy(update={"window_min": 1e6})
    for rule in shipped_rules().rules
    if isinstance(rule, PatternRule | NoveltyRule | FileRule)
)
TOLD = AlertPolicy(Rules(version=1, rules=OF_ONE), channels=("webhook",))
"""Rules for single captures and files, told once: the oracle knows no history, and clocks here jump by days."""
PATTERNS = {"1": ("pattern", "Scratch"), "2": ("pattern", "Ring"), "99": ("novelty", "novel")}


@dataclass(frozen=True)
class Plant:
    """Where everything is; can be sent to other processes."""

    url: str
    folder: Path
    policy: LeasePolicy = POLICY

    @property
    def watch(self) -> Path:
        return self.folder / "watch"

    @property
    def received(self) -> Path:
        return self.folder / "received"

    def build(self) -> "Plant":
        self.watch.mkdir(parents=True)
        self.received.touch()
        return self

    def put(self, name: str, text: str) -> None:
        """A file of the watch folder, appearing whole; equal times make runs repeatable."""
        hidden = self.watch / f".{name}"
        hidden.write_text(text)
        os.utime(hidden, ns=(10**18, 10**18))
        os.rename(hidden, self.watch / name)  # noqa: PTH104 - not a point where our own processes die

    def open(self) -> "Machine":
        return Machine(self)


class Receiver:
    """A webhook's other end: keeps every message it gets, repeated ones too."""

    name = "webhook"

    def __init__(self, path: Path, around: Callable[[str], None]) -> None:
        self._path = path
        self._around = around

    def send(self, message: Message) -> None:
        self._around("before sending")
        with self._path.open("a") as log:
            log.write(message.event_id + "\n")
        self._around("after sending")


class Machine:
    """The processes of one machine, as objects; `around` is called at the points that are not the library's."""

    def __init__(
        self, plant: Plant, around: Callable[[str], None] = lambda _: None, database: Database | None = None
    ) -> None:
        trying.open_captures = fake_open  # type: ignore[assignment]
        self.plant = plant
        self.database = database or Database(plant.url)
        self.spool = Spool(plant.folder / "spool", limit_bytes=1 << 20)
        self.receiver = Receiver(plant.received, around)
        self.classifier = FakeClassifier(manifest(levels=(-1,)), before=lambda: around("classify"))
        self.place = Workplace(self.database, self.spool, f"worker {os.getpid()}", plant.policy, alerting=TOLD)

    def watcher(self) -> Watcher:
        policy = WatchPolicy(disposal=Disposal(Afterwards.DELETE), alerting=TOLD)
        return Watcher(self.plant.watch, self.database, self.spool, policy, route=lambda: "b" * 64, check=check)

    def ingest(self) -> None:
        """Look until the folder is empty, at most three times."""
        watcher = self.watcher()
        for _ in range(3):
            watcher.look()

    def work_one(self) -> Worked | None:
        """One job."""
        return work_once(self.place, lambda _: self.classifier)

    def work(self) -> None:
        """Until there is nothing to do."""
        while self.work_one():
            pass

    def relay_one(self) -> int:
        """One message."""
        return relay_once(self.database, [self.receiver], self.plant.policy)

    def relay(self) -> None:
        """Until there is nothing to send."""
        while self.relay_one():
            pass

    def close(self) -> None:
        self.database.close()


def check(path: Path) -> None:
    text = path.read_text()
    if not text or text.endswith("..."):  # opened for writing, and not written to yet
        raise RetryableError("file ends early", where=str(path), code="truncated")
    if "broken" in text:
        raise InputError("bad wafer", where=str(path))


def oracle(texts: set[str]) -> Counter[tuple[str, str, str | None]]:
    """Alerts (rule, pattern, tool) that must stand when files with these contents came, each any number of times."""
    expected: Counter[tuple[str, str, str | None]] = Counter()
    for text in texts:
        lines = text.splitlines()
        for line in lines[: lines.index("broken")] if "broken" in lines else lines:
            *tool, values = line.split("@")
            found = {PATTERNS[value] for value in values.split() if value in PATTERNS}
            expected.update((rule, pattern, tool[0] if tool else "T9") for rule, pattern in found)
        if "broken" in lines:
            expected["quarantine", "bad-input", None] += 1
    return expected


def check_invariant(
    plant: Plant, texts: set[str], *, dead: frozenset[str] = frozenset(), bundles: int = 1, most_repeats: int = 0
) -> None:
    """**I**: captures == distinct inputs; alerts == the oracle's; every job terminal; no orphan outbox row.

    And: nothing is left in the watch folder that was not kept, the kept bytes are the bytes, and every message arrived.

    Args:
        plant: the line.
        texts: contents of the files that came.
        dead: of those that no worker survived.
        bundles: how many were asked about each file.
        most_repeats: how many messages may have arrived twice.
    """
    hashes = {hashlib.sha256(text.encode()).hexdigest() for text in texts | dead}
    captures = sum(len(text.split("broken")[0].splitlines()) for text in texts)
    with closing(Database(plant.url)) as database, database.read() as session:
        states = Counter(session.scalars(select(JobRow.state)))
        assert set(states) <= TERMINAL, states
        assert set(session.scalars(select(SourceFileRow.sha256))) == hashes
        assert states.total() == bundles * len(hashes), f"{states.total()} jobs for {len(hashes)} files"
        assert states[JobState.DEAD] == len(dead)
        assert session.scalar(select(func.count()).select_from(CaptureRow)) == captures
        assert session.scalar(select(func.count()).select_from(InspectionRow)) == bundles * captures
        alerts = queries.alerts(session, states=list(AlertState), limit=1000).items
        found = Counter({(alert.rule, alert.pattern, alert.tool): alert.count for alert in alerts})
        expected = oracle(texts) + Counter({("dead", "worker-silent", None): len(dead)})
        assert found == expected, f"{found} is not {expected}"
        counted = session.execute(
            select(AlertRow.count, func.count()).join(AlertOccurrenceRow).group_by(AlertRow.id, AlertRow.count)
        ).all()
        assert all(count == rows for count, rows in counted)
        last = select(JobRow.id, JobRow.fence, func.max(InspectionRow.fence)).join(InspectionRow).group_by(JobRow.id)
        for job, fence, written in session.execute(last).tuples():
            assert written == fence, f"job {job} was finished by who held it {fence - written} claims before"
        outbox = session.execute(select(OutboxRow.alert_id, OutboxRow.event_id, OutboxRow.sent_at)).all()
        assert Counter(row.alert_id for row in outbox) == Counter(alert.id for alert in alerts)
        assert all(row.sent_at is not None for row in outbox), "not all messages were sent"
    received = Counter(plant.received.read_text().split())
    assert set(received) == {row.event_id for row in outbox}
    assert sum(received.values()) - len(received) <= most_repeats
    spool = plant.folder / "spool"
    for sha256 in hashes:
        assert hashlib.sha256((spool / sha256).read_bytes()).hexdigest() == sha256
    assert {path.name for path in plant.watch.iterdir()} == set()
