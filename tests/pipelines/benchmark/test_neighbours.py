"""Nearest neighbours answer what their neighbours are."""

from pathlib import Path

from pipelines.benchmark import Fold, write_fold
from pipelines.benchmark.neighbours import PixelNeighbours


def test_likeness_of_pixels_finds_large_patterns(dataset: Path, tmp_path: Path) -> None:
    write_fold(dataset, tmp_path / "data", Fold(0, 3))
    scores = PixelNeighbours(16, 2).answer(tmp_path / "data", tmp_path).scores()
    assert scores.macro_f1.value > 0.8
    assert scores.refused == 0
