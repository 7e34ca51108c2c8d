"""A dataset directory to patches: every wafer is drawn once, by the code that draws when serving."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Level, Window
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.patches import PatchSet, targets_of
from pipelines.dataset.places import DefectPlaces
from pipelines.dataset.samples import DatasetKind, Payload, Picture, payloads
from pipelines.ingestion.rendering import render_die_maps, render_points
from pipelines.ingestion.wafer_maps import DieMap, PointMap

_AT_ONCE = {DatasetKind.DIE_MAPS: 65_536, DatasetKind.POINTS: 256, DatasetKind.IMAGES: 4096}
"""Samples read before they are drawn: die maps are drawn fastest by the thousand, a wafer may have a million points."""


def load_patches(
    directory: str | Path, *, tile: int, channels: int, splits: Sequence[str] | None = None, places: bool = False
) -> PatchSet:
    """Read and draw the samples of a dataset.

    Args:
        directory: the dataset.
        tile: side of a patch in pixels; a wafer is drawn whole into it, a larger picture loses its margin.
        channels: the recipe's; must be what the samples have.
        splits: read only these; None = all.
        places: keep where the defects lie as well, if the wafers are points (see `DefectPlaces` for the memory).

    Raises:
        ConfigurationError: not a dataset, or its samples have another number of channels or are smaller than a tile.
        InputError: `samples.parquet` is damaged.
    """
    directory = Path(directory)
    manifest = read_dataset_manifest(directory)
    pixels: list[NDArray[np.uint8]] = []
    tables: list[pa.Table] = []
    lying: list[DefectPlaces] = []
    # Drawing is many small matrix products: threads that wait for each other made it several times slower.
    with threadpool_limits(1):
        for batch in batches(directory / "samples.parquet", splits, _AT_ONCE[manifest.kind]):
            samples = payloads(manifest.kind, batch)
            pixels.append(draw(samples, tile))
            if places and manifest.kind is DatasetKind.POINTS:
                lying.append(DefectPlaces.of([one for one in samples if isinstance(one, PointMap)], tile))
            tables.append(pa.Table.from_batches([batch]).select(["id", "labels", "group", "split"]))
    if not pixels:
        raise ConfigurationError("no samples", where=str(directory), expected=f"splits {splits}")
    whole = np.concatenate(pixels)
    if whole.shape[3] != channels:
        raise ConfigurationError(
            "recipe does not fit the dataset",
            where=f"{directory}: channels",
            expected=str(channels),
            got=str(whole.shape[3]),
            remedy="choose the recipe for this kind of data",
        )
    defects = DefectPlaces.concatenated(lying) if lying else None
    return _patch_set(whole, pa.concat_tables(tables), manifest, defects)


def _patch_set(
    pixels: NDArray[np.uint8], table: pa.Table, manifest: DatasetManifest, places: DefectPlaces | None
) -> PatchSet:
    labels = [tuple(sample or ()) for sample in table.column("labels").to_pylist()]
    strangers = set(manifest.unknown)
    return PatchSet(
        pixels=pixels,
        targets=targets_of([() if strangers & set(sample) else sample for sample in labels], manifest.labels.names),
        groups=_text(table, "group"),
        ids=_text(table, "id"),
        splits=_text(table, "split"),
        unknown=np.asarray(["+".join(sample) if strangers & set(sample) else "" for sample in labels], dtype=np.str_),
        labels=manifest.labels,
        places=places,
    )


def _text(table: pa.Table, column: str) -> NDArray[np.str_]:
    return np.asarray(table.column(column).to_pylist(), dtype=np.str_)


def batches(path: Path, splits: Sequence[str] | None, rows: int) -> Iterator[pa.RecordBatch]:
    """Rows of `samples.parquet`, at most `rows` at a time, of these splits alone (None = all); none is empty.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(row_groups=[group], batch_size=rows):
                    wanted = batch
                    if splits is not None:
                        wanted = batch.filter(pc.is_in(batch.column("split"), pa.array(splits, pa.string())))
                    if wanted.num_rows:
                        yield wanted
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            "cannot read samples", where=str(path), got=str(error), remedy="import the dataset again"
        ) from error


def draw(samples: Sequence[Payload], tile: int) -> NDArray[np.uint8]:
    """Pixels of the samples, uint8 (N, tile, tile, C); all samples are of one kind."""
    dies = [sample.states for sample in samples if isinstance(sample, DieMap)]
    if dies:
        return render_die_maps(dies, tile)
    window = Window(Level(0, tile, tile), 0, 0, tile, tile)
    drawn = []
    for sample in samples:
        if isinstance(sample, PointMap):
            drawn.append(render_points(sample, window).pixels)
        elif isinstance(sample, Picture):
            drawn.append(_middle(sample.png, tile))
    return np.stack(drawn)


def _middle(png: bytes, tile: int) -> NDArray[np.uint8]:
    """The middle of a picture: never rescaled, because serving reads windows at the image's own resolution."""
    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture, dtype=np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    top, left = (pixels.shape[0] - tile) // 2, (pixels.shape[1] - tile) // 2
    if top < 0 or left < 0:
        raise ConfigurationError(
            "picture smaller than a tile",
            where="recipe.tiling.tile",
            expected=f"at most {min(pixels.shape[:2])}",
            got=str(tile),
        )
    return pixels[top : top + tile, left : left + tile]
