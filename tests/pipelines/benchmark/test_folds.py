"""Folds: every known sample is tested exactly once, by a model that never saw its lot."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.benchmark import cross_validate, write_fold
from pipelines.benchmark.table import print_folds
from pipelines.dataset.manifest import read_dataset_manifest

RECIPE = {
    "name": "small",
    "tiling": {"tile": 16},
    "network": {"widths": [8, 16], "convolutions": 1, "embedding": 16},
    "open_set": {"budget": 0.05, "components": 2, "latent": 4, "reference_per_class": 50},
    "training": {"epochs": 4, "batch": 32, "samples_per_epoch": 384, "lr": 0.01, "precision": "float32"},
}


class Silent:
    """An observer that watches nothing."""

    def on_stage(self, name: str) -> None: ...

    def on_step(self, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, record: object, state: object) -> None: ...


def test_every_known_sample_is_tested_once_and_no_lot_is_on_two_sides(dataset: Path, tmp_path: Path) -> None:
    tested: list[str] = []
    fingerprints = set()
    for fold in range(3):
        made = write_fold(dataset, tmp_path / str(fold), fold, 3)
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
    write_fold(dataset, tmp_path / "fold", 0, 3)
    before, after = (pq.read_table(place / "samples.parquet") for place in (dataset, tmp_path / "fold"))
    assert before.drop_columns("split").equals(after.drop_columns("split"))
    assert not before.equals(after)


def test_figures_are_means_over_the_folds_that_were_run(dataset: Path, tmp_path: Path) -> None:
    told = []
    found = cross_validate(
        Recipe.parse(RECIPE, "test"),
        dataset,
        tmp_path,
        3,
        (2, 0),
        progress=Silent(),
        done=lambda *one: told.append(one),
    )
    assert told == list(zip((2, 0), found.reports, strict=True))
    first, second = found.reports
    assert first.fingerprint != second.fingerprint
    assert found.macro_f1 == pytest.approx((first.macro_f1.value + second.macro_f1.value) / 2)
    one, other = first.classes[0].recall, second.classes[0].recall
    assert one is not None
    assert other is not None
    assert found.recall["Center"] == pytest.approx((one + other) / 2)
    assert found.macro_f1 > max(found.floor.values())
    assert found.protocol == "3-fold by lot, folds 2, 0, division 0"
    console = Console(file=io.StringIO(), width=120)
    print_folds(found, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in ("folds 2, 0", f"{found.macro_f1:.3f}", "recall Edge-Ring", "floor: the commonest class"):
        assert expected in printed


@pytest.mark.parametrize(("k", "only"), [(1, None), (3, (3,)), (3, ())])
def test_folds_that_are_not_there_are_refused(dataset: Path, tmp_path: Path, k: int, only: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="no such fold"):
        cross_validate(Recipe.parse(RECIPE, "test"), dataset, tmp_path, k, only)
