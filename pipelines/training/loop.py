"""The training loop: draw, augment, step, validate, keep the best; a killed run resumes exactly.

Everything random of an epoch follows from the recipe's seed and the epoch's number, so that the state to keep is the
weights, the optimiser and a few counters, and a resumed run gives the same bits as one that was never killed.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from models.domain.errors import ConfigurationError
from models.preprocessing import Preprocessing
from models.recipe import Recipe
from models.training_recipe import TrainingRecipe
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.training import imbalance
from pipelines.training.augmentation import Augmenter
from pipelines.training.defects import defects_of
from pipelines.training.layer_groups import set_learning
from pipelines.training.losses import Loss, build_loss
from pipelines.training.schedule import momentum_at, rate_share
from pipelines.training.scoring import Score, logits_of, score
from pipelines.training.state import EpochRecord, State
from pipelines.training.strangers import with_strangers
from pipelines.training.team import ALONE, Team

_ON_DEVICE_BYTES = 8 << 30
"""Pixels up to this size are moved to the accelerator once instead of batch by batch."""
_PLATEAU_EPOCHS = 2
"""Epochs without a better figure before the plateau schedule lowers the rate."""


class Observer(Protocol):
    """Who wants to see the training go by: a progress bar, a tracker, a checkpoint."""

    def on_stage(self, name: str) -> None:
        """What is being done now, in a word or two; before and after the loop as well."""
        ...

    def on_step(self, done: int, total: int, loss: float) -> None:
        """`done` of `total` steps of the whole training are over; `loss` is the last batch's."""
        ...

    def on_epoch(self, record: EpochRecord, state: State) -> None:
        """An epoch is over; `state` may be saved, not changed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One training: what, on what, where.

    Attributes:
        recipe: how.
        kind: what the patches show.
        train: patches to learn from.
        valid: patches of other lots, to choose the epoch by.
        device: where to compute.
    """

    recipe: Recipe
    kind: DatasetKind
    train: PatchSet
    valid: PatchSet
    device: torch.device

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: a part is empty, holds unknown patches, or shares a lot with the other.
        """
        shared = np.intersect1d(self.train.groups, self.valid.groups)
        if not len(self.train) or not len(self.valid):
            raise ConfigurationError(
                "nothing to train or to validate on", got=f"{len(self.train)} and {len(self.valid)} patches"
            )
        if not (self.train.known.all() and self.valid.known.all()):
            raise ConfigurationError("unknown patches in training", remedy="leave them to the test split")
        if len(shared):
            raise ConfigurationError(
                "training and validation share groups",
                got=f"{len(shared)}, such as {shared[0]}",
                remedy="split by group: import the dataset again",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A finished training.

    Attributes:
        weights: of the best epoch, by name, on the CPU.
        curves: one record per epoch.
        best_epoch: the one the weights are from.
    """

    weights: dict[str, Tensor]
    curves: tuple[EpochRecord, ...]
    best_epoch: int


def fit(job: Job, state: State, observers: tuple[Observer, ...] = (), team: Team = ALONE) -> Fit:
    """Train from `state` on, fresh or resumed, until the recipe's epochs are over or validation stalls.

    Args:
        job: what, on what, where.
        state: the same in all members of a team.
        observers: who is told.
        team: which share of every batch is this process's.

    Raises:
        ConfigurationError: the loss is no number any more, or the recipe does not fit the patches.
    """
    recipe = job.recipe.training
    run = _Run.prepare(job, state, team)
    team.check(run.batch)
    with _determined(job.device):
        while state.epoch < run.epochs:
            if state.epoch == recipe.epochs or _stalled(recipe, state):
                if not recipe.rebalance_epochs:
                    break
                state.network.load_state_dict(state.best_weights)
                state.epoch = recipe.epochs
            record = team.agree(run.epoch(observers))
            state.close(record, record.score if recipe.choose == "macro-f1" else -record.valid_loss)
            if record.epoch - max(state.best_epoch, state.dropped_at) >= _PLATEAU_EPOCHS:
                state.drops, state.dropped_at = state.drops + 1, record.epoch
            for observer in observers:
                observer.on_epoch(record, state)
    return Fit(state.best_weights, tuple(state.curves), state.best_epoch)


def precision_of(recipe: TrainingRecipe, device: torch.device) -> torch.dtype:
    """bfloat16 where the recipe asks for it, or leaves it open and the device computes with it; else float32.

    bfloat16 has float32's range, so unlike float16 it needs no loss scaling. Weights, their updates and the loss stay
    float32.
    """
    if recipe.precision != "auto":
        return torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


@dataclass(slots=True, eq=False)
class _Run:
    """The parts of `fit` that an epoch needs."""

    job: Job
    state: State
    preprocessing: Preprocessing
    augmenter: Augmenter
    pixels: Tensor
    targets: Tensor
    dtype: torch.dtype
    team: Team

    @classmethod
    def prepare(cls, job: Job, state: State, team: Team) -> "_Run":
        recipe, device = job.recipe, job.device
        state.network.to(device).to(memory_format=torch.channels_last)
        if state.average is not None:
            state.average.to(device)
        for slot in state.optimiser.state.values():  # a checkpoint was read to the CPU
            slot |= {key: value.to(device) for key, value in slot.items() if torch.is_tensor(value) and value.ndim}
        pixels = torch.from_numpy(np.ascontiguousarray(job.train.pixels))
        return cls(
            job=job,
            state=state,
            preprocessing=Preprocessing(recipe.preprocessing, recipe.channels).to(device),
            augmenter=Augmenter(recipe.training.augmentation, job.train.labels, job.kind),
            pixels=pixels.to(device) if pixels.nbytes <= _ON_DEVICE_BYTES else pixels,
            targets=torch.from_numpy(job.train.targets).float().to(device),
            dtype=precision_of(recipe.training, device),
            team=team,
        )

    @property
    def epochs(self) -> int:
        recipe = self.job.recipe.training
        return recipe.epochs + recipe.rebalance_epochs

    @property
    def batch(self) -> int:
        recipe = self.job.recipe.training
        return min(recipe.batch, recipe.samples_per_epoch or len(self.job.train))

    @property
    def steps(self) -> int:
        """Per epoch, of whole batches: batch normalisation learns nothing from a last batch of one."""
        return (self.job.recipe.training.samples_per_epoch or len(self.job.train)) // self.batch

    def drawn(self, epoch: int) -> NDArray[np.int64]:
        """Indices of an epoch: a function of recipe, data and epoch alone."""
        recipe, train = self.job.recipe.training, self.job.train
        if epoch >= recipe.epochs:
            recipe = recipe.model_copy(update={"sampler": "class-balanced"})
        progress = min(epoch / max(recipe.epochs - 1, 1), 1.0)
        shares = imbalance.class_shares(train.strata.sum(0, dtype=np.int64), recipe, progress)
        weights = imbalance.draw_weights(train.strata, train.groups, shares, recipe.lot_power)
        return imbalance.draw(weights, self.steps * self.batch, np.random.default_rng((recipe.seed, epoch)))

    def epoch(self, observers: tuple[Observer, ...]) -> EpochRecord:
        """Train one epoch and validate."""
        recipe, device, number = self.job.recipe.training, self.job.device, self.state.epoch
        began = time.perf_counter()
        seed = (recipe.seed * 1_000_003 + number) * self.team.size + self.team.rank
        torch.manual_seed(seed)  # dropout
        generator = Generator(device).manual_seed(seed)
        drawn = self.drawn(number)
        loss = self._loss(drawn)
        set_learning(self.state.network, recipe, number)
        total, augmenting, rate = 0.0, 0.0, 0.0
        for step in range(self.steps):
            rows = self.team.share(torch.from_numpy(drawn[step * self.batch : (step + 1) * self.batch]))
            pixels = self.pixels[rows.to(self.pixels.device)].to(device)
            picked = time.perf_counter()
            defects = defects_of(self.job.train, rows.numpy(), device)
            pixels, targets = self.augmenter(pixels, self.targets[rows.to(device)], generator, defects)
            if recipe.strangers and self.job.train.labels.exclusive:
                pixels, targets = with_strangers(pixels, targets, self.job.train.labels, recipe.strangers, generator)
            augmenting += time.perf_counter() - picked
            rate = self._set_rate(number, step)
            value = self._step(pixels, targets, loss)
            if not math.isfinite(value):
                raise ConfigurationError(
                    "training diverged",
                    where=f"epoch {number}, step {step}",
                    got=f"loss {value}",
                    remedy="lower recipe.training.lr, or set clip",
                )
            total += value
            for observer in observers:
                observer.on_step(number * self.steps + step + 1, self.epochs * self.steps, value)
        self.team.share_statistics(self.state.network)
        trained = time.perf_counter() - began
        valid = self._validate()
        shown = imbalance.frequencies(self.job.train.strata, drawn)
        return EpochRecord(
            epoch=number,
            loss=total / self.steps,
            valid_loss=valid.loss,
            score=valid.macro_f1,
            rate=rate,
            seconds=time.perf_counter() - began,
            augmentation=augmenting / trained,
            drawn=dict(zip(self.job.train.stratum_names, map(float, shown), strict=True)),
        )

    def _loss(self, drawn: NDArray[np.int64]) -> Loss:
        """The recipe's loss, told what this epoch shows."""
        train = self.job.train
        counts = torch.from_numpy(train.targets[drawn].sum(0, dtype=np.int64)).to(self.job.device)
        return build_loss(self.job.recipe.training, counts, len(drawn), exclusive=train.labels.exclusive)

    def _set_rate(self, epoch: int, step: int) -> float:
        recipe = self.job.recipe.training
        if epoch < recipe.epochs:
            share = rate_share(recipe, epoch * self.steps + step, recipe.epochs * self.steps, self.state.drops)
        else:
            # The head starts from a good place: a tenth of the rate, falling along a cosine.
            done = ((epoch - recipe.epochs) * self.steps + step) / (recipe.rebalance_epochs * self.steps)
            share = 0.05 * (1 + math.cos(math.pi * done))
        momentum = momentum_at(recipe, share)
        for group in self.state.optimiser.param_groups:
            group["lr"] = recipe.lr * share * group["share"]
            if momentum is not None and "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            elif momentum is not None:
                group["momentum"] = momentum
        return recipe.lr * share

    def _step(self, pixels: Tensor, targets: Tensor, loss: Loss) -> float:
        recipe, state, device = self.job.recipe.training, self.state, self.job.device
        with torch.autocast(device.type, self.dtype, enabled=self.dtype is not torch.float32):
            logits = state.network(self.preprocessing(pixels)).logits
        value = loss(logits, targets)
        state.optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        self.team.average_gradients(state.network)
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip)
        state.optimiser.step()
        if state.average is not None:
            state.average.update(state.network)
        return float(value.detach())

    def _validate(self) -> Score:
        """Score the weights that would be released: the averaged ones, if there are any."""
        job, state = self.job, self.state
        own = None
        if state.average is not None:
            own = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
            state.network.load_state_dict(state.average.weights)
        try:
            logits = logits_of(state.network, self.preprocessing, job.valid, job.device, self.dtype)
        finally:
            if own is not None:
                state.network.load_state_dict(own)
        plain = job.recipe.training.model_copy(update={"loss": "cross-entropy", "label_smoothing": 0.0})
        counts = torch.ones(len(job.valid.labels.names))
        return score(logits, job.valid, build_loss(plain, counts, 1, exclusive=job.valid.labels.exclusive))


def _stalled(recipe: TrainingRecipe, state: State) -> bool:
    """True if the main stage has brought nothing better for as long as the recipe waits."""
    if recipe.patience is None or not 0 < state.epoch < recipe.epochs:
        return False
    return state.epoch - 1 - state.best_epoch >= recipe.patience


@contextmanager
def _determined(device: torch.device) -> Iterator[None]:
    """Equal seeds give equal weights; the caller's random state is left as it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
        yield
