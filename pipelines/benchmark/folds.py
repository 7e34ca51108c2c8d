"""k-fold cross-validation by lot, each fold through the product's own `train` and its report.

One test split holds a few lots of a rare class and its figure is partly luck. Over k folds every wafer is tested once,
by a model that has seen nothing of its lot: neither its weights, nor its temperature, nor its thresholds.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.dataset.manifest import (
    DatasetManifest,
    dataset_fingerprint,
    read_dataset_manifest,
    write_dataset_manifest,
)
from pipelines.dataset.patches import targets_of
from pipelines.dataset.split import SPLITS, assign_groups, folds_by_group
from pipelines.evaluation.report import Report
from pipelines.training.loop import Observer
from pipelines.training.train import train

_VALID = 0.15
"""Of what is not tested: for the epoch, the temperature and the thresholds."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What the folds said.

    Attributes:
        protocol: in words.
        folds: which were run.
        reports: one for each of them, of its test lots.
    """

    protocol: str
    folds: tuple[int, ...]
    reports: tuple[Report, ...]

    @property
    def macro_f1(self) -> float:
        """Mean over folds, refused wafers counted as missed."""
        return float(np.mean([report.macro_f1.value for report in self.reports]))

    @property
    def forced_macro_f1(self) -> float:
        """Mean over folds, as if nothing were refused: what papers report."""
        return float(np.mean([report.forced_macro_f1 for report in self.reports]))

    @property
    def normal_false_alarms(self) -> float | None:
        """Mean over folds; None where nothing is normal."""
        return _mean([report.normal_false_alarms for report in self.reports])

    @property
    def recall(self) -> dict[str, float | None]:
        """Of each class, mean over the folds that test it; refused wafers counted as missed."""
        names = [row.name for row in self.reports[0].classes]
        found = {name: [row.recall for r in self.reports for row in r.classes if row.name == name] for name in names}
        return {name: _mean(values) for name, values in found.items()}

    @property
    def floor(self) -> dict[str, float]:
        """Macro-F1 of each rule without eyes, mean over folds."""
        rules: dict[str, list[float]] = {}
        for report in self.reports:
            for rule in report.floor:
                rules.setdefault(rule.rule, []).append(rule.macro_f1)
        return {rule: float(np.mean(values)) for rule, values in rules.items()}


def cross_validate(
    recipe: Recipe,
    data_dir: str | Path,
    work_dir: str | Path,
    k: int = 5,
    only: Sequence[int] | None = None,
    *,
    seed: int = 0,
    progress: Observer | None = None,
    done: Callable[[int, Report], None] = lambda _fold, _report: None,
) -> CrossValidation:
    """Train and measure once for each fold; a killed fold resumes from its last epoch.

    Args:
        recipe: the same for all folds.
        data_dir: the dataset; its own split is not used.
        work_dir: gets `fold-N/data` and `fold-N/bundle`.
        k: number of folds.
        only: run these; None = all.
        seed: of the division into folds.
        progress: of each training; None = a bar on the terminal.
        done: told each fold's report as it comes.

    Raises:
        ConfigurationError: no such fold, or recipe and dataset do not fit.
    """
    folds = tuple(range(k)) if only is None else tuple(only)
    if k < 2 or not folds or not set(folds) <= set(range(k)):
        raise ConfigurationError("no such fold", expected=f"some of 0..{k - 1}, k of at least 2", got=f"{folds}, k {k}")
    reports = []
    for fold in folds:
        place = Path(work_dir) / f"fold-{fold}"
        manifest = write_fold(data_dir, place / "data", fold, k, seed)
        report = train(recipe, place / "data", place / "bundle", progress=progress).report
        done(fold, report)
        reports.append(report)
    protocol = f"{k}-fold by {manifest.grouped_by}, folds {', '.join(map(str, folds))}, division {seed}"
    return CrossValidation(protocol, folds, tuple(reports))


def write_fold(data_dir: str | Path, out: str | Path, fold: int, k: int, seed: int = 0) -> DatasetManifest:
    """The same dataset, split anew: one fold to test, a part of the other lots to validate, the rest to learn from.

    Samples of unknown classes are tested in every fold. Batches are copied one by one, so memory stays small.

    Args:
        data_dir: the dataset.
        out: of the new one; an older one there is overwritten.
        fold: 0..k-1.
        k: number of folds.
        seed: of the division.
    """
    data_dir, out = Path(data_dir), Path(out)
    manifest = read_dataset_manifest(data_dir)
    index = pq.read_table(data_dir / "samples.parquet", columns=["id", "labels", "group"])
    labels = [tuple(sample or ()) for sample in index.column("labels").to_pylist()]
    groups, identities = ([str(value) for value in index.column(name).to_pylist()] for name in ("group", "id"))
    split = _split(labels, groups, manifest, fold=fold, k=k, seed=seed)
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
        name=f"{manifest.name}-fold-{fold}-of-{k}",
        counts={part: dict(sorted(counted.items())) for part, counted in counts.items()},
        groups={part: len({g for g, s in zip(groups, split, strict=True) if s == part}) for part in SPLITS},
        fingerprint=dataset_fingerprint(zip(identities, labels, groups, split.tolist(), strict=True)),
    )
    write_dataset_manifest(out, found)
    return found


def _split(
    labels: Sequence[tuple[str, ...]], groups: Sequence[str], manifest: DatasetManifest, *, fold: int, k: int, seed: int
) -> NDArray[np.str_]:
    targets = targets_of(labels, manifest.labels.names)
    if not manifest.labels.exclusive:  # normal is no output, yet every fold needs its share of it
        targets = np.hstack([targets, (targets.sum(1, keepdims=True) == 0).astype(np.uint8)])
    known = np.flatnonzero([not set(sample) & set(manifest.unknown) for sample in labels])
    names = np.asarray(groups, dtype=np.str_)
    split = np.full(len(labels), "test", dtype="<U5")
    rest = known[folds_by_group(targets[known], list(names[known]), k, seed) != fold]
    part = assign_groups(targets[rest], list(names[rest]), (1 - _VALID, _VALID), seed)
    split[rest] = np.where(part == 0, "train", "valid")
    return split


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
