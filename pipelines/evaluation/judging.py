"""Every patch goes the way it goes in service: `Classifier.predict`, then `decide`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.classifier import Classifier
from models.decision import decide
from models.domain.tiling import Level, Window
from models.domain.verdict import Predictions

_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the model said of N patches.

    Attributes:
        stated: uint8 (N, K), 1 where the class was stated; a row of zeros is a normal or a refused patch.
        refused: (N,), True where no label was stated.
        forced: uint8 (N, K), what would have been stated had nothing been refused.
        confidence: (N,), probability of the likeliest class.
        predictions: probabilities, embeddings and novelty.
    """

    stated: NDArray[np.uint8]
    refused: NDArray[np.bool_]
    forced: NDArray[np.uint8]
    confidence: NDArray[np.float64]
    predictions: Predictions


def judge(
    classifier: Classifier,
    pixels: NDArray[np.uint8],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Judged:
    """Judge all patches.

    Args:
        classifier: a bundle, ready.
        pixels: of the patches, uint8 (N, H, W, C), with the bundle's tile and channels.
        progress: told how many of how many are done.
    """
    parts = []
    for begin in range(0, len(pixels), _AT_ONCE):
        parts.append(classifier.predict(pixels[begin : begin + _AT_ONCE]))
        progress(min(begin + _AT_ONCE, len(pixels)), len(pixels))
    predictions = Predictions.joined(parts)
    labels, thresholds = classifier.manifest.labels, classifier.manifest.thresholds
    place = {name: k for k, name in enumerate(labels.names)}
    tile = pixels.shape[1]
    window = Window(Level(0, tile, tile), 0, 0, tile, tile)
    stated = np.zeros((len(pixels), len(place)), np.uint8)
    refused = np.zeros(len(pixels), bool)
    for row, prediction in enumerate(predictions):
        verdict = decide(window, prediction, labels, thresholds)
        refused[row] = verdict.is_unknown
        for name in (verdict.label, *verdict.also):
            if name in place:
                stated[row, place[name]] = 1
    probabilities = predictions.probabilities.astype(np.float64)
    if labels.exclusive:
        forced = np.eye(len(place), dtype=np.uint8)[probabilities.argmax(1)]
    else:
        forced = (probabilities >= 0.5).astype(np.uint8)
    return Judged(stated, refused, forced, probabilities.max(1), predictions)


@torch.inference_mode()
def embeddings_of(classifier: Classifier, patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Embeddings of one plain view of uint8 patches (N, H, W, C), each of length 1: float32 (N, D)."""
    parts = []
    for begin in range(0, len(patches), _AT_ONCE):
        pixels = torch.from_numpy(np.ascontiguousarray(patches[begin : begin + _AT_ONCE])).to(classifier.device)
        found = classifier.network(classifier.preprocessing(pixels)).embeddings
        parts.append(functional.normalize(found.float(), dim=1).cpu().numpy())
    return np.concatenate(parts)
