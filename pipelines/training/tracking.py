"""A training's run in MLflow: parameters, curves, figures and files. Nothing else of the trainer knows MLflow."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from models.domain.errors import RetryableError
from models.recipe import Recipe
from pipelines.dataset.manifest import DatasetManifest
from pipelines.mlflow_store import experiment_id, mlflow_client
from pipelines.registered import track_inputs
from pipelines.training.state import EpochRecord, State

EXPERIMENT = "waferwatch"
_PARAMETER_CHARACTERS = 6000
"""MLflow's own limit on a parameter's length."""

logger = logging.getLogger(__name__)


class Tracker:
    """One run in MLflow; an observer of the loop.

    MLflow dying in the middle must not cost a training: what fails after the start is logged and remembered, and
    `finish` says so once the bundle is safe.
    """

    def __init__(self, tracking_uri: str, recipe: Recipe, dataset: DatasetManifest) -> None:
        """Start a run.

        Raises:
            RetryableError: MLflow does not answer; nothing has been trained yet.
        """
        self.uri = tracking_uri
        self.client = mlflow_client(tracking_uri)
        run = self.client.create_run(
            experiment_id(self.client, tracking_uri, EXPERIMENT),
            run_name=recipe.name,
            tags={
                "data.name": dataset.name,
                "data.fingerprint": dataset.fingerprint,
                "data.source": dataset.source,
                "data.grouped_by": dataset.grouped_by,
            },
        )
        self.run_id = str(run.info.run_id)
        self.trouble: Exception | None = None
        self._try(
            partial(track_inputs, data_name=dataset.name, fingerprint=dataset.fingerprint, source=dataset.source),
            self.client,
            self.run_id,
            recipe,
        )
        for name, value in flat(recipe.model_dump(mode="json")).items():
            self._try(self.client.log_param, self.run_id, name, value[:_PARAMETER_CHARACTERS])

    def on_stage(self, name: str) -> None:
        """Note what is being done."""
        self._try(self.client.set_tag, self.run_id, "stage", name)

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Steps are too many to log."""

    def on_epoch(self, record: EpochRecord, state: State) -> None:  # noqa: ARG002 - the Protocol's signature
        """Log a point of each curve."""
        self.figures(
            {
                "train.loss": record.loss,
                "valid.loss": record.valid_loss,
                "valid.macro_f1": record.score,
                "rate": record.rate,
                "seconds": record.seconds,
                "augmentation_share": record.augmentation,
                **{f"drawn.{name}": share for name, share in record.drawn.items()},
            },
            step=record.epoch,
        )

    def figures(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers; characters MLflow does not take in a name become underscores."""
        for name, value in values.items():
            self._try(self.client.log_metric, self.run_id, _name(name), value, step=step)

    def picture(self, figure: Figure, name: str) -> None:
        """Log a picture."""
        self._try(self.client.log_figure, self.run_id, figure, name)

    def files(self, directory: Path, under: str) -> None:
        """Log all files of a folder."""
        self._try(self.client.log_artifacts, self.run_id, str(directory), under)

    def finish(self, *, failed: bool = False) -> None:
        """Close the run.

        Raises:
            RetryableError: something could not be logged on the way.
        """
        self._try(self.client.set_terminated, self.run_id, "FAILED" if failed else "FINISHED")
        if self.trouble is not None and not failed:
            raise RetryableError(
                "the bundle is saved, but MLflow lost part of its run",
                where=self.uri,
                got=str(self.trouble).splitlines()[0][:200],
            ) from self.trouble

    def _try(self, action: Any, *arguments: Any, **options: Any) -> None:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        if self.trouble is not None:
            return
        try:
            action(*arguments, **options)
        except (MlflowException, OSError) as error:
            logger.warning("MLflow failed; the training goes on without it: %s", error)
            self.trouble = error


def flat(content: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested settings as one level of dotted names, values as text."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = str(value)
    return found


def _name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in text)
