"""An archive is judged as the service would judge it, once, whole, however often the backfill is killed."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.bundle import load_bundle
from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion import open_captures
from pipelines.simulate import simulate
from services.backfill import Plan, backfill, make_plan, plan, running
from services.backfill.judging import refused
from services.inspection.inspecting import inspect
from services.inspection.local_classifier import LocalClassifier


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
