"""Dots on whole frames become patches; the background is cut away from every dot."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.errors import InputError
from pipelines.dataset.sources.dots import open_dots
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
    assert {sample.group for sample in samples} == {"a.png"}


def test_background_keeps_away_from_dots(frame: Path) -> None:
    places = [
        s.origin.split(":")[1] for s in open_dots(frame / "points.csv", tile=32).samples if "background" in s.labels
    ]
    assert len(places) == 2
    for place in places:
        row, col = (int(number) for number in place.split(","))
        assert max(abs(row - 200), abs(col - 300)) >= 47
        assert max(abs(row - 5), abs(col - 590)) >= 47


def test_a_dot_outside_its_frame_is_refused(frame: Path) -> None:
    (frame / "points.csv").write_text("frame,row,col,class\na.png,400,300,pup\n")
    with pytest.raises(InputError, match=r"dot outside its frame: a\.png:400,300"):
        list(open_dots(frame / "points.csv", tile=32).samples)


def test_an_absent_frame_is_named(frame: Path) -> None:
    (frame / "points.csv").write_text("frame,row,col,class\nb.png,4,3,pup\n")
    with pytest.raises(InputError, match=r"frame is absent: b\.png"):
        list(open_dots(frame / "points.csv", tile=32).samples)
