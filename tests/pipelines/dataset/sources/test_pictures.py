"""Patches in class folders, with and without a table of frames."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.errors import InputError
from pipelines.dataset.import_ import import_dataset
from pipelines.dataset.loading import load_patches
from pipelines.dataset.sources.pictures import open_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["path,class,frame"]
    for i in range(24):
        name = ("seal", "sand")[i % 2]
        path = tmp_path / "patches" / name / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
        lines.append(f"patches/{name}/{i}.png,{name},{i % 8 if i < 20 else ''}")
    (tmp_path / "patches.csv").write_text("\n".join(lines))
    return tmp_path


def test_table_names_class_and_frame(folder: Path) -> None:
    origin = open_pictures(folder / "patches.csv", normal="sand")
    samples = list(origin.samples)
    assert (samples[1].labels, samples[1].group) == (("sand",), "1")
    assert origin.grouped_by == "frame"
    assert "4 pictures name no frame" in origin.notes[0]
    assert len({sample.group for sample in samples}) == 8 + 4


def test_folders_alone_warn_that_frames_are_unknown(folder: Path) -> None:
    origin = open_pictures(folder / "patches")
    assert {sample.labels[0] for sample in origin.samples} == {"seal", "sand"}
    assert "own group" in origin.notes[0]


def test_pictures_come_back_without_loss_and_lose_their_margin(folder: Path, tmp_path: Path) -> None:
    import_dataset("folders", folder / "patches.csv", tmp_path / "data")
    patches = load_patches(tmp_path / "data", tile=16, channels=3)
    with Image.open(folder / "patches/seal/0.png") as picture:
        middle = np.asarray(picture)[2:18, 4:20]
    assert any((pixels == middle).all() for pixels in patches.pixels)


def test_wrong_pictures_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png"):
        list(open_pictures(tmp_path).samples)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        open_pictures(tmp_path / "empty")
