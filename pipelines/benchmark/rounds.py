"""Rounds of a protocol: a folder for each fold, with the dataset its contestants learn from and answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.benchmark.folds import Fold, write_fold
from pipelines.dataset.import_ import ImportOptions, Source, import_dataset
from pipelines.dataset.manifest import read_dataset_manifest


@dataclass(frozen=True, slots=True)
class Rounds:
    """Where the folds of a protocol lie.

    Attributes:
        protocol: in words, for the table.
        places: fold's name -> its folder; the dataset is in `data`, its test split is what is answered.
    """

    protocol: str
    places: Mapping[str, Path]


def dataset_at(path: str | Path, source: Source, work_dir: str | Path, options: ImportOptions | None = None) -> Path:
    """The dataset itself, or the one imported from a public file, once, into the work folder.

    Args:
        path: a dataset folder, or what `source` reads.
        source: importer of anything that is no dataset yet.
        work_dir: of the benchmark.
        options: of the import.
    """
    path, imported = Path(path), Path(work_dir) / "data"
    if (path / "dataset.json").exists():
        return path
    if not (imported / "dataset.json").exists():
        import_dataset(source, path, imported, options)
    return imported


def k_fold(
    data_dir: Path,
    work_dir: str | Path,
    k: int = 5,
    only: Sequence[int] | None = None,
    *,
    by: Literal["group", "grid"] = "group",
    seed: int = 0,
) -> Rounds:
    """k-fold cross-validation: every sample is tested once, by somebody who has seen nothing of its lot or frame.

    Args:
        data_dir: the dataset; its own split is not used.
        work_dir: gets a folder for each fold.
        k: number of folds.
        only: run these; None = all.
        by: what stays on one side; `grid` holds out whole products.
        seed: of the division.

    Raises:
        ConfigurationError: no such fold.
    """
    numbers = tuple(range(k)) if only is None else tuple(only)
    folds = [Fold(number, k, seed, by) for number in numbers] or [Fold(-1, k)]
    places = {}
    for fold in folds:
        place = Path(work_dir) / f"{by}-{fold.number}-of-{k}"
        manifest = write_fold(data_dir, place / "data", fold)
        places[str(fold.number)] = place
    which = "" if len(folds) == k else f", folds {', '.join(places)} alone"
    return Rounds(f"{k}-fold by {manifest.grouped_by}{which}, division {seed}", places)


def held_out_fifth(data_dir: Path, work_dir: str | Path, *, seed: int = 0) -> Rounds:
    """One split: a fifth of a dataset without duplicates is tested."""
    place = Path(work_dir) / "fifth"
    manifest = write_fold(data_dir, place / "data", Fold(0, 5, seed))
    found = manifest.findings
    left_out = f"{found.duplicates} repeats and {len(found.conflicts)} conflicts left out at import"
    drawn = "at random, no lots known" if manifest.grouped_by == "sample" else f"by {manifest.grouped_by}"
    return Rounds(f"20 % test split {drawn}, exact duplicates removed ({left_out}), division {seed}", {"0": place})


def published(path: str | Path, source: Source, work_dir: str | Path) -> Rounds:
    """The split the data were published with: what is marked as test is tested, the rest is divided by lot.

    Args:
        path: what `source` reads; it must name the published split.
        source: importer.
        work_dir: gets the dataset.

    Raises:
        ConfigurationError: the data name no published split.
    """
    place = Path(work_dir) / "published"
    dataset_at(path, source, place, ImportOptions(by="published"))
    manifest = read_dataset_manifest(place / "data")
    return Rounds(f"published split; validation by {manifest.grouped_by} within its training part", {"0": place})
