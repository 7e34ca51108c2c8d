"""What is wrong with a dataset is found, said, and stops a leaking run."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from models.domain.errors import ConfigurationError
from pipelines.care import Kind, Review, refuse_leaks
from pipelines.care.checking import check_dataset
from pipelines.care.likeness import near_pairs
from pipelines.care.shift import label_shift, telling_apart
from pipelines.care.showing import print_review, write_review
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest


def changed(dataset: Path, out: Path, change: object) -> Path:
    """A copy of a dataset whose rows were changed by hand, as nobody should."""
    shutil.copytree(dataset, out)
    rows = pq.read_table(out / "samples.parquet").to_pylist()
    assert callable(change)
    change(rows)
    schema = pq.read_schema(out / "samples.parquet")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), out / "samples.parquet")
    return out


def whats(found: Review, kind: Kind) -> str:
    return "\n".join(finding.what for finding in found.findings if finding.kind is kind)


def first(rows: list[dict[str, object]], split: str) -> dict[str, object]:
    return next(row for row in rows if row["split"] == split and row["labels"] == ["Center"])


def test_a_clean_dataset_leaks_nothing_and_shows_its_floor(dataset: Path) -> None:
    found, _ = check_dataset(dataset, tile=16, channels=2)
    assert not found.leaks
    refuse_leaks(found, despite=False)
    assert found.groups["Center"]["test"] >= 3
    assert found.floor[0].macro_f1 < 0.4
    assert "a linear rule tells patches apart" in whats(found, Kind.REMARK) + whats(found, Kind.WARNING)


def test_a_content_on_two_sides_stops_the_run(dataset: Path, tmp_path: Path) -> None:
    def repeat(rows: list[dict[str, object]]) -> None:
        first(rows, "test").update({key: first(rows, "train")[key] for key in ("id", "height", "width", "map")})

    found, _ = check_dataset(changed(dataset, tmp_path / "d", repeat), tile=16, channels=2)
    assert "1 contents lie in more than one split" in whats(found, Kind.LEAK)
    with pytest.raises(ConfigurationError, match=r"the dataset leaks.*--despite-leaks") as stopped:
        refuse_leaks(found, despite=False)
    assert stopped.value.code == "leak"
    refuse_leaks(found, despite=True)


def test_a_lot_on_two_sides_stops_the_run(dataset: Path, tmp_path: Path) -> None:
    def move(rows: list[dict[str, object]]) -> None:
        first(rows, "test")["group"] = first(rows, "train")["group"]

    found, _ = check_dataset(changed(dataset, tmp_path / "d", move), tile=16, channels=2)
    assert "1 groups lie in train and in test" in whats(found, Kind.LEAK)


def test_near_repeats_are_found_and_their_contradictions_said(dataset: Path, tmp_path: Path) -> None:
    """One die more failed: other bytes, another hash, the same wafer."""

    def repeat(rows: list[dict[str, object]]) -> None:
        source = first(rows, "train")
        tested = [row for row in rows if row["split"] == "test" and row["labels"] != ["Band"]]
        for number, row in enumerate(tested[:3]):
            states = np.frombuffer(bytes(source["map"]), np.uint8).copy()  # type: ignore[call-overload]
            passed = np.flatnonzero(states == 1)
            states[passed[number]] = 2
            row.update(id=f"changed-{number}", height=source["height"], width=source["width"], map=states.tobytes())
            row["labels"] = ["Edge-Ring"]

    found, patches = check_dataset(changed(dataset, tmp_path / "d", repeat), tile=32, channels=2)
    assert "3 of" in whats(found, Kind.LEAK)
    assert "near repeat in train" in whats(found, Kind.LEAK)
    assert "3 near repeats carry contradicting labels" in whats(found, Kind.WARNING)
    assert "(Center, train) ~ changed- (Edge-Ring, test)" in found.leaks[0].examples[0]
    write_review(tmp_path / "report", found, patches, read_dataset_manifest(dataset).kind)
    content = json.loads((tmp_path / "report/data.json").read_text())
    assert content["near"]["test"] == 3
    assert (tmp_path / "report/data.png").stat().st_size > 10_000
    console = Console(file=io.StringIO(), width=140)
    print_review(found, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("leak", "lots that hold each class", "floor: always the commonest class"):
        assert words in printed


def test_classes_in_few_lots_and_contradicting_contents_are_said(dataset: Path, tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, object]]) -> None:
        for row in rows:
            if row["labels"] == ["Edge-Ring"] and row["split"] == "test":
                row["labels"] = ["none"]
        rows.append(first(rows, "train") | {"labels": ["none"]})

    found, _ = check_dataset(changed(dataset, tmp_path / "d", spoil), tile=16, channels=2)
    assert "class Edge-Ring is absent from test" in whats(found, Kind.WARNING)
    assert "1 contents carry contradicting labels" in whats(found, Kind.WARNING)


def test_patches_without_anything_on_them_are_like_nothing(dataset: Path) -> None:
    patches = load_patches(dataset, tile=16, channels=2, splits=("test",))
    blank = np.zeros((3, 16, 16, 2), np.uint8)
    assert near_pairs(blank, blank) == []
    pairs = near_pairs(patches.pixels, patches.pixels)
    assert [(pair.one, pair.other) for pair in pairs] == [(row, row) for row in range(len(patches))]


def test_shift_is_seen_where_it_is_and_not_where_it_is_not() -> None:
    rng = np.random.default_rng(0)
    one, same, other = (rng.normal(at, 1, (600, 8)).astype(np.float32) for at in (0, 0, 1))
    lots = np.repeat(np.arange(20), 30).astype(np.str_)
    assert telling_apart(one, same, (lots, lots)) == pytest.approx(0.5, abs=0.07)
    assert telling_apart(one, other, (lots, lots)) > 0.9
    assert np.isnan(telling_apart(one, other, (lots, np.repeat("x", 600))))
    assert label_shift({"a": 50, "b": 50}, {"a": 5, "b": 5}) == 0
    assert label_shift({"a": 1}, {"b": 1}) == 1
