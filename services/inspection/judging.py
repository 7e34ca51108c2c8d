"""What the network believes of each window of a capture: patch by patch, or many windows of a block in one pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.domain.blocks import Block, blocks
from models.domain.capture import CaptureKind
from models.domain.errors import InputError
from models.domain.patch import Patch
from models.domain.scenes import Patches, together
from models.domain.tiling import Level, Window, chosen_levels, windows
from models.domain.verdict import Prediction, Predictions
from models.manifest import BundleManifest
from models.recipe import Recipe
from pipelines.ingestion import CaptureReader, read_windows

BATCH = 256
BATCH_BYTES = 64 << 20
"""Patches handed to the classifier at once: enough to fill a device, small enough for every machine's memory."""


class PatchClassifier(Protocol):
    """Whatever predicts with one bundle: the model itself, a replica far away, a fake."""

    @property
    def manifest(self) -> BundleManifest:
        """Of the bundle that predicts."""

    def classify(self, patches: Patches, /) -> Predictions:
        """Predictions of patches, in their order.

        Raises:
            RetryableError: it is down or overloaded.
        """

    def classify_block(self, pixels: NDArray[np.uint8], /) -> Predictions:
        """Predictions of all windows of a block, uint8 (H, W, C), row by row, a dense step apart.

        Raises:
            RetryableError: it is down or overloaded.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A window and what the network believes of it; None where nobody inspected it, and so nobody was asked.

    Attributes:
        window: where.
        prediction: the belief.
        patch: of a window that was read by itself; None for one of a block.
    """

    window: Window
    prediction: Prediction | None
    patch: Patch | None = None


def see(reader: CaptureReader, classifier: PatchClassifier, skip: int = 0) -> Iterator[list[Seen]]:
    """All windows of a capture, level by level, a batch of patches (also of several levels) or a block at a time.

    Args:
        reader: the capture, open.
        classifier: predicts; its bundle's recipe says how the capture is cut.
        skip: first windows that are left out; an earlier try has judged them.
    """
    tiling = classifier.manifest.recipe.domain_tiling
    for densely, levels in groupby(chosen_levels(reader.capture, tiling), tiling.reads_densely):
        if densely and tiling.dense is not None:
            planned = [block for level in levels for block in blocks(level, tiling.tile, tiling.dense)]
            count = sum(map(len, planned))
            batches = _by_block(reader, planned, classifier, min(skip, count))
        else:
            several = list(levels)
            count = sum(1 for level in several for _ in windows(level, tiling))
            places = chain.from_iterable(windows(level, tiling) for level in several)
            batches = _by_patch(reader, islice(places, min(skip, count), None), classifier)
        skip = max(0, skip - count)
        yield from batches


def see_whole(reader: CaptureReader, classifier: PatchClassifier) -> Seen | None:
    """The window that shows the whole capture; None if the recipe asks for none, or nobody inspected it."""
    tiling = classifier.manifest.recipe.domain_tiling
    whole: Iterator[Level] = (one for one in chosen_levels(reader.capture, tiling) if one.index == 0)
    places = chain.from_iterable(windows(level, tiling) for level in islice(whole, 1))
    found = next(_by_patch(reader, places, classifier), [])
    return next((one for one in found if one.prediction is not None), None)


def see_again(reader: CaptureReader, places: Sequence[Window], classifier: PatchClassifier) -> Iterator[Seen]:
    """Windows of a block by themselves: with their pixels, and the embeddings that a pass over a block leaves out."""
    return chain.from_iterable(_by_patch(reader, iter(places), classifier))


def _by_patch(reader: CaptureReader, places: Iterator[Window], classifier: PatchClassifier) -> Iterator[list[Seen]]:
    recipe = classifier.manifest.recipe
    size = max(1, min(BATCH, BATCH_BYTES // (recipe.tiling.tile**2 * recipe.channels)))
    patches = read_windows(reader, places)
    while batch := list(islice(patches, size)):
        for patch in batch:
            _check_channels(patch, recipe)
        asked = [patch for patch in batch if patch.inspected > 0]
        told = iter(classifier.classify(together(asked)) if asked else ())
        yield [Seen(one.window, next(told) if one.inspected > 0 else None, one) for one in batch]


def _by_block(
    reader: CaptureReader, planned: list[Block], classifier: PatchClassifier, skip: int
) -> Iterator[list[Seen]]:
    recipe = classifier.manifest.recipe
    while planned and skip >= len(planned[0]):
        skip -= len(planned.pop(0))
    patches = read_windows(reader, (block.window for block in planned))
    for block, patch in zip(planned, patches, strict=True):
        _check_channels(patch, recipe)
        inspected = _inspected(patch, block, recipe)
        told = classifier.classify_block(patch.pixels) if inspected.any() else ()
        believed = iter(told) if len(told) else iter([None] * len(block))
        seen = [
            Seen(window, prediction if looked_at else None)
            for window, prediction, looked_at in zip(block.windows(), believed, inspected, strict=True)
        ]
        yield seen[skip:]
        skip = 0


def _inspected(patch: Patch, block: Block, recipe: Recipe) -> NDArray[np.bool_]:
    """(N,), which windows of a block show something that was inspected.

    Of a wafer, channel 1 says so. What an image does not show is read as zeros: a window of a block that is not shown
    whole counts as inspected if one of its pixels is anything else.
    """
    if patch.inspected >= 1:
        return np.ones(len(block), np.bool_)
    is_wafer = recipe.kind is CaptureKind.WAFER
    shown = patch.pixels[..., 1] > 0 if is_wafer else patch.pixels.any(axis=2)
    sums = np.pad(shown.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    top, left = (np.array(line) - line[0] for line in (block.tops, block.lefts))
    bottom, right = top + block.tile, left + block.tile
    inside = (
        sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)] + sums[np.ix_(top, left)]
    )
    counted: NDArray[np.bool_] = (inside > 0).ravel()
    return counted


def _check_channels(patch: Patch, recipe: Recipe) -> None:
    if patch.channels != recipe.channels:
        raise InputError(
            "capture does not fit the bundle",
            where=recipe.name,
            expected=f"{recipe.channels} channels",
            got=f"{patch.channels}",
            remedy="route such files to a bundle that was trained on them",
            code="wrong-bundle",
        )
