"""A small dataset and a small trained bundle, made once: training and MLflow's first start take seconds."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    # Torch and MLflow take seconds to import: only the fixtures that need them do.
    from models.recipe import Recipe
    from pipelines.training.state import EpochRecord, State
    from pipelines.training.train import Trained


def small_recipe(**training: object) -> "Recipe":
    """A recipe that trains in a second or two."""
    from models.recipe import Recipe

    settings = {"epochs": 6, "batch": 32, "samples_per_epoch": 384, "lr": 0.01, "precision": "float32", "ema": 0.9}
    return Recipe.parse(
        {
            "name": "small",
            "tiling": {"tile": 16},
            "network": {"widths": [8, 16], "convolutions": 1, "embedding": 16},
            "views": ["identity", "rot90"],
            "open_set": {"budget": 0.05, "components": 2, "latent": 4, "reference_per_class": 50},
            "training": settings | training,
        },
        where="test",
    )


def wafers(path: Path, seed: int = 0, lots: int = 30, per_lot: int = 12) -> Path:
    """Die maps: a blob in the middle, a ring at the edge, a band (a stranger), or nothing; grids differ by lot."""
    rng = np.random.default_rng(seed)
    rows = []
    for lot in range(lots):
        height, width = rng.integers(18, 30, 2)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        radius = np.hypot(y, x)
        for number in range(per_lot):
            label = ("none", "none", "Center", "Edge-Ring", "Band")[(lot + number) % 5]
            chance = np.full(radius.shape, 0.04)
            chance[(label == "Center") & (radius < 0.35)] = 0.9
            chance[(label == "Edge-Ring") & (radius > 0.8)] = 0.9
            chance[(label == "Band") & (np.abs(y) < 0.15)] = 0.9
            states = np.where(rng.random(radius.shape) < chance, 2, 1).astype(np.uint8)
            states[radius > 1.02] = 0
            rows.append((height, width, states.tobytes(), label, lot))
    columns = zip(*rows, strict=True)
    names = ("height", "width", "map", "label", "lot_group")
    pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), path)
    return path


class Watcher:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.steps: list[tuple[int, int]] = []
        self.epochs: list[EpochRecord] = []

    def on_stage(self, name: str) -> None:
        self.stages.append(name)

    def on_step(self, done: int, total: int, loss: float) -> None:
        self.steps.append((done, total))

    def on_epoch(self, record: "EpochRecord", state: "State") -> None:
        self.epochs.append(record)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Nets this small gain nothing from threads, and threads that wait for each other slow a busy machine down."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three classes and one stranger, split by lot."""
    from pipelines.dataset.import_ import ImportOptions, import_dataset

    folder = tmp_path_factory.mktemp("dataset")
    import_dataset("wafers-parquet", wafers(folder / "w.parquet"), folder / "data", ImportOptions(unknown=("Band",)))
    return folder / "data"


@pytest.fixture(scope="session")
def points_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classes of `dataset` as points, 120 wafers of a few hundred defects, split by lot."""
    from pipelines.dataset.import_ import ImportOptions, build_dataset
    from pipelines.dataset.samples import Sample
    from pipelines.dataset.sources.origin import Origin
    from pipelines.ingestion.wafer_maps import PointMap

    rng = np.random.default_rng(0)

    def wafer(label: str) -> PointMap:
        low, high = {"Center": (0.0, 0.3), "Edge-Ring": (0.85, 1.0), "none": (0.0, 1.0)}[label]
        radius = np.sqrt(rng.uniform(low**2, high**2, rng.integers(100, 400))) * 1.5e5
        angle = rng.uniform(0, 2 * np.pi, len(radius))
        return PointMap(*(radius * (np.cos(angle), np.sin(angle))).astype(np.float32), 3e5)

    labels = [("none", "Center", "Edge-Ring")[place % 3] for place in range(120)]
    samples = [Sample((label,), f"lot {place // 4}", wafer(label), "here") for place, label in enumerate(labels)]
    folder = tmp_path_factory.mktemp("points")
    build_dataset(
        lambda: Origin(iter(samples), normal="none", exclusive=True, grouped_by="lot"),
        "points", folder / "data", ImportOptions(),
    )  # fmt: skip
    return folder / "data"


@pytest.fixture(scope="session")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> "Trained":
    """A bundle trained on `dataset`; not to be changed."""
    from pipelines.training.train import train

    return train(small_recipe(), dataset, tmp_path_factory.mktemp("bundle") / "out", progress=Watcher())
