"""Dots on whole frames become patches; the background is cut away from every dot."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.errors import InputError
from pipelines.dataset.sources.dots import BACKGROUND, LEAST_FAR, NEAR, open_dots
from pipelines.dataset.sources.pictures import read_pixels


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    (tmp_path / "frames").mkdir()
    Image.fromarray(pixels).save(tmp_path / "frames/a.png")
    (tmp_path / "points.csv").write_text("frame,row,col,class\na.png,200,300,pup\na.png,5,590,adult\n")
    return tmp_path


def test_patches_are_centred_on_dots_and_pulled_back_inside(frame: Path) -> None:
    samples = list(open_dots(frame / "points.csv", tile=32).samples)
    whole = read_pixels(frame / "frames/a.png")
    (frame / "0.png").write_bytes(samples[0].payload.png)  # type: ignore[union-attr]
    (frame / "1.png").write_bytes(samples[1].payload.png)  # type: ignore[union-attr]
    assert (read_pixels(frame / "0.png") == whole[184:216, 284:316]).all()
    assert (read_pixels(frame / "1.png") == whole[0:32, 568:600]).all()
    assert {sample.group for sample in samples} == {"a"}


def background(frame: Path, tile: int) -> np.ndarray:
    """Places called background, (N, 2), and how far each is from the next dot."""
    samples = open_dots(frame / "points.csv", tile=tile).samples
    return np.array(
        [[int(part) for part in s.origin.split(":")[1].split(",")] for s in samples if s.labels == (BACKGROUND,)]
    )


def test_background_is_far_from_dots_or_a_near_miss(frame: Path) -> None:
    places, dots = background(frame, 32), np.array([[200, 300], [5, 590]])
    offsets = np.abs(places[:, None] - dots[None])
    far = (offsets.max(2) >= 47).all(1)
    assert far.sum() == LEAST_FAR
    near = np.hypot(*offsets[~far].transpose(2, 0, 1)).min(1)
    assert 1 <= len(near) <= 4, "two of each dot, but none that would lie outside"
    assert ((near >= NEAR[0] * 32 - 1) & (near <= NEAR[1] * 32 + 1)).all()
    assert (places >= 16).all()
    assert (places <= [400 - 16, 600 - 16]).all()


def test_a_near_miss_is_no_hit_on_another_dot(frame: Path) -> None:
    rows = [f"a.png,{200 + 14 * k},{300 + 14 * (k % 3)},pup" for k in range(8)]
    (frame / "points.csv").write_text("frame,row,col,class\n" + "\n".join(rows))
    dots = np.array([[200 + 14 * k, 300 + 14 * (k % 3)] for k in range(8)])
    apart = np.hypot(*(background(frame, 32)[:, None] - dots[None]).transpose(2, 0, 1)).min(1)
    assert apart.min() >= NEAR[0] * 32 - 1


def test_further_patches_come_along(frame: Path) -> None:
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(frame / "0.png")
    (frame / "patches.csv").write_text("path,class,frame\n0.png,pup,a\n")
    *_, last = open_dots(frame / "points.csv", tile=32, patches=frame / "patches.csv").samples
    assert (last.labels, last.group) == (("pup",), "a")


def test_a_dot_outside_its_frame_is_refused(frame: Path) -> None:
    (frame / "points.csv").write_text("frame,row,col,class\na.png,400,300,pup\n")
    with pytest.raises(InputError, match=r"dot outside its frame: a\.png:400,300"):
        list(open_dots(frame / "points.csv", tile=32).samples)


def test_an_absent_frame_is_named(frame: Path) -> None:
    (frame / "points.csv").write_text("frame,row,col,class\nb.png,4,3,pup\n")
    with pytest.raises(InputError, match=r"frame is absent: b\.png"):
        list(open_dots(frame / "points.csv", tile=32).samples)
