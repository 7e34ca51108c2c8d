"""The picture shows what it should."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.domain.errors import ConfigurationError
from pipelines.simulate.gallery import draw_gallery, main


@pytest.mark.parametrize("defects", [200, 40_000])
def test_wafers_are_drawn_with_ink(tmp_path: Path, defects: int) -> None:
    draw_gallery(tmp_path / "g.png", patterns=["Ring", "Spiral"], defects=defects, columns=2)
    with Image.open(tmp_path / "g.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape[1] > pixels.shape[0] > 250
    dark = pixels.sum(axis=2) < 330
    halves = dark[80:, : dark.shape[1] // 2], dark[80:, dark.shape[1] // 2 :]
    assert all(half.mean() > 0.002 for half in halves)


def test_the_command_draws_one_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gallery", str(tmp_path / "all.png"), "--defects", "100"])
    main()
    with Image.open(tmp_path / "all.png") as picture:
        assert picture.size[0] > 1_000


def test_unknown_pattern(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        draw_gallery(tmp_path / "g.png", patterns=["Blot"])
