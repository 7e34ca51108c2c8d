"""Search for hyper-parameters: many short trainings, judged on validation lots, the hopeless ones ended early.

Optuna proposes (tree-structured Parzen estimator, Bergstra et al., NeurIPS 2011) and prunes what stays below the median
of the others. The study is a SQLite file, so a killed search goes on where it stopped. The test split is never read:
the best recipe is only a proposal until `train` has measured it.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
import yaml
from optuna.trial import FrozenTrial, Trial, TrialState

from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.training.beginning import job_of, state_of
from pipelines.training.loop import Job, Observer, fit
from pipelines.training.search_space import Space
from pipelines.training.state import EpochRecord, State
from pipelines.training.tracking import Tracker

BEST = "best.yaml"
_STUDY = "recipe"


@dataclass(frozen=True, slots=True)
class Tried:
    """One training of the search.

    Attributes:
        number: from 0.
        outcome: 'complete', 'pruned' (ended early, it was below the median) or 'fail' (the recipe cannot be trained).
        score: best macro-F1 on the validation lots so far; None if it failed before the first epoch.
        values: dotted name of a recipe's key -> what was tried.
    """

    number: int
    outcome: str
    score: float | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found.

    Attributes:
        best: the recipe with the best values.
        score: its macro-F1 on the validation lots; it was chosen by that, so it flatters.
        tried: all trainings, the best first.
    """

    best: Recipe
    score: float
    tried: tuple[Tried, ...]


def search(
    recipe: Recipe,
    space: Space,
    data_dir: str | Path,
    out_dir: str | Path,
    trials: int,
    *,
    tracking_uri: str | None = None,
    observers: Sequence[Observer] = (),
    device: torch.device | None = None,
) -> Searched:
    """Train `trials` times in all, those of an earlier call with the same folder included.

    Args:
        recipe: what is not searched for; its seed is the search's, too.
        space: what is tried.
        data_dir: the dataset; its test split is not read.
        out_dir: gets the study and the best recipe.
        trials: trainings in all.
        tracking_uri: of MLflow, a run for each training; None = no tracking.
        observers: told how each training goes.
        device: where to compute; None = CUDA if there is one.

    Raises:
        ConfigurationError: the space does not fit the recipe, the folder holds a search of another one, or no training
            came to an end.
        RetryableError: MLflow does not answer.
    """
    data_dir, out_dir = Path(data_dir), Path(out_dir)
    dataset = read_dataset_manifest(data_dir)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    space.check(recipe)
    study = _study(out_dir, recipe, space, dataset.fingerprint)
    jobs: dict[tuple[int, int], Job] = {}

    def objective(trial: Trial) -> float:
        chosen = space.suggest(trial, recipe)
        drawn = (chosen.tiling.tile, chosen.channels)
        if drawn not in jobs:
            jobs[drawn] = job_of(chosen, data_dir, device)
        job = Job(chosen, dataset.kind, jobs[drawn].train, jobs[drawn].valid, device)
        tracker = Tracker(tracking_uri, chosen, dataset) if tracking_uri else None
        watching: tuple[Observer, ...] = (*observers, *(() if tracker is None else (tracker,)), _Pruner(trial))
        ended = False
        try:
            found = fit(job, state_of(chosen, job.train.labels), watching)
            ended = True
        finally:
            if tracker is not None:
                tracker.finish(failed=not ended)
        return max(record.score for record in found.curves)

    left = trials - sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    study.optimize(objective, n_trials=max(left, 0), catch=(ConfigurationError,))
    return _result(study, recipe, space, out_dir)


def _study(out_dir: Path, recipe: Recipe, space: Space, fingerprint: str) -> optuna.Study:
    """The study of this folder, begun or continued."""
    optuna.logging.set_verbosity(logging.WARNING)
    out_dir.mkdir(parents=True, exist_ok=True)
    identity = json.dumps([recipe.model_dump(mode="json"), space.model_dump(mode="json"), fingerprint])
    study = optuna.create_study(
        storage=f"sqlite:///{out_dir / 'study.db'}",
        study_name=_STUDY,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    if study.user_attrs.setdefault("of", identity) != identity:
        raise ConfigurationError(
            "folder of another search",
            where=str(out_dir),
            expected="the same recipe, space and dataset",
            remedy="choose another folder, or delete it",
        )
    study.set_user_attr("of", identity)
    begun = study.get_trials(deepcopy=False)
    for trial in begun:
        if trial.state is TrialState.RUNNING:  # by a process that was killed
            study.tell(trial.number, state=TrialState.FAIL)
    # A sampler that started anew with the same seed would propose the first values again.
    study.sampler = optuna.samplers.TPESampler(seed=recipe.training.seed + len(begun))
    return study


def _result(study: optuna.Study, recipe: Recipe, space: Space, out_dir: Path) -> Searched:
    finished = [trial for trial in study.get_trials() if trial.state.is_finished()]
    if not any(trial.state is TrialState.COMPLETE for trial in finished):
        raise ConfigurationError(
            "no training came to an end",
            where=str(out_dir),
            got=f"{len(finished)} that failed or were pruned",
            remedy="narrow the space, or see what the recipe's own values do with `waferwatch train`",
        )
    best = space.applied(study.best_params, recipe)
    (out_dir / BEST).write_text(yaml.safe_dump(best.model_dump(mode="json", exclude_defaults=True), sort_keys=False))
    tried = tuple(
        Tried(trial.number, trial.state.name.lower(), _score(trial), space.values(trial.params)) for trial in finished
    )
    ranked = sorted(tried, key=lambda one: (one.outcome != "complete", -(one.score or 0.0)))
    return Searched(best, study.best_value, tuple(ranked))


def _score(trial: FrozenTrial) -> float | None:
    return trial.value if trial.value is not None else max(trial.intermediate_values.values(), default=None)


@dataclass(frozen=True, slots=True)
class _Pruner:
    """Ends a training that is below the median of the others at the same epoch; an observer of the loop."""

    trial: Trial

    def on_stage(self, name: str) -> None:
        """Nothing to decide."""

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Between epochs only: a loss of one batch says little."""

    def on_epoch(self, record: EpochRecord, state: State) -> None:
        """Report the figure, and end the training if the study says so."""
        self.trial.report(max(one.score for one in state.curves), record.epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned
