"""Drawn strangers: normal wafers of the training split with more failures, never less, and never of another split."""

from pathlib import Path

import numpy as np
import pytest

from models.domain.errors import ConfigurationError
from pipelines.dataset.drawn import drawn_strangers
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.simulate import simulate


def test_strangers_are_normal_wafers_with_something_on_top(dataset: Path) -> None:
    strange = drawn_strangers(dataset, tile=16, count=120, seed=1)
    assert strange.shape == (120, 16, 16, 2)
    train = load_patches(dataset, tile=16, channels=2, splits=("train",))
    normal = train.only(train.index == train.labels.names.index("none"))
    assert strange[..., 0].mean() > 1.5 * normal.pixels[..., 0].mean()
    for one in strange[:20]:
        below = (normal.pixels[..., 1] == one[..., 1]).all((1, 2)) & (normal.pixels[..., 0] <= one[..., 0]).all((1, 2))
        assert below.any()


def test_equal_seeds_draw_equal_strangers(dataset: Path) -> None:
    one, same, other = (drawn_strangers(dataset, tile=16, count=20, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_points_get_more_points(tmp_path: Path) -> None:
    simulate(tmp_path / "lots", 12, patterns=("Normal", "Ring"), seed=2, wafers_per_lot=2)
    import_dataset("klarf", tmp_path / "lots", tmp_path / "data", ImportOptions())
    strange = drawn_strangers(tmp_path / "data", tile=32, count=12)
    train = load_patches(tmp_path / "data", tile=32, channels=2, splits=("train",))
    normal = train.only(train.index == train.labels.names.index("Normal"))
    assert strange.shape == (12, 32, 32, 2)
    for one in strange:
        assert ((normal.pixels[..., 0] <= one[..., 0]).all((1, 2)) & (normal.pixels != one).any((1, 2, 3))).any()


def test_without_normal_wafers_nothing_can_be_drawn(dataset: Path, tmp_path: Path) -> None:
    text = (dataset / "dataset.json").read_text()
    (tmp_path / "dataset.json").write_text(text.replace('"normal": "none"', '"normal": null'))
    (tmp_path / "samples.parquet").symlink_to(dataset / "samples.parquet")
    with pytest.raises(ConfigurationError, match="cannot be drawn"):
        drawn_strangers(tmp_path, tile=16, count=3)
