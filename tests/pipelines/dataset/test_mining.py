"""Hard negatives: mistakes on training frames join the background, frames of the test split are never looked at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.bundle import Bundle
from models.domain.errors import InputError
from pipelines.dataset import mining
from pipelines.dataset.import_ import ImportOptions, import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest
from tests.models.conftest import make_bundle, manifest, recipe  # noqa: F401 - fixtures

TILE = 32


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["frame,row,col,class"]
    for k in range(6):
        Image.fromarray(rng.integers(0, 256, (200, 260, 3), dtype=np.uint8)).save(tmp_path / f"{k}.png")
        rows += [f"{k}.png,{60 + 20 * j},{50 + 40 * j},pup" for j in range(4)]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(rows))
    return path


def test_mistakes_of_training_frames_are_kept(
    dots: Path,
    tmp_path: Path,
    make_bundle: Callable[..., Bundle],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "data"
    import_dataset("dots", dots, data, ImportOptions(tile=TILE))
    before = load_patches(data, tile=TILE, channels=3)
    bundle = make_bundle(
        kind="image",
        channels=3,
        tiling={"tile": TILE, "levels": [-1], "dense": 8},
        count={"radius": 16},
        network={"widths": [4, 8], "convolutions": 1, "embedding": 6, "padding": "none"},
        labels=read_dataset_manifest(data).labels,
    )
    monkeypatch.setattr(mining, "load_bundle", lambda _: bundle)
    mined, found = mining.mine(tmp_path / "bundle", dots, data, tmp_path / "mined", per_frame=5)
    after = load_patches(tmp_path / "mined", tile=TILE, channels=3)
    tested = set(before.groups[before.splits == "test"])
    assert tested
    assert {one.frame.removesuffix(".png") for one in found} == set(before.groups) - tested
    assert all(one.kept == min(5, one.mistakes) for one in found)
    new = ~np.isin(after.ids, before.ids)
    assert 0 < new.sum() <= sum(one.kept for one in found)
    assert set(np.asarray(after.labels.names)[after.index[new]]) == {"background"}
    assert "test" not in set(after.splits[new])
    old = dict(zip(before.ids, before.splits, strict=True))
    assert all(old[one] == split for one, split in zip(after.ids[~new], after.splits[~new], strict=True))
    assert mined.counts["test"] == read_dataset_manifest(data).counts["test"]


def test_frames_of_another_dataset_are_no_use(
    dots: Path,
    tmp_path: Path,
    make_bundle: Callable[..., Bundle],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "data"
    import_dataset("dots", dots, data, ImportOptions(tile=TILE))
    network = {"widths": [4, 8], "convolutions": 1, "embedding": 6, "padding": "none"}
    bundle = make_bundle(kind="image", channels=3, network=network, labels=read_dataset_manifest(data).labels)
    monkeypatch.setattr(mining, "load_bundle", lambda _: bundle)
    other = tmp_path / "other.csv"
    other.write_text("frame,row,col,class\nelsewhere.png,4,3,pup\n")
    with pytest.raises(InputError, match="no frame to mine"):
        mining.mine(tmp_path / "bundle", other, data, tmp_path / "mined")
