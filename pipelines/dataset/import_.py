"""`import_dataset`: labelled data of any supported kind becomes a dataset directory, split by group.

Samples are streamed: first every sample is written once while only its hash, labels and group are kept in memory,
then duplicates go, the split is made, and the rows are written again with their split.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError, InputError
from models.domain.verdict import Labels
from pipelines.dataset.dividing import By, split_as_published, split_by_time
from pipelines.dataset.duplicates import find_duplicates
from pipelines.dataset.manifest import DatasetManifest, Findings, dataset_fingerprint, write_dataset_manifest
from pipelines.dataset.patches import targets_of
from pipelines.dataset.samples import DatasetKind, Sample, content_id, kind_of, schema, to_row
from pipelines.dataset.sources.dots import open_dots
from pipelines.dataset.sources.klarf_folder import open_klarf_folder
from pipelines.dataset.sources.lswmd import open_lswmd
from pipelines.dataset.sources.mixedwm38 import MIXTURE, open_mixedwm38, single_patterns
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.pictures import open_pictures
from pipelines.dataset.sources.wafer_table import open_wafer_table
from pipelines.dataset.split import SPLITS, classes_in_few_groups, split_by_group

Source = Literal["wafers-parquet", "wm811k", "mixedwm38", "klarf", "folders", "dots"]

_BATCH_BYTES = 32 << 20
"""Rows are written in batches of about this size: memory stays small however many points a wafer has."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read and split.

    Attributes:
        name: of the dataset; by default that of the source file or folder.
        normal: label that means "nothing to act on", where the source does not say.
        unknown: labels never to be learned: they go to the test split and measure the open set.
        seed: of the split.
        tile: side of patches cut around dots, pixels.
        patches: table of further patches that comes along with dots.
        replace: overwrite an existing dataset.
        single: of MixedWM38 learn single patterns alone; mixtures of several are unknown.
        by: split by group with class balance, by time, or as the publishers of the data did.
    """

    name: str | None = None
    normal: str | None = None
    unknown: tuple[str, ...] = ()
    seed: int = 0
    tile: int = 96
    patches: Path | None = None
    replace: bool = False
    single: bool = False
    by: By = "group"


@dataclass(slots=True)
class _Index:
    """What is kept of every sample while the payloads stream to disk."""

    ids: list[str] = field(default_factory=list)
    labels: list[tuple[str, ...]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    published: list[str | None] = field(default_factory=list)
    taken: list[datetime | None] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    """Where samples belong already; '' = to be decided."""

    def add(self, sample: Sample, identity: str) -> None:
        self.ids.append(identity)
        self.labels.append(sample.labels)
        self.groups.append(sample.group)
        self.origins.append(sample.origin)
        self.published.append(sample.published)
        self.taken.append(sample.taken)
        self.splits.append(sample.split)

    def homes(self, unknown: Sequence[str]) -> list[str]:
        """Split of each sample, its own or that of its group's learnable samples; '' = to be decided."""
        of_group: dict[str, str] = {}
        for labels, group, split in zip(self.labels, self.groups, self.splits, strict=True):
            if split and not set(labels) & set(unknown):
                of_group.setdefault(group, split)
        return [split or of_group.get(group, "") for group, split in zip(self.groups, self.splits, strict=True)]


def open_source(source: Source, path: Path, options: ImportOptions) -> Origin:
    """Open labelled data; its samples are read as they are walked.

    Raises:
        InputError: the data are not what `source` says.
    """
    match source:
        case "wafers-parquet":
            return open_wafer_table(path, normal=options.normal)
        case "wm811k":
            return open_lswmd(path)
        case "mixedwm38":
            return single_patterns(open_mixedwm38(path)) if options.single else open_mixedwm38(path)
        case "klarf":
            return open_klarf_folder(path, normal=options.normal)
        case "folders":
            return open_pictures(path, normal=options.normal)
        case "dots":
            return open_dots(path, tile=options.tile, seed=options.seed, normal=options.normal, patches=options.patches)


def import_dataset(
    source: Source, path: str | Path, out: str | Path, options: ImportOptions | None = None
) -> DatasetManifest:
    """Make a dataset directory: `dataset.json` and `samples.parquet`.

    Args:
        source: what kind of labelled data it is.
        path: the file or folder.
        out: directory to make; written whole or not at all.
        options: how to read and split.

    Raises:
        InputError: the data are not readable, or hold nothing to learn.
        ConfigurationError: `out` exists and `replace` is not set.
    """
    options = options or ImportOptions()
    path = Path(path)
    if not path.exists():
        raise InputError("nothing to import", where=str(path), expected="a file or folder")
    mixtures = (MIXTURE,) if options.single and MIXTURE not in options.unknown else ()
    options = replace(options, name=options.name or path.stem, unknown=(*options.unknown, *mixtures))
    return build_dataset(lambda: open_source(source, path, options), f"{source}: {path.name}", out, options)


def build_dataset(
    opening: Callable[[], Origin], source: str, out: str | Path, options: ImportOptions
) -> DatasetManifest:
    """Make a dataset directory of samples from anywhere; see `import_dataset`.

    Args:
        opening: opens the samples.
        source: what the manifest says they are.
        out: directory to make; written whole or not at all.
        options: how to split.

    Raises:
        InputError: the samples hold nothing to learn, or are of two kinds.
        ConfigurationError: `out` exists and `replace` is not set.
    """
    out = Path(out)
    if out.exists() and not options.replace:
        raise ConfigurationError("dataset exists", where=str(out), remedy="choose another folder or ask to replace it")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        found = _build(opening(), source, partial, options)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _build(origin: Origin, source: str, directory: Path, options: ImportOptions) -> DatasetManifest:
    raw = directory / "unsplit.parquet"
    index, kind = _spool(origin.samples, raw)
    duplicates = find_duplicates(index.ids, index.labels)
    kept = duplicates.kept
    names = _class_names(index.labels, origin, options.unknown)
    splits, few = _split(index, kept, names, origin, options)
    _write(raw, directory / "samples.parquet", kept, splits)
    raw.unlink()
    labels = Labels(names, origin.normal if _has_normal(names, origin) else None, origin.exclusive)
    result = DatasetManifest(
        name=options.name or directory.stem,
        kind=kind,
        labels=labels,
        unknown=options.unknown,
        source=source,
        grouped_by=origin.grouped_by,
        counts=_counts(splits, [index.labels[i] for i in kept], labels),
        groups={
            name: len({index.groups[i] for i, s in zip(kept, splits, strict=True) if s == name}) for name in SPLITS
        },
        fingerprint=dataset_fingerprint(
            (index.ids[i], index.labels[i], index.groups[i], str(split)) for i, split in zip(kept, splits, strict=True)
        ),
        findings=Findings(
            duplicates=duplicates.repeated,
            conflicts=tuple(
                " = ".join(f"{index.origins[i]} ({', '.join(index.labels[i]) or 'nothing'})" for i in same)
                for same in duplicates.conflicts
            ),
            few_groups=few,
            notes=origin.notes,
        ),
    )
    write_dataset_manifest(directory, result)
    return result


def _spool(samples: Iterable[Sample], path: Path) -> tuple[_Index, DatasetKind]:
    """Write every sample once, in bounded batches."""
    index = _Index()
    kind: DatasetKind | None = None
    writer: pq.ParquetWriter | None = None
    rows: list[dict[str, Any]] = []
    size = 0
    try:
        for sample in samples:
            own = kind_of(sample.payload)
            if own is not (kind := kind or own):
                raise InputError(
                    "samples of two kinds", where=sample.origin, expected=kind.value, got=own.value,
                    remedy="make a dataset of each",
                )  # fmt: skip
            identity = content_id(sample.payload)
            index.add(sample, identity)
            row = to_row(sample, identity)
            rows.append(row)
            size += sum(
                getattr(value, "nbytes", 0) or len(value) for value in row.values() if hasattr(value, "__len__")
            )
            if size > _BATCH_BYTES:
                writer = _flush(path, kind, rows, writer)
                rows, size = [], 0
        if kind is None:
            raise InputError("nothing to learn from", where=path.parent.name, expected="at least one labelled sample")
        writer = _flush(path, kind, rows, writer)
    finally:
        if writer is not None:
            writer.close()
    return index, kind


def _flush(
    path: Path, kind: DatasetKind, rows: list[dict[str, Any]], writer: pq.ParquetWriter | None
) -> pq.ParquetWriter:
    writer = writer or pq.ParquetWriter(path, schema(kind), compression="zstd")
    if rows:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema(kind)))
    return writer


def _class_names(labels: Sequence[tuple[str, ...]], origin: Origin, unknown: Sequence[str]) -> tuple[str, ...]:
    """Classes to learn, alphabetically; where labels are not exclusive, the normal one is no class of its own."""
    found = {label for sample in labels for label in sample} - set(unknown)
    if not origin.exclusive:
        found.discard(origin.normal or "")
    if not found:
        raise InputError("nothing to learn", expected="at least one class that is not unknown", got=f"{unknown}")
    return tuple(sorted(found))


def _has_normal(names: Sequence[str], origin: Origin) -> bool:
    return origin.normal is not None and (not origin.exclusive or origin.normal in names)


def _split(
    index: _Index, kept: Sequence[int], names: Sequence[str], origin: Origin, options: ImportOptions
) -> tuple[NDArray[np.str_], tuple[str, ...]]:
    """Split of each kept sample, and the classes that have too few groups to be everywhere.

    A group that belongs to a split already stays there; the others are split among themselves.
    """
    labels, groups = [index.labels[i] for i in kept], [index.groups[i] for i in kept]
    targets = targets_of(labels, names)
    if not origin.exclusive:
        # Nothing-to-act-on is no output, yet it must be balanced like a class.
        targets = np.hstack([targets, (targets.sum(1, keepdims=True) == 0).astype(np.uint8)])
    learnable = np.array([not set(sample) & set(options.unknown) for sample in labels])
    splits = np.full(len(labels), "test", dtype="<U5")
    known = np.flatnonzero(learnable)
    known_groups = [group for group, may in zip(groups, learnable, strict=True) if may]
    splits[known] = _divided(index, [kept[i] for i in known.tolist()], targets[known], known_groups, options)
    everything = [*names, origin.normal or "nothing"]
    few = tuple(everything[k] for k in classes_in_few_groups(targets[known], known_groups))
    return splits, few


def _divided(
    index: _Index, rows: Sequence[int], targets: NDArray[np.uint8], groups: Sequence[str], options: ImportOptions
) -> NDArray[np.str_]:
    match options.by:
        case "published":
            return split_as_published(targets, groups, [index.published[i] for i in rows], options.seed)
        case "time":
            return split_by_time(groups, [index.taken[i] for i in rows])
        case "group":
            homes = index.homes(options.unknown)
            splits = np.array([homes[i] for i in rows], dtype="<U5")
            new = np.flatnonzero(splits == "")
            if new.size:
                splits[new] = split_by_group(targets[new], [groups[i] for i in new.tolist()], seed=options.seed)
            return splits


def _counts(splits: NDArray[np.str_], labels: Sequence[tuple[str, ...]], known: Labels) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {name: {} for name in SPLITS}
    for split, sample in zip(splits, labels, strict=True):
        for label in sample or (known.normal or "nothing",):
            counts[split][label] = counts[split].get(label, 0) + 1
    return {split: dict(sorted(found.items())) for split, found in counts.items()}


def _write(raw: Path, path: Path, kept: Sequence[int], splits: NDArray[np.str_]) -> None:
    """Write the kept rows again, now with their split."""
    split_of = np.full((max(kept) + 1) if kept else 0, "", dtype="<U5")
    split_of[list(kept)] = splits
    with pq.ParquetFile(raw) as file:
        target = file.schema_arrow.append(pa.field("split", pa.string()))
        with pq.ParquetWriter(path, target, compression="zstd") as writer:
            for first, batch in _batches(file):
                own = split_of[first : first + batch.num_rows]
                chosen = np.flatnonzero(own != "")
                if chosen.size:
                    table = pa.Table.from_batches([batch]).take(chosen)
                    writer.write_table(table.append_column("split", pa.array(own[chosen].tolist(), pa.string())))


def _batches(file: pq.ParquetFile) -> Iterator[tuple[int, pa.RecordBatch]]:
    first = 0
    for group in range(file.num_row_groups):
        for batch in file.iter_batches(row_groups=[group]):
            yield first, batch
            first += batch.num_rows
