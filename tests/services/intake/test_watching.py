"""The watch folder: every state of every file once, whole or not at all."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.intake.disposal import Disposal
from services.intake.looking import Names, owners_of
from services.intake.spool import Spool
from services.intake.watching import Watcher, WatchPolicy
from services.jobs import cancel
from services.records import queries
from services.records.session import Database
from services.records.tables import JobRow, JobState, ReceiptRow
from services.settings import Afterwards
from tests.services.making import sha


def check(path: Path) -> None:
    """Files of these tests say in their last word whether they are complete."""
    text = path.read_text()
    if text.startswith("broken"):
        raise InputError("bad file", where=str(path))
    if not text.endswith("end"):
        raise RetryableError("file ends early", where=f"{path}:7", code="truncated")


class Bench:
    """A watch folder, a spool, and a clock that stands still."""

    def __init__(self, tmp_path: Path, database: Database) -> None:
        self.database = database
        self.folder = tmp_path / "watch"
        self.folder.mkdir()
        self.spool = Spool(tmp_path / "spool", limit_bytes=1000)
        self.time = 0.0

    def watcher(self, **policy: object) -> Watcher:
        values: dict[str, object] = {"deadline_s": 60}
        return Watcher(
            self.folder, self.database, self.spool, WatchPolicy(**values | policy),  # type: ignore[arg-type]
            route=lambda: "b" * 64, check=check, clock=lambda: self.time,
        )  # fmt: skip

    def put(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def jobs(self) -> dict[str, JobState]:
        with self.database.read() as session:
            rows = session.execute(select(JobRow.sha256, JobRow.state)).all()
        return {row[0]: row[1] for row in rows}

    def receipts(self) -> int:
        with self.database.read() as session:
            return session.scalars(select(func.count()).select_from(ReceiptRow)).one()


@pytest.fixture
def bench(tmp_path: Path, database: Database) -> Bench:
    return Bench(tmp_path, database)


def test_a_file_is_taken_at_the_second_look_that_sees_it_unchanged(bench: Bench) -> None:
    watcher = bench.watcher()
    path = bench.put("lot7.001", "wafer")
    assert (watcher.look().taken, watcher.look().taken) == (0, 0), "incomplete"
    with path.open("a") as more:
        more.write(" end")
    assert watcher.look().taken == 0, "it just changed"
    look = watcher.look()
    assert (look.taken, look.waiting) == (1, 0)
    assert bench.jobs() == {sha("wafer end"): JobState.QUEUED}
    assert watcher.look().taken == 0


def test_a_file_growing_at_every_look_is_never_taken_in_parts(bench: Bench) -> None:
    watcher = bench.watcher()
    path = bench.put("lot7.001", "")
    for number in range(6):
        with path.open("a") as more:
            more.write(f"row {number} end")  # complete by chance at each moment
        look = watcher.look()
        assert (look.taken, look.waiting) == (0, 1)
    assert watcher.look().taken == 1
    assert list(bench.jobs()) == [sha(path.read_text())]


def test_a_file_that_stays_incomplete_is_quarantined_at_the_deadline(bench: Bench) -> None:
    watcher = bench.watcher(deadline_s=60)
    bench.put("lot7.001", "half a wafer")
    watcher.look()
    bench.time = 59
    assert watcher.look().waiting == 1
    assert bench.jobs() == {}
    bench.time = 61
    assert watcher.look().taken == 1
    assert bench.jobs() == {sha("half a wafer"): JobState.QUARANTINED}
    with bench.database.read() as session:
        (job,) = queries.quarantine(session).items
        (alert,) = queries.alerts(session).items
    assert (job.error_code, alert.rule, alert.pattern) == ("truncated", "quarantine", "truncated")
    assert job.error is not None
    assert job.error.where == "lot7.001:7", "people need no path of ours"


def test_growing_restarts_the_deadline(bench: Bench) -> None:
    watcher = bench.watcher(deadline_s=60)
    path = bench.put("lot7.001", "half")
    watcher.look()
    bench.time = 50
    path.write_text("half and more")
    watcher.look()
    bench.time = 100
    assert watcher.look().taken == 0
    path.write_text("all of it end")
    watcher.look()
    watcher.look()
    assert bench.jobs() == {sha("all of it end"): JobState.QUEUED}


def test_a_broken_file_is_taken_for_the_inspection_to_say_why(bench: Bench) -> None:
    watcher = bench.watcher()
    bench.put("lot7.001", "broken")
    watcher.look()
    assert watcher.look().taken == 1
    assert bench.jobs() == {sha("broken"): JobState.QUEUED}


def test_a_renamed_file_is_another_arrival_of_the_same_job(bench: Bench) -> None:
    watcher = bench.watcher()
    path = bench.put("lot7.001", "wafer end")
    watcher.look()
    watcher.look()
    path.rename(bench.folder / "lot8.001")
    watcher.look()
    assert watcher.look().taken == 1
    assert (len(bench.jobs()), bench.receipts()) == (1, 2)


def test_a_file_rewritten_under_its_name_is_a_new_one(bench: Bench) -> None:
    watcher = bench.watcher()
    for text in ("first end", "second end"):
        bench.put("lot7.001", text)
        watcher.look()
        watcher.look()
    assert set(bench.jobs()) == {sha("first end"), sha("second end")}


def test_another_file_with_the_same_name_size_and_time_is_not_taken_for_the_first(bench: Bench) -> None:
    """Copies that preserve times, and file systems that use an inode again at once, make them alike but for ctime."""
    watcher = bench.watcher(disposal=Disposal(Afterwards.DELETE))
    for text in ("wafer 1 end", "wafer 2 end"):
        path = bench.put("lot7.001", text)
        os.utime(path, ns=(10**18, 10**18))
        watcher.look()
        watcher.look()
        assert not path.exists()
    assert set(bench.jobs()) == {sha("wafer 1 end"), sha("wafer 2 end")}


def test_a_watcher_that_starts_again_does_not_take_everything_again(bench: Bench) -> None:
    for number in range(3):
        bench.put(f"{number}.001", f"wafer {number} end")
    for watcher in (bench.watcher(), bench.watcher()):
        watcher.look()
        watcher.look()
    assert (len(bench.jobs()), bench.receipts()) == (3, 3)


@pytest.mark.parametrize("afterwards", [Afterwards.MOVE, Afterwards.DELETE])
def test_the_source_goes_where_the_setting_says(bench: Bench, tmp_path: Path, afterwards: Afterwards) -> None:
    done = tmp_path / "done"
    watcher = bench.watcher(disposal=Disposal(afterwards, done))
    bench.put("tool9/lot7.001", "wafer end")
    watcher.look()
    watcher.look()
    assert not (bench.folder / "tool9/lot7.001").exists()
    moved = done / "tool9/lot7.001"
    assert (moved.read_text() if moved.exists() else None) == ("wafer end" if afterwards is Afterwards.MOVE else None)


def test_a_source_left_by_a_process_that_died_is_disposed_of_by_the_next(bench: Bench) -> None:
    path = bench.put("lot7.001", "wafer end")
    first = bench.watcher()
    first.look()
    first.look()
    second = bench.watcher(disposal=Disposal(Afterwards.DELETE))
    second.look()
    second.look()
    assert not path.exists()
    assert bench.receipts() == 1


def test_the_source_stays_while_the_database_is_away(bench: Bench) -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", timeout_s=2)
    path = bench.put("lot7.001", "wafer end")
    watcher = Watcher(
        bench.folder, nowhere, bench.spool, WatchPolicy(disposal=Disposal(Afterwards.DELETE)), check=check
    )
    watcher.look()
    with pytest.raises(RetryableError):
        watcher.look()
    assert path.exists()
    nowhere.close()


def test_patterns_links_and_hidden_folders(bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.001", "b.txt", "c.001.tmp", ".hidden.001", ".folder/d.001", "deep/er/e.001"):
        bench.put(name, f"{name} end")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f.001").write_text("f end")
    (bench.folder / "link.001").symlink_to(outside / "f.001")
    (bench.folder / "linked").symlink_to(outside)
    os.mkfifo(bench.folder / "pipe.001")
    watcher = bench.watcher(names=Names(include=("*.001",), exclude=(".*", "*.tmp")))
    watcher.look()
    assert watcher.look().taken == 2
    assert set(bench.jobs()) == {sha("a.001 end"), sha("deep/er/e.001 end")}
    assert sum("left alone" in record.message for record in caplog.records) == 3, "said once, not at every look"


def test_files_of_other_users_are_left_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.put("a.001", "a end")
    stranger = bench.watcher(owners=frozenset({os.getuid() + 1}))
    stranger.look()
    assert stranger.look().taken == 0
    assert "none of WAFERWATCH_WATCH_OWNERS" in caplog.text
    ours = bench.watcher(owners=owners_of(["4000000000", str(os.getuid())]))
    ours.look()
    assert ours.look().taken == 1


def test_owners_are_users_of_this_machine() -> None:
    assert owners_of([]) is None
    assert owners_of(["root", "7"]) == {0, 7}
    with pytest.raises(ConfigurationError, match="no such user"):
        owners_of(["nobody-of-that-name"])


def test_many_files_at_once_and_in_folders_below(bench: Bench) -> None:
    for number in range(300):
        bench.put(f"tool{number % 7}/lot{number % 30}/{number}.001", f"wafer {number} end")
    watcher = bench.watcher()
    assert watcher.look().waiting == 300
    assert watcher.look().taken == 300
    assert len(bench.jobs()) == bench.receipts() == 300
    assert watcher.look().taken == 0


def test_what_cannot_be_taken_raises_one_alert(bench: Bench) -> None:
    watcher = bench.watcher()
    bench.put("big.001", "x" * 2000 + "end")
    watcher.look()
    assert watcher.look().refused == 1
    assert (watcher.look().refused, bench.watcher().look().refused) == (0, 0)
    again = bench.watcher()
    again.look()
    again.look()
    with bench.database.read() as session:
        (alert,) = queries.alerts(session).items
    assert (alert.rule, alert.pattern, alert.count) == ("refused", "too-big", 1)
    assert "big.001" in alert.title


def test_two_watchers_on_one_folder(bench: Bench) -> None:
    texts = [f"wafer {number} end" for number in range(30)]
    for number, text in enumerate(texts):
        bench.put(f"{number}.001", text)
    watchers = [bench.watcher(disposal=Disposal(Afterwards.DELETE)) for _ in range(2)]
    barrier = threading.Barrier(2)

    def watch(watcher: Watcher) -> None:
        watcher.look()
        barrier.wait()
        watcher.look()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(watch, watchers))
    assert set(bench.jobs()) == {sha(text) for text in texts}
    assert bench.receipts() == 30
    assert list(bench.folder.iterdir()) == []


def test_a_file_that_goes_while_we_look(bench: Bench) -> None:
    watcher = bench.watcher()
    path = bench.put("lot7.001", "wafer end")
    watcher.look()
    watcher._check = lambda _: path.unlink()
    assert watcher.look().taken == 0
    assert bench.jobs() == {}


def test_run_goes_on_after_an_outage_and_ends_when_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, stop, looks = bench.watcher(), threading.Event(), []

    def look(_: threading.Event) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise RetryableError("database does not answer")
        stop.set()

    monkeypatch.setattr(watcher, "look", look)
    watcher.run(stop, every_s=0.001)
    assert len(looks) == 2


def test_a_source_over_its_quota_waits_in_the_folder_and_the_others_do_not(bench: Bench) -> None:
    arrived: list[str] = []
    watcher = bench.watcher(quota=2)
    watcher._arrived = lambda result, _: arrived.append(result)
    for number in range(4):
        bench.put(f"T9/{number}", f"{number} end")
    bench.put("T1/0", "other end")
    for _ in range(3):
        watcher.look()
    with bench.database.read() as session:
        jobs = queries.jobs(session, states=[JobState.QUEUED]).items
    assert sorted(job.sender for job in jobs) == ["watch folder/T1", "watch folder/T9", "watch folder/T9"]
    assert sorted(arrived) == ["over quota", "over quota", "taken", "taken", "taken"]
    with bench.database.write() as session:
        for job in jobs:
            cancel(session, job.id)
    watcher.look()
    assert len(bench.jobs()) == 5
