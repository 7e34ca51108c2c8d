"""Augmented samples of every class, side by side with the original: does the label survive? A person must look."""

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.dataset.patches import PatchSet
from pipelines.evaluation.artefacts import picture_of
from pipelines.training.augmentation import Augmenter
from pipelines.training.defects import defects_of

_VARIANTS = 7
_CLASSES = 16


def gallery(patches: PatchSet, augmenter: Augmenter, seed: int = 0) -> Figure:
    """One row per class: the original at the left, then augmented variants.

    Args:
        patches: to choose from; the first of each class is taken after a shuffle.
        augmenter: the recipe's.
        seed: of choice and augmentation.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(patches))
    rows = []
    for k, name in list(enumerate(patches.labels.names))[:_CLASSES]:
        own = order[patches.targets[order, k] > 0]
        if len(own):
            rows.append((name, int(own[0])))
    figure = Figure(figsize=(_VARIANTS + 1.0, max(len(rows), 1) * 1.05), layout="constrained")
    axes = figure.subplots(max(len(rows), 1), _VARIANTS + 1, squeeze=False)
    generator = torch.Generator().manual_seed(seed)
    normal = _normal_rows(patches, rng)
    for (name, index), line in zip(rows, axes, strict=True):
        # Backgrounds for `mix` come from the batch, so normal patches are put beside the one that is shown.
        batch = np.concatenate([np.full(_VARIANTS, index), normal])
        pixels = torch.from_numpy(patches.pixels[batch])
        targets = torch.from_numpy(patches.targets[batch]).float()
        varied, _ = augmenter(pixels, targets, generator, defects_of(patches, batch, pixels.device))
        pictures = [patches.pixels[index], *varied[:_VARIANTS].numpy()]
        for axis, picture in zip(line, pictures, strict=True):
            shown = picture_of(picture, augmenter.kind)
            axis.imshow(shown, interpolation="nearest", cmap="inferno", vmin=0, vmax=255)
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(name, fontsize=7)
        line[0].set_title("original", fontsize=6)
    return figure


def _normal_rows(patches: PatchSet, rng: np.random.Generator) -> NDArray[np.int64]:
    normal = patches.labels.normal
    if normal is None or normal not in patches.labels.names:
        return np.empty(0, np.int64)
    rows = np.flatnonzero(patches.targets[:, patches.labels.names.index(normal)])
    return rng.choice(rows, size=min(len(rows), 4), replace=False) if len(rows) else rows
