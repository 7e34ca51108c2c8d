"""An archive is judged as the service would judge it, once, whole, however often the backfill is killed."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from models.bundle import load_bundle
from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion import open_captures
from pipelines.simulate import simulate
from services.backfill import Plan, backfill, make_plan, plan, running
from services.backfill.judging import refused
from services.inspection import Workplace, work_once
from services.inspection.inspecting import inspect
from services.inspection.local_classifier import LocalClassifier
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records.alert_tables import AlertOccurrenceRow
from services.records.session import Database
from services.records.tables import CaptureRow, InspectionRow, JobRow, JobState, VerdictRow
from services.settings import Settings


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little trained one of two patterns; what it says does not matter, only that it says it again."""
    from pipelines.dataset.import_ import ImportOptions, import_dataset
    from pipelines.training.train import train
    from tests.pipelines.conftest import small_recipe

    folder = tmp_path_factory.mktemp("bundle")
    simulate(folder / "lots", 30, patterns=("Ring", "Normal"), seed=1, defects=(20, 60))
    import_dataset("klarf", folder / "lots", folder / "data", ImportOptions(normal="Normal"))
    train(small_recipe(epochs=1, samples_per_epoch=64), folder / "data", folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight wafers in folders, one of them broken; three shards."""
    monkeypatch.setattr(plan, "SHARD_FILES", 3)
    made = simulate(tmp_path / "archive" / "2025", 4, patterns=("Ring", "Normal"), seed=2, defects=(20, 60))
    made.files[3].write_bytes(b"not a wafer")
    for extra in (tmp_path / "archive").rglob("*.csv"):
        extra.unlink()  # the simulator's truth
    return tmp_path / "archive"


def planned(archive: Path, bundle: Path, out: Path) -> Plan:
    return make_plan(str(archive), bundle, out, digest=load_bundle(bundle).manifest.ref.digest)


def test_results_are_those_of_the_online_path(archive: Path, bundle: Path, tmp_path: Path) -> None:
    made = planned(archive, bundle, tmp_path / "out")
    told: list[tuple[int, int]] = []
    assert backfill(made, progress=lambda *step: told.append(step)) == made.shards == 3
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    rows = pq.read_table(tmp_path / "out").to_pylist()
    assert [row["file"] for row in rows] == list(made.files), "in order, none left out"
    classifier = LocalClassifier(load_bundle(bundle))
    for row in rows:
        if row["error"]:
            continue
        (reader,) = open_captures(row["file"])
        online = inspect(reader, classifier)
        assert row["inspection_id"] == online.id
        assert (row["label"], row["reason"]) == (online.verdict.label, online.verdict.reason.value)
        assert row["confidence"] == pytest.approx(online.verdict.confidence, abs=1e-5)
        assert row["novelty"] == pytest.approx(online.verdict.novelty, rel=1e-4, abs=1e-4)
        assert row["lot"] == reader.capture.provenance.lot
    ((file, error),) = refused(made)
    assert Path(file).read_bytes() == b"not a wafer"
    assert "unknown format" in error


def test_it_goes_on_where_it_was_killed(
    archive: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(archive, bundle, tmp_path / "out")

    def killed(done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(made, progress=killed)
    assert made.left == (1, 2)
    stamp = made.result(0).stat().st_mtime_ns
    again = planned(archive, bundle, tmp_path / "out")
    assert backfill(again) == 2
    assert made.result(0).stat().st_mtime_ns == stamp, "what is done is not done again"
    assert pq.read_table(tmp_path / "out").num_rows == len(made.files)

    def not_asked(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(running, "ShardJudge", not_asked)
    assert backfill(again) == 0


def test_results_of_two_backfills_do_not_mix(archive: Path, bundle: Path, tmp_path: Path) -> None:
    planned(archive, bundle, tmp_path / "out")
    with pytest.raises(ConfigurationError, match="folder of another backfill"):
        make_plan(str(archive), bundle, tmp_path / "out", digest="0" * 64)


def test_results_can_be_recorded_as_the_service_records_its_own(
    archive: Path, bundle: Path, tmp_path: Path, database: Database
) -> None:
    installation = Settings(home=tmp_path / "home", database_url=database.url.render_as_string(hide_password=False))
    installation.make_folders()
    spool = Spool(installation.spool_dir, installation.file_limit_bytes)
    good = sorted(path for path in archive.rglob("*") if path.is_file() and path.read_bytes() != b"not a wafer")
    with good[0].open("rb") as stream:  # this one came by the front door before: its alerts were raised then
        receive(database, spool, stream, Arrival("command", good[0].name, route="champion"))
    classifier = LocalClassifier(load_bundle(bundle))
    place = Workplace(database, spool, "worker")
    worked = work_once(place, lambda *_, **__: classifier)
    assert worked is not None

    def recorded() -> tuple[dict[str, tuple[object, ...]], int, int]:
        with database.read() as session:
            lines = (
                session.execute(
                    select(
                        InspectionRow.id, CaptureRow.name, InspectionRow.label, InspectionRow.is_first, JobRow.sender
                    )
                    .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
                    .join(JobRow, JobRow.id == InspectionRow.job_id)
                )
                .tuples()
                .all()
            )
            states = set(session.scalars(select(JobRow.state)))
            alerts = session.scalar(select(func.count()).select_from(AlertOccurrenceRow)) or 0
            verdicts = session.scalar(select(func.count()).select_from(VerdictRow)) or 0
        assert states == {JobState.DONE}
        return {line[0]: line[1:] for line in lines}, alerts, verdicts

    _, alerts, _ = recorded()
    digest = classifier.manifest.ref.digest
    made = make_plan(str(archive), bundle, tmp_path / "out", digest=digest, records=installation)
    backfill(made)
    lines, alerts_then, verdicts = recorded()
    assert alerts_then == alerts, "what an archive shows is old news"
    rows = [row for row in pq.read_table(tmp_path / "out").to_pylist() if not row["error"]]
    assert {row["inspection_id"]: (row["name"], row["label"]) for row in rows} == {
        identity: line[:2] for identity, line in lines.items()
    }
    assert len(lines) == verdicts == len(good)
    for identity, (_, _, is_first, sender) in lines.items():
        assert is_first == (identity in worked.inspection_ids), "control charts do not see an archive"
        assert sender == ("" if identity in worked.inspection_ids else "backfill")
    for path in good:
        assert spool.path(hashlib.sha256(path.read_bytes()).hexdigest()).is_file(), "pages can draw it"
    again = make_plan(str(archive), bundle, tmp_path / "again", digest=digest, records=installation)
    backfill(again)
    assert recorded() == (lines, alerts, verdicts), "nothing twice"
    with pytest.raises(ConfigurationError, match="another backfill"):
        planned(archive, bundle, tmp_path / "out")


def test_an_archive_without_files(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to inspect"):
        planned(tmp_path / "nothing", bundle, tmp_path / "out")
    with pytest.raises(InputError, match="cannot read from there"):
        make_plan("http://example.invalid/x", bundle, tmp_path / "out", digest="0" * 64)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_workers_of_ray_data_write_the_same(archive: Path, bundle: Path, tmp_path: Path) -> None:
    here, apart = (planned(archive, bundle, tmp_path / name) for name in ("here", "apart"))
    backfill(here)
    assert backfill(apart, workers=2) == 3
    one, other = (pq.read_table(tmp_path / name).to_pylist() for name in ("here", "apart"))
    for mine, theirs in zip(one, other, strict=True):
        assert (mine["file"], mine["label"], mine["error"]) == (theirs["file"], theirs["label"], theirs["error"])
