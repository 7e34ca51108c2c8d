"""Labels people agree on become a dataset; an older one comes along without changing sides."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.domain.capture import CaptureKind
from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Window, pyramid
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.labelled import LabelledFile, dataset_of_labels
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.dataset.samples import DatasetKind
from pipelines.ingestion import open_captures
from pipelines.simulate import UNKNOWN_PATTERNS, simulate
from pipelines.simulate.truth import TRUTH_FILE

STRANGER = UNKNOWN_PATTERNS[0]


def made(folder: Path, patterns: tuple[str, ...], wafers: int, seed: int) -> Path:
    simulate(folder, wafers, patterns=patterns, seed=seed, defects=(60, 120), wafers_per_lot=3)
    return folder


def labels_of(folder: Path, label: str) -> list[LabelledFile]:
    """Every wafer of a folder under this label."""
    files = sorted(one for one in folder.iterdir() if one.name != TRUTH_FILE)
    return [
        LabelledFile(reader.capture.id, path, label, reader.capture.provenance.lot, reader.capture.name)
        for path in files
        for reader in open_captures(path)
    ]


def rows(folder: Path) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    table = pq.read_table(folder / "samples.parquet", columns=["id", "group", "split", "labels"]).to_pylist()
    return {row["id"]: (row["group"], row["split"], tuple(row["labels"])) for row in table}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    import_dataset("klarf", made(tmp_path / "old", ("Ring", "Normal"), 16, seed=1), tmp_path / "base")
    return tmp_path / "base"


def test_labels_alone_become_a_dataset_split_by_lot(tmp_path: Path) -> None:
    labelled = labels_of(made(tmp_path / "new", (STRANGER,), 18, seed=2), "Comet")
    labelled += labels_of(made(tmp_path / "calm", ("Normal",), 18, seed=3), "Normal")
    made_of = dataset_of_labels(labelled, tmp_path / "data", options=ImportOptions(name="first", normal="Normal"))
    assert made_of == read_dataset_manifest(tmp_path / "data")
    assert made_of.labels.names == ("Comet", "Normal")
    assert made_of.labels.normal == "Normal"
    sides: dict[str, set[str]] = {}
    for group, split, _ in rows(tmp_path / "data").values():
        sides.setdefault(group, set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert set().union(*sides.values()) == {"train", "valid", "test"}


def test_an_older_dataset_comes_along_on_its_sides(tmp_path: Path, base: Path) -> None:
    labelled = labels_of(made(tmp_path / "new", (STRANGER,), 18, seed=2), "Comet")
    merged = dataset_of_labels(labelled, tmp_path / "data", base=base, options=ImportOptions(name="second"))
    assert merged.labels.names == ("Comet", "Normal", "Ring")
    assert merged.labels.normal == "Normal"
    before, after = rows(base), rows(tmp_path / "data")
    assert {one: after[one] for one in before} == before
    assert {labels for _, _, labels in after.values()} == {("Comet",), ("Normal",), ("Ring",)}
    assert merged.counts["test"]["Comet"] > 0
    assert merged.fingerprint != read_dataset_manifest(base).fingerprint


def test_wafers_of_a_known_lot_stay_on_its_side(tmp_path: Path, base: Path) -> None:
    homes = {group: split for group, split, _ in rows(base).values()}
    lot = next(group for group, split in homes.items() if split == "test")
    (one, *_) = labels_of(made(tmp_path / "new", (STRANGER,), 1, seed=2), "Comet")
    relabelled = LabelledFile(one.capture_id, one.file, one.label, lot, one.name)
    dataset_of_labels([relabelled], tmp_path / "data", base=base, options=ImportOptions())
    assert [split for _, split, labels in rows(tmp_path / "data").values() if labels == ("Comet",)] == ["test"]


def test_the_same_labels_make_the_same_dataset(tmp_path: Path, base: Path) -> None:
    labelled = labels_of(made(tmp_path / "new", (STRANGER,), 6, seed=2), "Comet")
    one = dataset_of_labels(labelled, tmp_path / "a", base=base, options=ImportOptions())
    two = dataset_of_labels(labelled[::-1], tmp_path / "b", base=base, options=ImportOptions())
    assert one.fingerprint == two.fingerprint
    assert one.findings.notes == two.findings.notes
    other = [LabelledFile(x.capture_id, x.file, "Swirl", x.lot, x.name) for x in labelled]
    assert dataset_of_labels(other, tmp_path / "c", base=base, options=ImportOptions()).fingerprint != one.fingerprint


def test_a_named_stranger_is_learned_and_the_others_stay_strangers(tmp_path: Path) -> None:
    patterns = (*UNKNOWN_PATTERNS,)[:2]
    source = made(tmp_path / "old", ("Ring", "Normal", *patterns), 12, seed=1)
    import_dataset("klarf", source, tmp_path / "base", ImportOptions(unknown=patterns))
    labelled = labels_of(made(tmp_path / "new", (patterns[0],), 12, seed=2), patterns[0])
    merged = dataset_of_labels(labelled, tmp_path / "data", base=tmp_path / "base", options=ImportOptions())
    assert merged.unknown == (patterns[1],)
    assert patterns[0] in merged.labels.names


def test_nothing_is_overwritten_and_nothing_made_of_nothing(tmp_path: Path, base: Path) -> None:
    with pytest.raises(InputError, match="no label to learn from"):
        dataset_of_labels([], tmp_path / "data", base=base, options=ImportOptions())
    labelled = labels_of(made(tmp_path / "new", (STRANGER,), 2, seed=2), "Comet")
    with pytest.raises(ConfigurationError, match="never overwritten"):
        dataset_of_labels(labelled, base, options=ImportOptions(replace=True))
    with pytest.raises(ConfigurationError, match="dataset exists"):
        dataset_of_labels(labelled, base, options=ImportOptions())
    missing = [LabelledFile("f" * 64, labelled[0].file, "Comet", "L", "gone")]
    with pytest.raises(InputError, match="does not hold this capture"):
        dataset_of_labels(missing, tmp_path / "data", options=ImportOptions())


def frame(folder: Path, name: str, value: int) -> Path:
    """An even picture with a square of another value where the place is."""
    folder.mkdir(exist_ok=True)
    pixels = np.full((200, 300, 3), 90, np.uint8)
    pixels[40:72, 120:152] = value
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def place_of(file: Path, label: str) -> LabelledFile:
    (reader,) = open_captures(file)
    window = Window(pyramid(reader.capture, 32)[-1], 40, 120, 32, 32)
    return LabelledFile(reader.capture.id, file, label, file.stem, file.name, CaptureKind.IMAGE, window)


def test_places_of_images_become_patches_of_their_frame(tmp_path: Path) -> None:
    files = [frame(tmp_path / "frames", f"{k}.png", 100 + k) for k in range(12)]
    labelled = [place_of(file, "seal" if k % 2 else "log") for k, file in enumerate(files)]
    made_of = dataset_of_labels(labelled, tmp_path / "data", options=ImportOptions(name="places"))
    assert (made_of.kind, made_of.labels.names) == (DatasetKind.IMAGES, ("log", "seal"))
    patches = load_patches(tmp_path / "data", tile=32, channels=3)
    assert sorted(patches.pixels[:, 0, 0, 0].tolist()) == list(range(100, 112))
    assert (patches.pixels == patches.pixels[:, :1, :1]).all(), "the place and nothing around it"
    assert {str(one) for one in patches.groups} == {str(k) for k in range(12)}


def test_labels_of_another_kind_than_the_base_stay_out(tmp_path: Path, base: Path) -> None:
    wafers = labels_of(made(tmp_path / "new", (STRANGER,), 3, seed=2), "Comet")
    places = [place_of(frame(tmp_path / "frames", "0.png", 200), "seal")]
    both = dataset_of_labels(wafers + places, tmp_path / "data", base=base, options=ImportOptions(name="x"))
    assert both.labels.names == ("Comet", "Normal", "Ring")
    with pytest.raises(InputError, match="no label to learn from"):
        dataset_of_labels(places, tmp_path / "other", base=base, options=ImportOptions(name="y"))
