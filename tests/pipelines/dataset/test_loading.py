"""Dataset to patches, drawn as serving draws them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.domain.errors import ConfigurationError
from models.domain.patch import COUNT_TO_DENSITY
from models.domain.tiling import Level, Window
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.dataset.samples import DatasetKind, Sample, payloads, schema, to_row
from pipelines.ingestion.rendering import render_dies
from pipelines.ingestion.wafer_maps import DieGrid, DieMap, PointMap


@pytest.fixture
def wafers(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    maps = [rng.integers(0, 3, (8, 8 + i % 3), dtype=np.uint8) for i in range(40)]
    pq.write_table(
        pa.table(
            {
                "height": [8] * 40,
                "width": [8 + i % 3 for i in range(40)],
                "map": [states.tobytes() for states in maps],
                "labels": [[["Loc"], ["Loc", "Scratch"], [], ["Odd"]][i % 4] for i in range(40)],
            }
        ),
        tmp_path / "w.parquet",
    )
    import_dataset("wafers-parquet", tmp_path / "w.parquet", tmp_path / "data", ImportOptions(unknown=("Odd",)))
    return tmp_path / "data"


def test_patches_are_drawn_as_serving_draws_them(wafers: Path) -> None:
    patches = load_patches(wafers, tile=32, channels=2)
    rows = {row["id"]: row for row in pq.read_table(wafers / "samples.parquet").to_pylist()}
    window = Window(Level(0, 32, 32), 0, 0, 32, 32)
    for pixels, identity in zip(patches.pixels, patches.ids, strict=True):
        row = rows[str(identity)]
        dies = DieMap(np.frombuffer(row["map"], np.uint8).reshape(row["height"], row["width"]))
        assert (pixels == render_dies(dies, window).pixels).all()


def test_targets_follow_the_labels_and_strangers_have_none(wafers: Path) -> None:
    patches = load_patches(wafers, tile=16, channels=2)
    assert patches.labels.names == ("Loc", "Scratch")
    assert patches.counts.tolist() == [20, 10]
    assert set(patches.unknown.tolist()) == {"", "Odd"}
    assert not patches.targets[~patches.known].any()
    assert set(patches.splits[~patches.known].tolist()) == {"test"}
    assert patches.only(patches.known).strata.sum(0).tolist() == [20, 10, 10]


def test_only_the_wanted_splits_are_read(wafers: Path) -> None:
    assert set(load_patches(wafers, tile=16, channels=2, splits=("valid",)).splits.tolist()) == {"valid"}


def test_a_recipe_for_other_data_is_refused(wafers: Path) -> None:
    with pytest.raises(ConfigurationError, match="channels; expected 3; got 2"):
        load_patches(wafers, tile=16, channels=3)


@pytest.mark.parametrize("inspected", [None, DieGrid(np.array([0.1, 5e3]), np.array([-1e4 / 3, 0.0]), (5e3, 7e3))])
def test_points_survive_the_table_exactly(inspected: DieGrid | None) -> None:
    rng = np.random.default_rng(1)
    points = PointMap(rng.normal(size=9).astype(np.float32), rng.normal(size=9).astype(np.float32), 3e5, inspected)
    batch = pa.RecordBatch.from_pylist(
        [to_row(Sample(("Ring",), "lot", points, "here"), "id")] * 2, schema=schema(DatasetKind.POINTS)
    )
    second = payloads(DatasetKind.POINTS, batch)[1]
    assert isinstance(second, PointMap)
    assert (second.x_um == points.x_um).all()
    assert (second.y_um == points.y_um).all()
    assert second.diameter_um == points.diameter_um
    if inspected is None:
        assert second.inspected is None
    else:
        assert second.inspected is not None
        assert (second.inspected.x_um == inspected.x_um).all()
        assert (second.inspected.y_um == inspected.y_um).all()
        assert second.inspected.pitch_um == inspected.pitch_um


def test_places_come_with_points_alone_and_only_if_wanted(wafers: Path, points_dataset: Path) -> None:
    assert load_patches(wafers, tile=16, channels=2, places=True).places is None
    assert load_patches(points_dataset, tile=16, channels=2).places is None
    patches = load_patches(points_dataset, tile=16, channels=2, places=True)
    valid = patches.split("valid")
    assert patches.places is not None
    assert valid.places is not None
    assert len(valid.places) == len(valid) < len(patches)
    for number, pixels in enumerate(valid.pixels):
        here = slice(*valid.places.first[number : number + 2])
        row, column = valid.places.row[here] >> valid.places.bits, valid.places.column[here] >> valid.places.bits
        counts = np.bincount(row.astype(int) * 16 + column, minlength=256).reshape(16, 16)
        assert np.array_equal(COUNT_TO_DENSITY[counts], pixels[..., 0])
