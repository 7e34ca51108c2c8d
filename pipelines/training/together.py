"""One training on several processes, machines or GPUs: Ray Train starts the members, our own loop runs in each.

The first member leaves the same checkpoint as a training alone would, so whoever started them goes on as if it resumed
a finished one, and a team that was killed resumes with any number of members. Dataset and output folder must be at the
same path on all machines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray.train import RunConfig, ScalingConfig, get_context, report
from ray.train.torch import TorchTrainer, get_device

from models.domain.errors import RetryableError
from models.recipe import Recipe
from pipelines.ray_cluster import ray_cluster
from pipelines.training.beginning import job_of, state_of
from pipelines.training.loop import Observer, fit
from pipelines.training.ready_weights import load_ready_weights
from pipelines.training.state import Checkpointer, EpochRecord, State, load_checkpoint
from pipelines.training.team import Team


@dataclass(frozen=True, slots=True)
class Plan:
    """What every member is told.

    Attributes:
        recipe: how.
        data_dir: the dataset.
        checkpoint: where the first member saves the state, and all begin if it is there.
        identity: of the run; a checkpoint of another one is refused.
        start: bundle or file with weights to start from.
    """

    recipe: Recipe
    data_dir: Path
    checkpoint: Path
    identity: str
    start: Path | None = None


def fit_together(plan: Plan, workers: int) -> None:
    """Train with several workers, each on a GPU where the cluster has any; the finished state is in the checkpoint.

    Uses the cluster that RAY_ADDRESS names, else a Ray of its own on this machine.

    Raises:
        RetryableError: a worker died or the cluster has no room; called again it resumes.
    """
    try:
        with ray_cluster(workers) as has_gpus:
            trainer = TorchTrainer(
                _member,
                train_loop_config={"plan": plan},
                scaling_config=ScalingConfig(num_workers=workers, use_gpu=has_gpus),
                run_config=RunConfig(name="ray", storage_path=str(plan.checkpoint.parent.absolute())),
            )
            trainer.fit()
    except Exception as error:
        raise RetryableError(
            "training together failed",
            where=f"{workers} workers",
            got=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
            remedy="call it again: it resumes from the last epoch; Ray's logs say more",
        ) from error


def _member(config: dict[str, Any]) -> None:
    """What each worker does."""
    plan: Plan = config["plan"]
    context = get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    job = job_of(plan.recipe, plan.data_dir, get_device())
    ready = None if plan.start is None else load_ready_weights(plan.start)
    state = state_of(plan.recipe, job.train.labels, ready)
    if plan.checkpoint.exists():
        load_checkpoint(plan.checkpoint, state, plan.identity)
    observers: Sequence[Observer] = (_Reporter(),)
    if team.rank == 0:
        observers = (Checkpointer(plan.checkpoint, plan.identity), *observers)
    if job.device.type == "cpu":
        torch.set_num_threads(1)  # the members share the machine's cores
    fit(job, state, tuple(observers), team)


@dataclass(frozen=True, slots=True)
class _Reporter:
    """Tells Ray of each epoch, as it wants to hear from every member."""

    def on_stage(self, name: str) -> None:
        """Nothing to tell."""

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Nothing to tell."""

    def on_epoch(self, record: EpochRecord, state: State) -> None:  # noqa: ARG002 - the Protocol's signature
        """Report."""
        report({"epoch": record.epoch, "loss": record.loss, "valid_macro_f1": record.score})
