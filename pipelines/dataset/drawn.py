"""Strangers drawn over the normal wafers of a dataset: real backgrounds and die grids, patterns nobody has named."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.domain.errors import ConfigurationError
from pipelines.dataset.loading import batches, draw
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.samples import DatasetKind, Payload, payloads
from pipelines.ingestion.wafer_maps import FAIL, NO_DIE, DieMap, PointMap
from pipelines.simulate.fields import at, random_field

_LOT_POWER = 0.25
"""Lots are drawn by (their normal wafers)^this: a few lots hold most of them and must not stand for all."""
_MORE = (0.3, 6.0)
"""Defects added to a point map, as a multiple of those there; at least `_LEAST`."""
_LEAST = 40


def drawn_strangers(
    directory: str | Path, *, tile: int, count: int, seed: int = 0, families: tuple[str, ...] | None = None
) -> NDArray[np.uint8]:
    """Normal wafers of the training split, each with a random field of failures on top.

    Args:
        directory: the dataset.
        tile: side of a patch in pixels.
        count: how many.
        seed: of everything random.
        families: kinds of field (`pipelines.simulate.fields`); None = all.

    Returns:
        uint8 (count, tile, tile, 2), in the order of the dataset.

    Raises:
        ConfigurationError: the dataset is of images, or has no normal wafers to draw on.
    """
    directory, rng = Path(directory), np.random.default_rng(seed)
    manifest = read_dataset_manifest(directory)
    wanted = _backgrounds(directory, manifest, count, rng)
    pixels: list[NDArray[np.uint8]] = []
    with threadpool_limits(1):
        for batch in batches(directory / "samples.parquet", ("train",), 512):
            chosen = [wanted[str(identity)] for identity in batch.column("id").to_pylist()]
            if any(chosen):
                rows = pa.array([row for row, times in enumerate(chosen) if times], pa.int64())
                some = payloads(manifest.kind, batch.take(rows))
                repeated = [one for one, times in zip(some, filter(None, chosen), strict=True) for _ in range(times)]
                pixels.append(draw([_strange(one, rng, families) for one in repeated], tile))
    return np.concatenate(pixels)


def _backgrounds(directory: Path, manifest: DatasetManifest, count: int, rng: np.random.Generator) -> Counter[str]:
    """How often each normal wafer is drawn on, by id."""
    table = pq.read_table(directory / "samples.parquet", columns=["id", "labels", "group", "split"])
    normal = [] if manifest.labels.normal not in manifest.labels.names else [manifest.labels.normal]
    ids, groups = [], []
    for identity, labels, group, split in zip(*(column.to_pylist() for column in table.columns), strict=True):
        if split == "train" and list(labels or ()) == normal:
            ids.append(str(identity))
            groups.append(str(group))
    if manifest.kind is DatasetKind.IMAGES or not ids:
        raise ConfigurationError(
            "strangers cannot be drawn",
            where=str(directory),
            expected="wafers, some of them normal, in the training split",
            got=f"{len(ids)} normal ones of kind {manifest.kind.value}",
            remedy="leave 'traits' out of recipe.open_set.scores",
        )
    _, lot = np.unique(groups, return_inverse=True)
    weight = np.bincount(lot)[lot] ** (_LOT_POWER - 1)
    return Counter(rng.choice(np.asarray(ids), count, p=weight / weight.sum()).tolist())


def _strange(payload: Payload, rng: np.random.Generator, families: tuple[str, ...] | None) -> Payload:
    field = random_field(rng, families)
    if isinstance(payload, DieMap):
        rows, columns = ((np.arange(size) + 0.5) * 2 / size - 1 for size in payload.states.shape)
        y, x = np.meshgrid(rows, columns, indexing="ij")
        hit = (payload.states != NO_DIE) & (rng.random(payload.states.shape) < at(field, x, y))
        return DieMap(np.where(hit, FAIL, payload.states).astype(np.uint8))
    assert isinstance(payload, PointMap)
    more = max(_LEAST, round(len(payload.x_um) * np.exp(rng.uniform(*np.log(_MORE)))))
    x, y = _places(field, more, rng) * (payload.diameter_um / 2)
    return PointMap(
        np.concatenate([payload.x_um, x.astype(np.float32)]),
        np.concatenate([payload.y_um, y.astype(np.float32)]),
        payload.diameter_um,
        payload.inspected,
    )


def _places(field: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, count): places on the disc, the likelier the higher the field."""
    found: list[NDArray[np.float64]] = []
    while sum(part.shape[1] for part in found) < count:
        places = rng.uniform(-1, 1, (2, 8192))
        kept = rng.random(8192) * field.max() < at(field, places[0], -places[1])
        found.append(places[:, kept & (np.hypot(*places) < 1)])
    return np.concatenate(found, axis=1)[:, :count]
