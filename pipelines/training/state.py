"""What must survive a kill besides recipe and data, and the checkpoint file that holds it.

A checkpoint is no bundle: it belongs to one run and is deleted when the run is done. It is read with
`weights_only=True`, so a stranger's file can hold tensors and numbers but no code.
"""

import math
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from models.domain.errors import ConfigurationError
from models.network import Network
from models.training_recipe import TrainingRecipe
from pipelines.training.average import MovingAverage
from pipelines.training.layer_groups import parameter_groups


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What one epoch brought.

    Attributes:
        epoch: from 0.
        loss: mean training loss, augmented and as the sampler draws.
        valid_loss: plain cross-entropy on the validation split.
        score: macro-F1 on the validation split (with the averaged weights, if there are any).
        rate: learning rate of its last step.
        seconds: of wall clock.
        augmentation: share of the training time spent augmenting.
        drawn: effective class frequencies: the share of the patches shown that had each class.
    """

    epoch: int
    loss: float
    valid_loss: float
    score: float
    rate: float
    seconds: float
    augmentation: float
    drawn: Mapping[str, float]


@dataclass(slots=True, eq=False)
class State:
    """A training in progress.

    Attributes:
        network: being trained.
        optimiser: its own state included.
        average: moving average of the weights, if the recipe wants one.
        epoch: the next one.
        best_epoch: with the best validation figure so far; -1 before the first.
        best_merit: what it was chosen by: its macro-F1, or its loss with the sign turned.
        best_weights: on the CPU.
        drops: of the learning rate so far, and when the last one was (plateau schedule).
        curves: one record per finished epoch.
    """

    network: Network
    optimiser: torch.optim.Optimizer
    average: MovingAverage | None
    epoch: int = 0
    best_epoch: int = -1
    best_merit: float = -math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    drops: int = 0
    dropped_at: int = -1
    curves: list[EpochRecord] = field(default_factory=list)

    def close(self, record: EpochRecord, merit: float) -> None:
        """Take in a finished epoch; keep its weights if their merit is the highest."""
        if merit > self.best_merit:
            source = self.average.weights if self.average else self.network.state_dict()
            # .cpu() of a CPU tensor is the tensor itself, which the next step would change.
            self.best_weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in source.items()}
            self.best_merit, self.best_epoch = merit, record.epoch
        self.curves.append(record)
        self.epoch = record.epoch + 1


def new_state(recipe: TrainingRecipe, network: Network) -> State:
    """The state before the first step."""
    average = None if recipe.ema is None else MovingAverage(network, recipe.ema)
    return State(network, _optimiser(recipe, network), average)


def _optimiser(recipe: TrainingRecipe, network: Network) -> torch.optim.Optimizer:
    groups = parameter_groups(network, recipe)
    match recipe.optimiser:
        case "adamw":
            return torch.optim.AdamW(groups, lr=recipe.lr)
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)


def save_checkpoint(path: Path, state: State, identity: str) -> None:
    """Write the state so that a kill at any moment leaves the old or the new file, never half of one.

    Args:
        path: of the file.
        state: after a finished epoch.
        identity: of recipe and data; resuming anything else is refused.
    """
    content = {
        "identity": identity,
        "network": state.network.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "average": None if state.average is None else state.average.weights,
        "average_steps": 0 if state.average is None else state.average.steps,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_merit": state.best_merit,
        "best_weights": state.best_weights,
        "drops": state.drops,
        "dropped_at": state.dropped_at,
        "curves": [asdict(record) for record in state.curves],
    }
    unfinished = path.with_name(path.name + ".part")
    torch.save(content, unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path, state: State, identity: str) -> None:
    """Continue where a killed run stopped; changes `state`.

    Raises:
        ConfigurationError: the file is damaged or of another recipe or dataset.
    """
    remedy = "delete it to train from the start"
    if not zipfile.is_zipfile(path):  # torch would try to read anything else as a bare pickle
        raise ConfigurationError("cannot read checkpoint", where=str(path), got="not a checkpoint", remedy=remedy)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigurationError(
            "cannot read checkpoint", where=str(path), got=str(error)[:200], remedy=remedy
        ) from error
    if content.get("identity") != identity:
        raise ConfigurationError(
            "checkpoint of another run",
            where=str(path),
            expected="the same recipe and dataset",
            remedy="choose another output folder, or delete the checkpoint to train from the start",
        )
    state.network.load_state_dict(content["network"])
    state.optimiser.load_state_dict(content["optimiser"])
    if state.average is not None:
        state.average.weights, state.average.steps = content["average"], content["average_steps"]
    for name in ("epoch", "best_epoch", "best_merit", "best_weights", "drops", "dropped_at"):
        setattr(state, name, content[name])
    state.curves = [EpochRecord(**record) for record in content["curves"]]


@dataclass(frozen=True, slots=True)
class Checkpointer:
    """Saves the state after every epoch; an observer of the loop."""

    path: Path
    identity: str

    def on_stage(self, name: str) -> None:
        """Nothing to save."""

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Between epochs only: then the state is small and whole."""

    def on_epoch(self, record: EpochRecord, state: State) -> None:  # noqa: ARG002 - the Protocol's signature
        """Save."""
        save_checkpoint(self.path, state, self.identity)
