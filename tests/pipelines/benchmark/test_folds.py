"""Folds: every known sample is tested exactly once, by a model that never saw its lot."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.domain.errors import ConfigurationError
from pipelines.benchmark import Fold, write_fold
from pipelines.dataset.manifest import read_dataset_manifest


def test_every_known_sample_is_tested_once_and_no_lot_is_on_two_sides(dataset: Path, tmp_path: Path) -> None:
    tested: list[str] = []
    fingerprints = set()
    for fold in range(3):
        made = write_fold(dataset, tmp_path / str(fold), Fold(fold, 3))
        rows = pq.read_table(tmp_path / str(fold) / "samples.parquet").to_pylist()
        assert made == read_dataset_manifest(tmp_path / str(fold))
        assert sum(sum(counts.values()) for counts in made.counts.values()) == len(rows)
        known = [row for row in rows if row["labels"] != ["Band"]]
        assert {row["split"] for row in rows if row["labels"] == ["Band"]} == {"test"}
        sides = [{row["group"] for row in known if row["split"] == side} for side in ("train", "valid", "test")]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides))
        tested += [row["id"] for row in known if row["split"] == "test"]
        fingerprints.add(made.fingerprint)
    assert sorted(tested) == sorted(row["id"] for row in known)
    assert len(fingerprints) == 3


def test_only_the_split_differs(dataset: Path, tmp_path: Path) -> None:
    write_fold(dataset, tmp_path / "fold", Fold(0, 3))
    before, after = (pq.read_table(place / "samples.parquet") for place in (dataset, tmp_path / "fold"))
    assert before.drop_columns("split").equals(after.drop_columns("split"))
    assert not before.equals(after)


def test_a_harder_division_holds_out_whole_die_grids(dataset: Path, tmp_path: Path) -> None:
    made = write_fold(dataset, tmp_path / "fold", Fold(0, 3, by="grid"))
    rows = pq.read_table(tmp_path / "fold/samples.parquet").to_pylist()
    sides = [
        {(row["height"], row["width"]) for row in rows if row["split"] == side and row["labels"] != ["Band"]}
        for side in ("train", "valid", "test")
    ]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert made.grouped_by == "die grid"


def test_a_class_left_out_is_tested_whole_and_never_learned(dataset: Path, tmp_path: Path) -> None:
    made = write_fold(dataset, tmp_path / "fold", Fold(0, 3, unknown=("Center",)))
    rows = pq.read_table(tmp_path / "fold/samples.parquet").to_pylist()
    assert {row["split"] for row in rows if row["labels"] == ["Center"]} == {"test"}
    assert made.labels.names == ("Edge-Ring", "none")
    assert set(made.unknown) == {"Band", "Center"}
    with pytest.raises(ConfigurationError, match="no such class to leave out"):
        write_fold(dataset, tmp_path / "fold", Fold(0, 3, unknown=("Scratch",)))


@pytest.mark.parametrize(("number", "k"), [(0, 1), (3, 3), (-1, 3)])
def test_folds_that_are_not_there_are_refused(number: int, k: int) -> None:
    with pytest.raises(ConfigurationError, match="no such fold"):
        Fold(number, k)
