"""Labelled data become a dataset directory, split by group."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.domain.errors import ConfigurationError, InputError
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.manifest import read_dataset_manifest


def table(path: Path, order: np.ndarray | None = None, n: int = 90) -> Path:
    """Die maps of three classes in 30 lots; row 1 repeats row 0, rows 2 and 3 are one map under two labels."""
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 3, (n, 7, 9), dtype=np.uint8)
    labels = [("none", "Loc", "Scratch")[i % 3] for i in range(n)]
    maps[1], labels[1] = maps[0], labels[0]
    maps[3] = maps[2]
    rows = np.arange(n) if order is None else order
    pq.write_table(
        pa.table(
            {
                "height": [7] * n,
                "width": [9] * n,
                "map": [maps[i].tobytes() for i in rows],
                "label": [labels[i] for i in rows],
                "lot_group": [int(i) % 30 for i in rows],
            }
        ),
        path,
    )
    return path


def test_duplicates_and_conflicts_are_left_out_and_reported(tmp_path: Path) -> None:
    manifest = import_dataset("wafers-parquet", table(tmp_path / "w.parquet"), tmp_path / "data")
    assert manifest == read_dataset_manifest(tmp_path / "data")
    assert manifest.findings.duplicates == 1
    assert manifest.findings.conflicts == ("w.parquet:2 (Scratch) = w.parquet:3 (none)",)
    assert sum(sum(split.values()) for split in manifest.counts.values()) == 87
    assert manifest.labels.names == ("Loc", "Scratch", "none")
    assert manifest.labels.normal == "none"
    assert manifest.grouped_by == "lot"


def test_rows_carry_their_split_and_no_lot_lies_on_two_sides(tmp_path: Path) -> None:
    import_dataset("wafers-parquet", table(tmp_path / "w.parquet"), tmp_path / "data")
    rows = pq.read_table(tmp_path / "data/samples.parquet", columns=["group", "split"]).to_pylist()
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["group"], set()).add(row["split"])
    assert set().union(*sides.values()) == {"train", "valid", "test"}
    assert all(len(side) == 1 for side in sides.values())


def test_the_published_split_is_kept_and_its_training_part_divided_by_lot(tmp_path: Path) -> None:
    rows = pq.read_table(table(tmp_path / "w.parquet"))
    tested = pa.array([lot >= 20 for lot in rows.column("lot_group").to_pylist()])
    pq.write_table(rows.append_column("official_test", tested), tmp_path / "o.parquet")
    import_dataset("wafers-parquet", tmp_path / "o.parquet", tmp_path / "data", ImportOptions(by="published"))
    found = pq.read_table(tmp_path / "data/samples.parquet", columns=["group", "split"]).to_pylist()
    assert {row["group"] for row in found if row["split"] == "test"} == {str(lot) for lot in range(20, 30)}
    sides = [{row["group"] for row in found if row["split"] == side} for side in ("train", "valid")]
    assert len(sides[0] | sides[1]) == len(sides[0]) + len(sides[1]) == 20
    with pytest.raises(ConfigurationError, match="no published split"):
        import_dataset("wafers-parquet", tmp_path / "w.parquet", tmp_path / "x", ImportOptions(by="published"))


def test_fingerprint_is_of_the_content_not_of_the_file(tmp_path: Path) -> None:
    first = import_dataset("wafers-parquet", table(tmp_path / "w.parquet"), tmp_path / "a")
    order = np.random.default_rng(1).permutation(90)
    second = import_dataset("wafers-parquet", table(tmp_path / "v.parquet", order), tmp_path / "b")
    assert first.fingerprint == second.fingerprint
    other = import_dataset("wafers-parquet", tmp_path / "w.parquet", tmp_path / "c", ImportOptions(seed=1))
    assert first.fingerprint != other.fingerprint, "another split is another dataset"


def test_unknown_classes_are_tested_with_and_never_learned(tmp_path: Path) -> None:
    options = ImportOptions(unknown=("Scratch",))
    manifest = import_dataset("wafers-parquet", table(tmp_path / "w.parquet"), tmp_path / "data", options)
    assert manifest.labels.names == ("Loc", "none")
    assert "Scratch" not in manifest.counts["train"] | manifest.counts["valid"]
    assert manifest.counts["test"]["Scratch"] == 29


def test_existing_dataset_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = table(tmp_path / "w.parquet")
    import_dataset("wafers-parquet", path, tmp_path / "data")
    with pytest.raises(ConfigurationError, match="dataset exists"):
        import_dataset("wafers-parquet", path, tmp_path / "data")
    import_dataset("wafers-parquet", path, tmp_path / "data", ImportOptions(replace=True))


def test_a_broken_row_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = {"height": [7], "width": [9], "map": [bytes(62)], "label": ["none"], "lot_group": [0]}
    pq.write_table(pa.table(rows), tmp_path / "w.parquet")
    with pytest.raises(InputError, match=r"w\.parquet:0; expected 7 x 9 bytes; got 62"):
        import_dataset("wafers-parquet", tmp_path / "w.parquet", tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["w.parquet"]


def test_nothing_to_import_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to import"):
        import_dataset("wafers-parquet", tmp_path / "absent.parquet", tmp_path / "data")


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a dataset"):
        read_dataset_manifest(tmp_path)
    (tmp_path / "dataset.json").write_text('{"format": 1}')
    with pytest.raises(ConfigurationError, match="damaged"):
        read_dataset_manifest(tmp_path)


def test_real_wafers_split_by_lot_with_every_class_near_its_share(real_data: Path, tmp_path: Path) -> None:
    manifest = import_dataset("wafers-parquet", real_data / "wm811k/wafers.parquet", tmp_path / "data")
    assert manifest.findings.few_groups == ()
    for label in manifest.labels.names:
        shares = [manifest.counts[split][label] for split in ("train", "valid", "test")]
        assert shares[2] / sum(shares) == pytest.approx(0.15, abs=0.05), label
