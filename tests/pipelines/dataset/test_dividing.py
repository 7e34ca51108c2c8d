"""Splits by time: what is tested came after what was learned."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.domain.errors import ConfigurationError
from pipelines.dataset.dividing import split_by_time
from pipelines.dataset.import_ import ImportOptions, import_dataset
from tests.pipelines.conftest import wafers

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_newest_lots_are_tested_and_lots_stay_whole() -> None:
    rng = np.random.default_rng(0)
    groups = [str(lot) for lot in rng.integers(0, 40, 600)]
    taken = [START + timedelta(days=int(lot), minutes=i) for i, lot in enumerate(groups)]
    splits = split_by_time(groups, taken)
    days = {name: {int(lot) for lot, split in zip(groups, splits, strict=True) if split == name} for name in splits}
    assert max(days["train"]) < min(days["valid"])
    assert max(days["valid"]) < min(days["test"])
    assert (splits == "train").mean() == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (100, 1, 1), (1, 1, 100)])
def test_three_lots_are_one_of_each_whatever_their_size(sizes: tuple[int, ...]) -> None:
    groups = [str(lot) for lot, size in enumerate(sizes) for _ in range(size)]
    splits = split_by_time(groups, [START + timedelta(days=int(lot)) for lot in groups])
    assert list(dict.fromkeys(splits)) == ["train", "valid", "test"]


def test_samples_without_a_time_and_too_few_lots_are_said() -> None:
    with pytest.raises(ConfigurationError, match="1 of 2 samples without one"):
        split_by_time(["a", "b"], [START, None])
    with pytest.raises(ConfigurationError, match="too few groups"):
        split_by_time(["a", "b"], [START, START])


@pytest.mark.parametrize("as_text", [True, False])
def test_a_table_with_a_time_is_imported_by_time(tmp_path: Path, as_text: bool) -> None:
    table = pq.read_table(wafers(tmp_path / "w.parquet", lots=20, per_lot=5))
    times = [START + timedelta(days=lot) for lot in table.column("lot_group").to_pylist()]
    column = pa.array([time.isoformat() for time in times]) if as_text else pa.array(times)
    pq.write_table(table.append_column("time", column), tmp_path / "t.parquet")
    import_dataset("wafers-parquet", tmp_path / "t.parquet", tmp_path / "data", ImportOptions(by="time"))
    rows = pq.read_table(tmp_path / "data/samples.parquet", columns=["group", "split"]).to_pylist()
    lots = {name: {int(row["group"]) for row in rows if row["split"] == name} for name in ("train", "valid", "test")}
    assert lots == {"train": set(range(14)), "valid": {14, 15, 16}, "test": {17, 18, 19}}
