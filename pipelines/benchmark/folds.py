"""Folds: a dataset divided anew, so that every wafer is tested once by a model that has seen nothing of its lot.

One test split holds a few lots of a rare class and its figure is partly luck. Neither weights nor temperature nor
thresholds of a fold's model have seen its test lots. A harder division holds out whole die grids: every product that
is tested is one the model has never met, which is what the shift of WM-811K's official test set comes closest to.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from pipelines.dataset.manifest import (
    DatasetManifest,
    dataset_fingerprint,
    read_dataset_manifest,
    write_dataset_manifest,
)
from pipelines.dataset.patches import targets_of
from pipelines.dataset.samples import DatasetKind
from pipelines.dataset.split import SPLITS, assign_groups, folds_by_group

_VALID = 0.15
"""Of what is not tested: for the epoch, the temperature and the thresholds."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Which part of which division.

    Attributes:
        number: 0..k-1, the part that is tested.
        k: number of parts.
        seed: of the division.
        by: what stays on one side: the dataset's own groups, or all wafers of one die grid.
        unknown: further classes not to be learned; all of their samples are tested.
    """

    number: int
    k: int = 5
    seed: int = 0
    by: Literal["group", "grid"] = "group"
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: no such fold.
        """
        if self.k < 2 or not 0 <= self.number < self.k:
            raise ConfigurationError(
                "no such fold", expected=f"one of 0..{self.k - 1}, k of at least 2", got=f"{self.number}, k {self.k}"
            )


def write_fold(data_dir: str | Path, out: str | Path, fold: Fold) -> DatasetManifest:
    """The same dataset, split anew: one fold to test, a part of the other lots to validate, the rest to learn from.

    Samples of unknown classes are tested in every fold. Batches are copied one by one, so memory stays small.

    Args:
        data_dir: the dataset.
        out: of the new one; an older one there is overwritten.
        fold: which one.

    Raises:
        ConfigurationError: the dataset has no die grids to divide by, or an unknown class is none of its classes.
    """
    data_dir, out = Path(data_dir), Path(out)
    manifest = _without(read_dataset_manifest(data_dir), fold.unknown)
    if fold.by == "grid" and manifest.kind is not DatasetKind.DIE_MAPS:
        raise ConfigurationError("no die grids to divide by", where=str(data_dir), expected="die maps")
    columns = ["id", "labels", "group", *(("height", "width") if fold.by == "grid" else ())]
    index = pq.read_table(data_dir / "samples.parquet", columns=columns)
    labels = [tuple(sample or ()) for sample in index.column("labels").to_pylist()]
    groups, identities = ([str(value) for value in index.column(name).to_pylist()] for name in ("group", "id"))
    sides = groups
    if fold.by == "grid":
        sizes = zip(*(index.column(name).to_pylist() for name in ("height", "width")), strict=True)
        sides = [f"{height} x {width}" for height, width in sizes]
    split = _split(labels, sides, manifest, fold)
    out.mkdir(parents=True, exist_ok=True)
    with pq.ParquetFile(data_dir / "samples.parquet") as file:
        place = file.schema_arrow.get_field_index("split")
        with pq.ParquetWriter(out / "samples.parquet", file.schema_arrow, compression="zstd") as writer:
            first = 0
            for batch in file.iter_batches(batch_size=4096):
                own = pa.array(split[first : first + batch.num_rows].tolist(), pa.string())
                writer.write_batch(batch.set_column(place, file.schema_arrow.field(place), own))
                first += batch.num_rows
    counts: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    for part, sample in zip(split.tolist(), labels, strict=True):
        counts[part].update(sample or (manifest.labels.normal or "nothing",))
    found = replace(
        manifest,
        name=f"{manifest.name}-fold-{fold.number}-of-{fold.k}",
        grouped_by="die grid" if fold.by == "grid" else manifest.grouped_by,
        counts={part: dict(sorted(counted.items())) for part, counted in counts.items()},
        groups={part: len({g for g, s in zip(groups, split, strict=True) if s == part}) for part in SPLITS},
        fingerprint=dataset_fingerprint(zip(identities, labels, groups, split.tolist(), strict=True)),
    )
    write_dataset_manifest(out, found)
    return found


def _without(manifest: DatasetManifest, unknown: tuple[str, ...]) -> DatasetManifest:
    """The manifest with fewer classes to learn."""
    strangers = [name for name in unknown if name not in manifest.labels.names]
    if strangers:
        raise ConfigurationError(
            "no such class to leave out", expected=" | ".join(manifest.labels.names), got=", ".join(strangers)
        )
    names = tuple(name for name in manifest.labels.names if name not in unknown)
    return replace(manifest, labels=replace(manifest.labels, names=names), unknown=tuple({*manifest.unknown, *unknown}))


def _split(
    labels: Sequence[tuple[str, ...]], sides: Sequence[str], manifest: DatasetManifest, fold: Fold
) -> NDArray[np.str_]:
    targets = targets_of(labels, manifest.labels.names)
    if not manifest.labels.exclusive:  # normal is no output, yet every fold needs its share of it
        targets = np.hstack([targets, (targets.sum(1, keepdims=True) == 0).astype(np.uint8)])
    known = np.flatnonzero([not set(sample) & set(manifest.unknown) for sample in labels])
    names = np.asarray(sides, dtype=np.str_)
    split = np.full(len(labels), "test", dtype="<U5")
    rest = known[folds_by_group(targets[known], list(names[known]), fold.k, fold.seed) != fold.number]
    part = assign_groups(targets[rest], list(names[rest]), (1 - _VALID, _VALID), fold.seed)
    split[rest] = np.where(part == 0, "train", "valid")
    return split
