"""What the learning curves say, in plain words, for whoever has to decide what to try next."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from models.open_set import some_of_each
from models.preprocessing import Preprocessing
from models.training_recipe import TrainingRecipe
from pipelines.evaluation import metrics
from pipelines.training.loop import Job
from pipelines.training.scoring import logits_of
from pipelines.training.state import EpochRecord

_FLAT = 0.005
"""Macro-F1 per epoch below which a curve counts as flat: less than what changes between seeds."""

_PER_CLASS = 300
"""Training patches of each class that tell how well it was learned."""
_WEAK = 0.7
"""Macro-F1 on training patches below which they were not even learned."""
_GAP = 0.15
"""Distance of training from validation macro-F1 beyond which other lots count as another world."""
_EASIER = 0.05
"""By how much validation may be better than training before it is suspicious."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding and what to do about it."""

    finding: str
    advice: str

    def __str__(self) -> str:
        """One sentence each."""
        return f"{self.finding} {self.advice}"


def diagnose(curves: Sequence[EpochRecord], recipe: TrainingRecipe, learned: float) -> Diagnosis:
    """Read the curves.

    Args:
        curves: one record per epoch.
        recipe: for the number of epochs.
        learned: macro-F1 on training patches as they are, with the weights of the best epoch. The training loss cannot
            stand for it: it is of augmented patches, drawn with the rare ones more often.
    """
    if len(curves) < 3:
        return Diagnosis("Too few epochs to read the curves.", "Train at least three.")
    scores = [record.score for record in curves]
    best = max(range(len(scores)), key=scores.__getitem__)
    reached, last = scores[best], scores[-1] - scores[max(len(scores) - 3, 0)]
    lowest = min(record.valid_loss for record in curves)
    risen = curves[-1].valid_loss / max(lowest, 1e-12) - 1
    falling = curves[-1].loss < curves[best].loss
    swing = _swing(scores)
    findings = (
        (
            risen > 0.15 and best < len(curves) - 2 and falling,
            f"Overfit: after epoch {best} the training loss falls while the validation loss has risen by {risen:.0%}.",
            "More augmentation, weight decay or dropout, fewer epochs, or more lots.",
        ),
        (
            swing > 0.05,
            f"Validation set unrepresentative: its figure jumps by {swing:.2f} from epoch to epoch.",
            "Some class has too few validation lots to judge by: use more of them, or an average of weights.",
        ),
        (
            reached > learned + _EASIER,
            f"Validation set unrepresentative: macro-F1 is {reached:.2f} on it and {learned:.2f} on training patches.",
            "It is easier than the training set, so its figure flatters: split anew, with more lots to validate on.",
        ),
        (
            last / 2 > _FLAT and len(curves) >= recipe.epochs,
            "Needs more epochs: the validation figure was still rising when training ended.",
            "More epochs will help.",
        ),
        (
            learned < _WEAK,
            f"Underfit: macro-F1 is {learned:.2f} even on training patches.",
            "A larger network, a higher rate, or cleaner labels.",
        ),
        (
            learned > reached + _GAP,
            f"Training set unrepresentative: macro-F1 is {learned:.2f} on it and {reached:.2f} on other lots, and more "
            "epochs neither mend nor worsen that.",
            "What was learned does not carry over: more lots and products, above all of the rare classes.",
        ),
    )
    for applies, finding, advice in findings:
        if applies:
            return Diagnosis(finding, advice)
    return Diagnosis("Training had converged.", "Only more or better data, or another network, will move it further.")


def _swing(scores: Sequence[float]) -> float:
    """Largest drop between neighbouring epochs of the second half."""
    late = scores[len(scores) // 2 :]
    return max((a - b for a, b in itertools.pairwise(late)), default=0.0)


def learned_macro_f1(job: Job, network: nn.Module) -> float:
    """Macro-F1 on some training patches as they are, mixed like the validation split so that the two compare.

    Args:
        job: the training.
        network: with its final weights, on the job's device.
    """
    train = job.train.only(some_of_each(torch.from_numpy(job.train.strata.argmax(1)), _PER_CLASS, 0).numpy())
    preprocessing = Preprocessing(job.recipe.preprocessing, job.recipe.channels).to(job.device)
    logits = logits_of(network, preprocessing, train, job.device, torch.float32)
    if not train.labels.exclusive:
        return metrics.mean_of(metrics.per_class_of_flags(train.targets, (logits > 0).numpy().astype(np.uint8)).f1)
    matrix = metrics.confusion(train.index, logits.argmax(1).numpy(), len(train.labels.names))
    mixed = matrix * (job.valid.counts / np.maximum(matrix.sum(1), 1))[:, None]
    return metrics.macro_f1(np.rint(1000 * mixed).astype(np.int64))


def curves_figure(curves: Sequence[EpochRecord], title: str) -> Figure:
    """Losses, macro-F1 and learning rate over the epochs."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    figure.suptitle(title, fontsize=9)
    loss, score, rate = figure.subplots(1, 3)
    epochs = [record.epoch + 1 for record in curves]
    loss.plot(epochs, [record.loss for record in curves], label="training (augmented, as drawn)")
    loss.plot(epochs, [record.valid_loss for record in curves], label="validation (other lots)")
    loss.set_title("loss", fontsize=9)
    loss.legend(fontsize=7)
    score.plot(epochs, [record.score for record in curves], marker="o", markersize=3)
    score.set_title("macro-F1, validation", fontsize=9)
    rate.plot(epochs, [record.rate for record in curves])
    rate.set_title("learning rate at the epoch's end", fontsize=9)
    for axes in (loss, score, rate):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.set_xlim(1, max(2, math.ceil(epochs[-1])) if epochs else 2)
    return figure
