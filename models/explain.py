"""Why a verdict is what it is: where the network looked, how clear it was, which known examples are nearest."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import Classifier
from models.domain.errors import InputError
from models.nearest import Vectors, distances, unit


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A known example.

    Attributes:
        row: its place in the bundle's reference, which may hold its picture.
        sample_id: with which the dataset finds it.
        label: class index; -1 where labels are not exclusive.
        group: lot or flight it is from.
        distance: between the embeddings scaled to length one, 0..2.
    """

    row: int
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


class Explainer:
    """Explains what one classifier judges; its reference is made ready for searching once."""

    def __init__(self, classifier: Classifier) -> None:
        """Use the classifier's own bundle."""
        self.classifier = classifier
        self._known = Vectors(classifier.bundle.reference.embeddings)

    def explain(self, pixels: NDArray[np.uint8], label: int | None = None) -> Explanation:
        """Explain the judgement of one patch.

        Args:
            pixels: uint8 (H, W, C).
            label: index of the class to explain; None = the likeliest.

        Raises:
            InputError: pixels do not fit the bundle, or there is no such class.
        """
        classifier = self.classifier
        prediction = next(iter(classifier.predict(pixels[None])))
        names = classifier.manifest.labels.names
        chosen = int(prediction.probabilities.argmax()) if label is None else label
        if not 0 <= chosen < len(names):
            raise InputError("no such class", expected=f"0 <= label < {len(names)}", got=str(chosen))
        k = classifier.manifest.recipe.open_set.neighbours
        ordered = np.sort(prediction.probabilities)[::-1]
        return Explanation(
            label=chosen,
            saliency=saliency(classifier, pixels, chosen),
            attention=grad_cam(classifier, pixels, chosen),
            neighbours=self.nearest(prediction.embedding, k),
            margin=float(ordered[0] - ordered[1]) if len(ordered) > 1 else 1.0,
            class_distance=self.class_distance(prediction.embedding, chosen, k),
        )

    def nearest(self, embedding: NDArray[np.float32], k: int) -> tuple[Neighbour, ...]:
        """The k known examples nearest in the latent space, nearest first; all if there are fewer."""
        reference = self.classifier.bundle.reference
        return tuple(
            Neighbour(int(row), reference.ids[row], int(reference.labels[row]), reference.groups[row], float(distance))
            for row, distance in zip(*self._known.nearest(embedding, k), strict=True)
        )

    def class_distance(self, embedding: NDArray[np.float32], label: int, k: int) -> float:
        """Mean distance to the k nearest examples of one class; NaN if the reference has none."""
        own = self._known.unit[self.classifier.bundle.reference.labels == label]
        nearest = np.sort(distances(own, unit(embedding[None])[0]))[:k]
        return float(nearest.mean()) if len(nearest) else float("nan")


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


def _inputs(classifier: Classifier, pixels: NDArray[np.uint8]) -> Tensor:
    tensor = torch.from_numpy(np.array(pixels[None])).to(classifier.device)
    normalised: Tensor = classifier.preprocessing(tensor)
    return normalised.detach()


def _scaled(values: Tensor) -> NDArray[np.float32]:
    largest = values.max().clamp_min(torch.finfo(torch.float32).tiny)
    scaled: NDArray[np.float32] = (values / largest).float().cpu().numpy()
    return scaled
