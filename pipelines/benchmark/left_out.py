"""Leave one class out: the model never learns it, and is asked to refuse it a label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.benchmark.folds import Fold, write_fold
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.evaluation.report import Report
from pipelines.training.loop import Observer
from pipelines.training.train import train


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How strangers fared, class by class.

    Attributes:
        protocol: in words.
        reports: of each class that was left out; `open_set` is of that class alone.
    """

    protocol: str
    reports: dict[str, Report]

    @property
    def auroc(self) -> tuple[float, float]:
        """Mean and worst over the classes."""
        found = [report.open_set.auroc for report in self.reports.values() if report.open_set is not None]
        return float(np.mean(found)), float(np.min(found))


def leave_one_out(
    recipe: Recipe,
    data_dir: str | Path,
    work_dir: str | Path,
    classes: Sequence[str] | None = None,
    *,
    seed: int = 0,
    progress: Observer | None = None,
    done: Callable[[str, Report], None] = lambda _name, _report: None,
) -> LeftOut:
    """Train once for each class without it; all of its patches, and a fifth of the others by lot, are tested.

    Args:
        recipe: the same for all.
        data_dir: the dataset.
        work_dir: gets a folder for each class.
        classes: leave these out, one after the other; None = every class but the normal one.
        seed: of the division.
        progress: of each training; None = a bar on the terminal.
        done: told each report as it comes.

    Raises:
        ConfigurationError: no such class, or recipe and dataset do not fit.
    """
    labels = read_dataset_manifest(data_dir).labels
    names = tuple(classes) if classes else tuple(name for name in labels.names if name != labels.normal)
    if not labels.exclusive:
        raise ConfigurationError("no class can be left out", where=str(data_dir), expected="one label per patch")
    reports = {}
    for name in names:
        place = Path(work_dir) / f"without-{name}"
        write_fold(data_dir, place / "data", Fold(0, 5, seed, unknown=(name,)))
        reports[name] = train(recipe, place / "data", place / "bundle", progress=progress).report
        done(name, reports[name])
    return LeftOut(f"one class left out at a time ({', '.join(names)}); a fifth of the others by lot", reports)
