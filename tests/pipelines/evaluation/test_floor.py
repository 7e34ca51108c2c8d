"""Rules that never look at a defect."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dataset.import_ import import_dataset
from pipelines.evaluation.floor import trivial_rules


def test_the_grid_gives_the_class_away_and_the_floor_says_so(tmp_path: Path) -> None:
    """Every product shows one pattern: a model could reach 100 % without seeing a defect."""
    rng = np.random.default_rng(0)
    n = 120
    maps = rng.integers(0, 3, (n, 200), dtype=np.uint8)
    shapes = [(10, 20) if i % 3 else (20, 10) for i in range(n)]
    rows = {
        "height": [height for height, _ in shapes],
        "width": [width for _, width in shapes],
        "map": [one.tobytes() for one in maps],
        "label": ["none" if i % 3 else "Loc" for i in range(n)],
        "lot_group": list(range(n)),
    }
    pq.write_table(pa.table(rows), tmp_path / "w.parquet")
    import_dataset("wafers-parquet", tmp_path / "w.parquet", tmp_path / "data")
    majority, grid = trivial_rules(tmp_path / "data", "test")
    assert majority.accuracy == pytest.approx(2 / 3, abs=0.1)
    assert majority.macro_f1 == pytest.approx(0.4, abs=0.05)
    assert (grid.accuracy, grid.macro_f1) == (1.0, 1.0)


def test_real_wafers_are_given_away_by_their_grid(real_data: Path, tmp_path: Path) -> None:
    import_dataset("wafers-parquet", real_data / "wm811k/wafers.parquet", tmp_path / "data")
    majority, grid = trivial_rules(tmp_path / "data", "test")
    assert majority.macro_f1 < 0.1
    assert 0.1 < grid.macro_f1 < 0.35, "grouped by lot the look-up is weak; on a random split it is not"
