"""Promises of a bundle are measured on lots that were not trained on."""

import numpy as np
import pytest
import torch

from models.bundle import load_bundle
from models.classifier import Classifier
from models.views import calibrated
from pipelines.dataset.loading import load_patches
from pipelines.training.calibration import PICTURE_SIDE, fit_temperature, pictures_of, sureness
from pipelines.training.train import Trained


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_right_temperature_is_found(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    honest = (torch.randn(4000, 4, generator=generator) * 2).softmax(1)
    drawn = torch.multinomial(honest, 1, generator=generator)[:, 0]
    stated = (honest.log() * temperature).softmax(1)  # too sure by that factor
    assert fit_temperature(stated, torch.eye(4)[drawn], exclusive=True) == pytest.approx(temperature, rel=0.1)


def test_the_right_temperature_of_independent_labels_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = (torch.randn(4000, 3, generator=generator) * 2).sigmoid()
    drawn = torch.bernoulli(honest, generator=generator)
    stated = calibrated(honest, 0.5, exclusive=False)
    assert fit_temperature(stated, drawn, exclusive=False) == pytest.approx(2, rel=0.1)


def test_sureness_is_what_decide_compares() -> None:
    p = np.array([[0.9, 0.2], [0.55, 0.1]], np.float32)
    assert sureness(p, exclusive=True) == pytest.approx([0.9, 0.55])
    assert sureness(p, exclusive=False) == pytest.approx([0.8, 0.55])


def test_the_promised_share_is_refused_on_the_lots_the_threshold_is_from(trained: Trained) -> None:
    bundle = load_bundle(trained.directory)
    novelty, limit = bundle.reference.calibration.novelty, bundle.manifest.thresholds.novelty
    assert (novelty > limit).mean() <= bundle.manifest.recipe.open_set.budget
    assert np.isfinite(limit)


def test_calibration_saw_what_serving_will_see(trained: Trained, dataset: object) -> None:
    """The stored calibration must be what the finished classifier says of the same patches."""
    bundle = load_bundle(trained.directory)
    valid = load_patches(str(dataset), tile=16, channels=2, splits=("valid",))
    served = Classifier(bundle, "cpu").predict(valid.pixels)
    stored = bundle.reference.calibration
    key = {
        (round(float(c), 4), round(float(n), 3))
        for c, n in zip(served.probabilities.max(1), served.novelty, strict=True)
    }
    found = {(round(float(c), 4), round(float(n), 3)) for c, n in zip(stored.confidence, stored.novelty, strict=True)}
    assert len(found & key) > 0.9 * len(found)


def test_reference_examples_are_training_patches_of_every_class(trained: Trained, dataset: object) -> None:
    reference = load_bundle(trained.directory).reference
    train = load_patches(str(dataset), tile=16, channels=2, splits=("train",))
    assert set(reference.ids) <= set(train.ids.tolist())
    assert set(reference.labels.tolist()) == {0, 1, 2}
    assert reference.pictures is not None
    row = train.ids.tolist().index(reference.ids[0])
    np.testing.assert_array_equal(reference.pictures[0], train.pixels[row])  # a tile of 16 needs not be made smaller


def test_pictures_are_the_patches_made_small() -> None:
    pixels = np.zeros((3, 64, 64, 2), np.uint8)
    pixels[1, :32] = 200
    small = pictures_of(pixels)
    assert small.shape == (3, PICTURE_SIDE, PICTURE_SIDE, 2)
    assert small[1, : PICTURE_SIDE // 2].min() == 200
    assert small[[0, 2]].max() == small[1, PICTURE_SIDE // 2 :].max() == 0
