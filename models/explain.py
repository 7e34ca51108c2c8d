"""Why a verdict is what it is: where the network looked, how clear it was, which known examples are nearest."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import Classifier
from models.domain.errors import InputError
from models.reference import Reference


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A known example.

    Attributes:
        sample_id: with which the dataset finds its picture.
        label: class index; -1 where labels are not exclusive.
        group: lot or flight it is from.
        distance: between the embeddings scaled to length one, 0..2.
    """

    sample_id: str
    label: int
    group: str
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why one patch was judged as it was.

    Attributes:
        label: index of the class explained.
        saliency: float32 (H, W), 0..1, how much each pixel moves the class's score.
        attention: float32 (H, W), 0..1, Grad-CAM: the region that speaks for the class.
        neighbours: nearest known examples, nearest first.
        margin: lead of the likeliest class over the second, 0..1.
        class_distance: mean distance to the nearest examples of the class explained; NaN if there is none.
    """

    label: int
    saliency: NDArray[np.float32]
    attention: NDArray[np.float32]
    neighbours: tuple[Neighbour, ...]
    margin: float
    class_distance: float


def explain(classifier: Classifier, pixels: NDArray[np.uint8], label: int | None = None) -> Explanation:
    """Explain the judgement of one patch.

    Args:
        classifier: that judged it.
        pixels: uint8 (H, W, C).
        label: index of the class to explain; None = the likeliest.

    Raises:
        InputError: pixels do not fit the bundle, or there is no such class.
    """
    prediction = next(iter(classifier.predict(pixels[None])))
    names = classifier.manifest.labels.names
    chosen = int(prediction.probabilities.argmax()) if label is None else label
    if not 0 <= chosen < len(names):
        raise InputError("no such class", expected=f"0 <= label < {len(names)}", got=str(chosen))
    reference, k = classifier.bundle.reference, classifier.manifest.recipe.open_set.neighbours
    ordered = np.sort(prediction.probabilities)[::-1]
    return Explanation(
        label=chosen,
        saliency=saliency(classifier, pixels, chosen),
        attention=grad_cam(classifier, pixels, chosen),
        neighbours=nearest(reference, prediction.embedding, k),
        margin=float(ordered[0] - ordered[1]) if len(ordered) > 1 else 1.0,
        class_distance=class_distance(reference, prediction.embedding, chosen, k),
    )


def saliency(classifier: Classifier, pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Size of the gradient of the class's logit at each pixel, largest over channels (Simonyan et al., ICLR 2014).

    Returns:
        float32 (H, W), 0..1.
    """
    inputs = _inputs(classifier, pixels).requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(classifier.network(inputs).logits[0, label], inputs)
    channels = classifier.manifest.recipe.channels  # without the radius, which is no property of the picture
    return _scaled(gradient[0, :channels].abs().amax(0))


def grad_cam(classifier: Classifier, pixels: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """Maps of the last features weighted by what they do for the class (Grad-CAM, Selvaraju et al., ICCV 2017).

    Returns:
        float32 (H, W), 0..1, interpolated from the size of the feature map.
    """
    network = classifier.network
    with torch.enable_grad():
        features = network.features(_inputs(classifier, pixels)).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(network.head(network.embed(features.clone()))[0, label], features)
    weighted = (gradient.mean((2, 3), keepdim=True) * features.detach()).sum(1, keepdim=True).relu()
    return _scaled(
        torch.nn.functional.interpolate(weighted, size=pixels.shape[:2], mode="bilinear", align_corners=False)[0, 0]
    )


def nearest(reference: Reference, embedding: NDArray[np.float32], k: int) -> tuple[Neighbour, ...]:
    """The k known examples nearest in the latent space, by exact search.

    Exact search over 10^6 examples of 128 numbers takes about a tenth of a second; a reference is far smaller.

    Args:
        reference: of the bundle.
        embedding: float32 (D,).
        k: how many; all if there are fewer.
    """
    distances = _distances(reference, embedding)
    rows = np.argsort(distances, kind="stable")[:k]
    return tuple(
        Neighbour(reference.ids[row], int(reference.labels[row]), reference.groups[row], float(distances[row]))
        for row in rows
    )


def class_distance(reference: Reference, embedding: NDArray[np.float32], label: int, k: int) -> float:
    """Mean distance to the k nearest examples of one class; NaN if the reference has none."""
    of_class = np.sort(_distances(reference, embedding)[reference.labels == label])[:k]
    return float(of_class.mean()) if len(of_class) else float("nan")


def _distances(reference: Reference, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    known = reference.embeddings / np.maximum(np.linalg.norm(reference.embeddings, axis=1, keepdims=True), 1e-12)
    asked = embedding / max(float(np.linalg.norm(embedding)), 1e-12)
    distances: NDArray[np.float32] = np.sqrt(np.maximum(2 - 2 * (known @ asked), 0)).astype(np.float32)
    return distances


def _inputs(classifier: Classifier, pixels: NDArray[np.uint8]) -> Tensor:
    tensor = torch.from_numpy(np.array(pixels[None])).to(classifier.device)
    normalised: Tensor = classifier.preprocessing(tensor)
    return normalised.detach()


def _scaled(values: Tensor) -> NDArray[np.float32]:
    largest = values.max().clamp_min(torch.finfo(torch.float32).tiny)
    scaled: NDArray[np.float32] = (values / largest).float().cpu().numpy()
    return scaled
