"""Explanations: they point to what the decision hangs on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.bundle import Bundle
from models.classifier import Classifier
from models.domain.errors import InputError
from models.explain import Explainer, grad_cam, saliency
from models.reference import Reference

MakeBundle = Callable[..., Bundle]


@pytest.fixture
def classifier(make_bundle: MakeBundle) -> Classifier:
    """Its class 0 is believed where the upper left is bright, whatever else there is."""
    classifier = Classifier(make_bundle(network={"widths": [4], "convolutions": 1, "embedding": 0}))
    with torch.no_grad():
        for parameter in classifier.network.parameters():
            parameter.zero_()
        classifier.network.features[0].weight[0, 0, 1, 1] = 1.0  # type: ignore[index]
        classifier.network.head.weight[0, 0] = 10.0
    return classifier


def spot(row: int, column: int) -> np.ndarray:
    pixels = np.zeros((32, 32, 2), np.uint8)
    pixels[row : row + 4, column : column + 4, 0] = 255
    return pixels


def test_attention_lies_on_what_speaks_for_the_class(classifier: Classifier) -> None:
    heat = grad_cam(classifier, spot(4, 20), 0)
    assert heat.shape == (32, 32)
    assert heat.dtype == np.float32
    assert heat.max() == pytest.approx(1)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 3 <= row <= 8
    assert 19 <= column <= 24
    assert heat[20:, :12].max() < 0.01


def test_saliency_lies_on_pixels_that_move_the_score(classifier: Classifier) -> None:
    heat = saliency(classifier, spot(4, 20), 0)
    assert heat.shape == (32, 32)
    assert heat.max() == pytest.approx(1)
    assert heat[4:8, 20:24].min() > 0.9
    # ReLU is shut where the picture is dark, so nothing there moves the score
    assert heat[20:, :12].max() == 0


def test_a_class_nothing_speaks_for_has_no_attention(classifier: Classifier) -> None:
    assert grad_cam(classifier, spot(4, 20), 1).max() == 0


@pytest.fixture
def explainer(make_bundle: MakeBundle) -> Explainer:
    """Knows four examples of two classes in two dimensions."""
    bundle = make_bundle(network={"widths": [2], "convolutions": 1, "embedding": 0})
    known = Reference(
        embeddings=np.array([[1, 0], [2, 0.2], [0, 1], [0, -3]], np.float32),
        labels=np.array([0, 0, 1, 1]),
        groups=("lot a", "lot a", "lot b", "lot c"),
        ids=("w1", "w2", "w3", "w4"),
        novelty=bundle.reference.novelty,
    )
    return Explainer(Classifier(replace(bundle, reference=known)))


def test_nearest_examples_come_first_whatever_their_length(explainer: Explainer) -> None:
    found = explainer.nearest(np.array([5, 0], np.float32), k=3)
    assert [n.sample_id for n in found] == ["w1", "w2", "w3"]
    assert [n.row for n in found] == [0, 1, 2]
    assert found[0].distance == pytest.approx(0, abs=1e-3)
    assert found[2].distance == pytest.approx(2**0.5)
    assert (found[1].label, found[1].group) == (0, "lot a")
    assert len(explainer.nearest(np.array([5, 0], np.float32), k=99)) == 4


def test_distance_to_a_class(explainer: Explainer) -> None:
    asked = np.array([0, 2], np.float32)
    assert explainer.class_distance(asked, 1, k=1) == pytest.approx(0, abs=1e-3)
    assert explainer.class_distance(asked, 1, k=5) == pytest.approx(1.0)
    assert np.isnan(explainer.class_distance(asked, 7, k=5))


def test_no_direction_is_no_error(explainer: Explainer) -> None:
    assert np.isfinite([n.distance for n in explainer.nearest(np.zeros(2, np.float32), k=2)]).all()


def test_everything_together(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    pixels = spot(2, 2)
    explanation = Explainer(classifier).explain(pixels)
    probabilities = np.sort(classifier.predict(pixels[None]).probabilities[0])
    assert explanation.label == classifier.predict(pixels[None]).probabilities.argmax()
    assert explanation.margin == pytest.approx(probabilities[-1] - probabilities[-2], abs=1e-6)
    assert len(explanation.neighbours) == len(classifier.bundle.reference.ids)
    assert explanation.saliency.shape == explanation.attention.shape == (32, 32)
    assert Explainer(classifier).explain(pixels, label=2).label == 2
    with pytest.raises(InputError, match="no such class"):
        Explainer(classifier).explain(pixels, label=3)
    with pytest.raises(InputError, match="do not fit"):
        Explainer(classifier).explain(pixels[:16])


def test_explaining_leaves_the_classifier_as_it_is(make_bundle: MakeBundle) -> None:
    classifier = Classifier(make_bundle())
    before = classifier.predict(spot(2, 2)[None]).probabilities
    Explainer(classifier).explain(spot(2, 2))
    np.testing.assert_array_equal(classifier.predict(spot(2, 2)[None]).probabilities, before)
    assert all(parameter.grad is None for parameter in classifier.network.parameters())
