"""Losses against their formulas and against torch's own."""

import math

import pytest
import torch
from torch.nn import functional

from models.training_recipe import TrainingRecipe
from pipelines.training.losses import build_loss, effective_number_weights, log_prior

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-2.0, 1.0, 0.0]])
ONE_HOT = torch.eye(3)[[0, 2, 1]]
FLAGS = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0]])
COUNTS = torch.tensor([900, 90, 10])


def recipe(**settings: object) -> TrainingRecipe:
    return TrainingRecipe.model_validate(settings)


def test_cross_entropy_is_torchs() -> None:
    for smoothing in (0.0, 0.1):
        loss = build_loss(recipe(label_smoothing=smoothing), COUNTS, 1000, exclusive=True)
        expected = functional.cross_entropy(LOGITS, torch.tensor([0, 2, 1]), label_smoothing=smoothing)
        assert loss(LOGITS, ONE_HOT) == pytest.approx(float(expected), rel=1e-6)


def test_several_labels_are_questions_of_their_own() -> None:
    loss = build_loss(recipe(), COUNTS, 1000, exclusive=False)
    expected = functional.binary_cross_entropy_with_logits(LOGITS, FLAGS, reduction="sum") / 3
    assert loss(LOGITS, FLAGS) == pytest.approx(float(expected), rel=1e-6)


def test_focal_with_gamma_0_is_cross_entropy_and_with_2_forgets_the_sure() -> None:
    plain = build_loss(recipe(), COUNTS, 1000, exclusive=True)
    flat = build_loss(recipe(loss="focal", loss_strength=0), COUNTS, 1000, exclusive=True)
    focal = build_loss(recipe(loss="focal", loss_strength=2), COUNTS, 1000, exclusive=True)
    assert flat(LOGITS, ONE_HOT) == plain(LOGITS, ONE_HOT)
    p = float(LOGITS.softmax(1)[0, 0])
    assert focal(LOGITS[:1], ONE_HOT[:1]) == pytest.approx(-((1 - p) ** 2) * math.log(p), rel=1e-5)


def test_balanced_softmax_adds_the_drawn_prior_while_training() -> None:
    loss = build_loss(recipe(loss="balanced-softmax"), COUNTS, 1000, exclusive=True)
    adjusted = LOGITS + torch.tensor([0.9, 0.09, 0.01]).log()
    assert loss(LOGITS, ONE_HOT) == pytest.approx(float(functional.cross_entropy(adjusted, torch.tensor([0, 2, 1]))))
    even = build_loss(recipe(loss="balanced-softmax"), torch.tensor([5, 5, 5]), 15, exclusive=True)
    plain = build_loss(recipe(), COUNTS, 1000, exclusive=True)
    assert even(LOGITS, ONE_HOT) == pytest.approx(float(plain(LOGITS, ONE_HOT)), rel=1e-6)


def test_logit_adjustment_scales_with_its_strength() -> None:
    offset = build_loss(recipe(loss="logit-adjustment", loss_strength=0.5), COUNTS, 1000, exclusive=True).offset
    assert torch.allclose(offset, 0.5 * torch.tensor([0.9, 0.09, 0.01]).log())


def test_prior_of_several_labels_is_the_odds_of_presence() -> None:
    assert torch.allclose(
        log_prior(torch.tensor([500.0, 100.0]), 1000, exclusive=False), torch.tensor([0.0, -2.1972]), atol=1e-3
    )


@pytest.mark.parametrize(("beta", "ratio"), [(0.0, 1.0), (1.0, 90.0)])
def test_class_balanced_weights_reach_from_even_to_inverse_counts(beta: float, ratio: float) -> None:
    weights = effective_number_weights(COUNTS.float(), beta)
    assert float(weights.mean()) == pytest.approx(1)
    assert float(weights[2] / weights[0]) == pytest.approx(ratio, rel=0.01)


def test_gradients_reach_the_logits_in_every_loss() -> None:
    for name in ("cross-entropy", "focal", "balanced-softmax", "logit-adjustment", "class-balanced"):
        for exclusive, targets in ((True, ONE_HOT), (False, FLAGS)):
            logits = LOGITS.clone().requires_grad_()
            build_loss(recipe(loss=name, loss_strength=0.9), COUNTS, 1000, exclusive=exclusive)(
                logits, targets
            ).backward()
            assert logits.grad is not None
            assert torch.isfinite(logits.grad).all()
            assert logits.grad.abs().sum() > 0
