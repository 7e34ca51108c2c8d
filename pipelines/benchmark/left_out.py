"""Leave one class out: the model never learns it, and is asked to refuse it a label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.benchmark.folds import Fold, write_fold
from pipelines.benchmark.trained import Trained
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.evaluation import evaluate
from pipelines.evaluation.report import Report
from pipelines.mlflow_store import experiment_id, mlflow_client
from pipelines.training.loop import Observer
from pipelines.training.tracking import flat

EXPERIMENT = "waferwatch-left-out"
"""Where ideas about strangers are logged, each with its prediction and its outcome."""


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
    def figures(self) -> dict[str, float]:
        """Means over the classes that were left out, and the worst AUROC; see `OpenSetReport`."""
        found = [report.open_set for report in self.reports.values() if report.open_set is not None]
        defects = [one.auroc_defects for one in found if one.auroc_defects is not None]
        return {
            "auroc": float(np.mean([one.auroc for one in found])),
            "worst_auroc": min(one.auroc for one in found),
            "auroc_defects": float(np.mean(defects)) if defects else float("nan"),
            "aupr": float(np.mean([one.aupr for one in found])),
            "fpr_at_95": float(np.mean([one.fpr_at_95 for one in found])),
            "oscr": float(np.mean([one.oscr for one in found])),
            "refused": float(np.mean([one.refused for one in found])),
            "known_refused": float(np.mean([report.refused for report in self.reports.values()])),
        }


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

    Weights, novelty score and thresholds never see the class. A killed run goes on where it stopped: finished bundles
    are measured again, not trained again.

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
        bundle = Trained(recipe, progress=progress).bundle(place / "data", place)
        reports[name] = evaluate(bundle, place / "data", "test")
        done(name, reports[name])
    return LeftOut(f"one class left out at a time ({', '.join(names)}); a fifth of the others by lot", reports)


def log_idea(found: LeftOut, recipe: Recipe, idea: str, prediction: str, tracking_uri: str) -> str:
    """Write an idea, what was predicted of it and what came out into MLflow; returns the run's id.

    Raises:
        RetryableError: MLflow does not answer.
    """
    client = mlflow_client(tracking_uri)
    run = client.create_run(
        experiment_id(client, tracking_uri, EXPERIMENT),
        run_name=idea[:100],
        tags={"idea": idea, "prediction": prediction, "protocol": found.protocol},
    )
    run_id = str(run.info.run_id)
    for name, setting in flat(recipe.model_dump(mode="json")).items():
        client.log_param(run_id, name, setting[:500])
    for name, figure in found.figures.items():
        client.log_metric(run_id, name, figure)
    for name, report in found.reports.items():
        if report.open_set is not None:
            client.log_metric(run_id, f"auroc.{name}", report.open_set.auroc)
            client.log_metric(run_id, f"fpr_at_95.{name}", report.open_set.fpr_at_95)
    client.set_terminated(run_id)
    return run_id
