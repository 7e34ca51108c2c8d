"""Learning curves in plain words."""

import pytest

from models.training_recipe import TrainingRecipe
from pipelines.training.diagnosis import curves_figure, diagnose
from pipelines.training.state import EpochRecord


def curves(losses: list[float], valid: list[float], scores: list[float]) -> list[EpochRecord]:
    rows = zip(losses, valid, scores, strict=True)
    return [EpochRecord(i, a, b, c, 0.001, 1.0, 0.05, {}) for i, (a, b, c) in enumerate(rows)]


FALLING = [1, 0.6, 0.4, 0.3, 0.29, 0.29]
OVERFIT = curves([1, 0.6, 0.4, 0.2, 0.1, 0.05], [0.8, 0.6, 0.55, 0.7, 0.8, 0.9], [0.5, 0.7, 0.75, 0.74, 0.73, 0.73])
RISING = curves([1, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6], [0.4, 0.5, 0.6, 0.7])
DONE = curves(FALLING, [0.9, 0.6, 0.5, 0.4, 0.4, 0.4], [0.5, 0.7, 0.8, 0.81, 0.81, 0.81])
JUMPING = curves(FALLING, [0.9, 0.6, 0.5, 0.5, 0.5, 0.5], [0.5, 0.7, 0.8, 0.6, 0.8, 0.7])
WEAK = curves([1, 0.98, 0.97, 0.97], [1, 1, 1, 1], [0.3, 0.31, 0.31, 0.31])
SHORT = curves([1, 0.9], [1, 1], [0.3, 0.3])


@pytest.mark.parametrize(
    ("found", "learned", "word"),
    [
        (OVERFIT, 0.99, "Overfit"),
        (RISING, 0.75, "Needs more epochs"),
        (DONE, 0.85, "converged"),
        (DONE, 0.99, "Training set unrepresentative"),
        (DONE, 0.72, "Validation set unrepresentative: macro-F1 is 0.81 on it and 0.72"),
        (JUMPING, 0.85, "Validation set unrepresentative: its figure jumps"),
        (WEAK, 0.32, "Underfit"),
        (SHORT, 0.3, "Too few epochs"),
    ],
)
def test_curves_are_read(found: list[EpochRecord], learned: float, word: str) -> None:
    assert word in str(diagnose(found, TrainingRecipe(epochs=len(found)), learned))


def test_curves_can_be_drawn() -> None:
    figure = curves_figure(curves([1, 0.5], [1, 0.6], [0.3, 0.5]), "a run")
    assert [axes.get_title() for axes in figure.axes][1] == "macro-F1, validation"
