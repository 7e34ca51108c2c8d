"""What the learning curves say, in plain words, for whoever has to decide what to try next."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from models.training_recipe import TrainingRecipe
from pipelines.training.state import EpochRecord

_FLAT = 0.005
"""Macro-F1 per epoch below which a curve counts as flat: less than what changes between seeds."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding and what to do about it."""

    finding: str
    advice: str

    def __str__(self) -> str:
        """One sentence each."""
        return f"{self.finding} {self.advice}"


def diagnose(curves: Sequence[EpochRecord], recipe: TrainingRecipe, reached: float) -> Diagnosis:
    """Read the curves.

    Args:
        curves: one record per epoch.
        recipe: for the number of epochs.
        reached: macro-F1 of the best epoch, to tell a weak model from a finished one.
    """
    if len(curves) < 3:
        return Diagnosis("Too few epochs to read the curves.", "Train at least three.")
    scores = [record.score for record in curves]
    best = max(range(len(scores)), key=scores.__getitem__)
    last = scores[-1] - scores[max(len(scores) - 3, 0)]
    lowest = min(record.valid_loss for record in curves)
    risen = curves[-1].valid_loss / max(lowest, 1e-12) - 1
    falling = curves[-1].loss < curves[best].loss
    if risen > 0.15 and best < len(curves) - 2 and falling:
        return Diagnosis(
            f"Overfit: after epoch {best} the training loss falls while the validation loss has risen by {risen:.0%}.",
            "More augmentation, weight decay or dropout, fewer epochs, or more lots.",
        )
    swing = _swing(scores)
    if swing > 0.05:
        return Diagnosis(
            f"The validation figure jumps by {swing:.2f} from epoch to epoch.",
            "Some class has too few validation lots to judge by: use more of them, or an average of weights.",
        )
    if last / 2 > _FLAT and len(curves) >= recipe.epochs:
        return Diagnosis("Still rising when training ended.", "More epochs will help.")
    if reached < 0.6 and curves[-1].loss > 0.5 * curves[0].loss:
        return Diagnosis(
            "Underfit: neither training nor validation got good.", "A larger network, a higher rate, or cleaner labels."
        )
    return Diagnosis("Training had converged.", "Only more or better data, or another network, will move it further.")


def _swing(scores: Sequence[float]) -> float:
    """Largest drop between neighbouring epochs of the second half."""
    late = scores[len(scores) // 2 :]
    return max((a - b for a, b in itertools.pairwise(late)), default=0.0)


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
