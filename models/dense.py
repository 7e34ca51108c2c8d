"""The classifier turned fully convolutional: one pass over a large block judges every window in it.

Patch by patch, windows a quarter of a tile apart compute every pixel sixteen times. Fully connected layers are
convolutions whose kernel is the whole map (Long, Shelhamer, Darrell, CVPR 2015; Sermanet et al., ICLR 2014), so the
same weights can slide over a block. The result equals patch-wise inference exactly, up to rounding, where each feature
depends on its receptive field alone: no padding inside, batch normalisation with fixed statistics. Networks that are
built otherwise are refused, for their windows would see beyond their edges.

Inside a block (`models.domain.blocks`) the features are computed in pieces that overlap by a receptive field only, and
the windows share them: blocks can be large, which makes their halo a small part, while the pieces fit the processor's
caches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.classifier import Classifier
from models.convolutional import Reach, as_convolutions, not_dense, pixelwise, reach_of
from models.domain.blocks import BLOCK_PX, blocks
from models.domain.capture import Capture
from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Level, Window, pyramid, starts
from models.domain.verdict import Predictions
from models.network import Network, Outputs, build_network
from models.open_set import Seen
from models.recipe import Recipe, ViewName
from models.views import calibrated, merge_views, see, unsee

PIECE_CPU_PX, PIECE_CUDA_PX = 384, BLOCK_PX
"""Side of the pieces whose features are computed at once."""

ReadBlock = Callable[[Window], NDArray[np.uint8]]
"""Pixels of a block, uint8 (height, width, C); called for one block after the other."""


@dataclass(frozen=True, slots=True, eq=False)
class VerdictMap:
    """What the network believes of windows on a grid.

    Attributes:
        tile: side of each window in pixels.
        tops: int64 (R,), first rows of the windows; the last is pulled back inside.
        lefts: int64 (C,), first columns.
        probabilities: float32 (R, C, K), calibrated.
        novelty: float32 (R, C), higher is stranger.
    """

    tile: int
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    novelty: NDArray[np.float32]

    def windows(self, level: Level) -> Iterator[Window]:
        """The windows, row by row."""
        for top in self.tops.tolist():
            for left in self.lefts.tolist():
                yield Window(level, top, left, self.tile, self.tile)

    def predictions(self) -> Predictions:
        """The predictions in the order of `windows`, with empty embeddings."""
        count = self.novelty.size
        return Predictions(
            probabilities=self.probabilities.reshape(count, -1),
            embeddings=np.empty((count, 0), np.float32),
            novelty=self.novelty.reshape(count),
        )


class DenseClassifier:
    """A classifier that judges all windows of a block in one pass."""

    def __init__(self, classifier: Classifier, *, step: int | None = None) -> None:
        """Turn its fully connected layers into convolutions.

        Args:
            classifier: to turn; it stays as it is and shares its weights.
            step: pixels between neighbouring windows, a multiple of the network's own stride; None = as the recipe
                says, or that stride where it says nothing.

        Raises:
            ConfigurationError: the network cannot be turned exactly, or the step does not suit it.
        """
        recipe = classifier.manifest.recipe
        self.classifier = classifier
        self.tile = recipe.tiling.tile
        self.reach = reach_for(recipe, classifier.network)
        self.step = step or recipe.tiling.dense or self.reach.stride
        _check_step(self.step, self.reach, self.tile)
        piece = PIECE_CUDA_PX if classifier.device.type == "cuda" else PIECE_CPU_PX
        self.features_per_piece = max(1, self.reach.features(piece))
        layers = as_convolutions(
            classifier.network.embed, self.reach.features(self.tile), self.step // self.reach.stride
        )
        self.embed = nn.Sequential(*layers).to(classifier.device)
        self.head = pixelwise(classifier.network.head)

    def scan_capture(self, capture: Capture, read: ReadBlock) -> VerdictMap:
        """Judge every window of an image at its own resolution; see `scan`."""
        return self.scan(read, pyramid(capture, self.tile)[-1])

    def scan(self, read: ReadBlock, level: Level, *, largest: int = BLOCK_PX) -> VerdictMap:
        """Judge every window of a level; windows follow the edge rule, so every pixel is seen.

        Args:
            read: gives the pixels of a block; beyond the picture it pads as it does for patches.
            level: to cover.
            largest: side of a block, at least a tile.
        """
        tops, lefts = (
            np.array(starts(length, self.tile, self.tile - self.step)) for length in (level.height, level.width)
        )
        classes = len(self.classifier.manifest.labels.names)
        probabilities = np.empty((len(tops), len(lefts), classes), np.float32)
        novelty = np.empty((len(tops), len(lefts)), np.float32)
        for block in blocks(level, self.tile, self.step, largest):
            judged = self.predict(read(block.window))
            place = np.ix_(np.searchsorted(tops, block.tops), np.searchsorted(lefts, block.lefts))
            shape = len(block.tops), len(block.lefts)
            probabilities[place] = judged.probabilities.reshape(*shape, classes)
            novelty[place] = judged.novelty.reshape(shape)
        return VerdictMap(self.tile, tops, lefts, probabilities, novelty)

    def scan_array(self, pixels: NDArray[np.uint8], *, largest: int = BLOCK_PX) -> VerdictMap:
        """Judge every window of a picture in memory, uint8 (H, W, C); one smaller than a tile is padded with zeros."""
        height, width, channels = pixels.shape

        def read(window: Window) -> NDArray[np.uint8]:
            inside = pixels[window.top : window.bottom, window.left : window.right]
            if inside.shape[:2] == (window.height, window.width):
                return inside
            block = np.zeros((window.height, window.width, channels), np.uint8)
            block[: inside.shape[0], : inside.shape[1]] = inside
            return block

        return self.scan(read, Level(0, height, width), largest=largest)

    @torch.inference_mode()
    def predict(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Judge all windows of a block.

        All views of the recipe are taken everywhere: adaptive views save nothing where neighbours share their work.

        Args:
            pixels: uint8 (H, W, C); both sides are a tile and a whole number of steps long, as `blocks` makes them.

        Returns:
            Of each window, row by row, `step` pixels apart: calibrated probabilities and novelty; embeddings are left
            out, for a frame has more of them than it has pixels.

        Raises:
            InputError: another shape or dtype.
        """
        classifier, channels = self.classifier, self.classifier.manifest.recipe.channels
        height, width = pixels.shape[:2]
        odd = min(height, width) < self.tile or (height - self.tile) % self.step or (width - self.tile) % self.step
        if pixels.dtype != np.uint8 or pixels.shape[2:] != (channels,) or odd:
            raise InputError(
                "block does not fit the bundle",
                where=classifier.manifest.ref.name,
                expected=f"uint8, sides of {self.tile} + n x {self.step} pixels, {channels} channels",
                got=f"{pixels.dtype} {pixels.shape}",
            )
        looking, manifest = classifier.looking, classifier.manifest
        owned = torch.from_numpy(np.require(pixels[None], requirements=["C", "W"]))
        block = owned.to(classifier.device).permute(0, 3, 1, 2)
        with classifier.precision():
            seen = [self._seen(block, view) for view in looking.views]
        logits = torch.stack([output.logits for output in seen])
        embeddings = torch.stack([output.embeddings for output in seen]).mean(0)
        merged = merge_views(logits, looking.merge, exclusive=looking.exclusive)
        probabilities = calibrated(merged, manifest.temperature, exclusive=looking.exclusive)
        novelty = classifier.novelty.score(Seen(logits.mean(0), embeddings))
        return Predictions(
            probabilities=probabilities.float().cpu().numpy(),
            embeddings=np.empty((len(novelty), 0), np.float32),
            novelty=novelty.float().cpu().numpy(),
        )

    def _seen(self, block: Tensor, view: ViewName) -> Outputs:
        """Logits (N, K) and embeddings (N, D) of all windows under one view.

        A block's side less a tile is a multiple of the stride. So the features of a turned block lie, turned back, at
        the same places of every window as those of the block itself, and all views share the places computed here.
        """
        embeddings = self.embed(self._features(see(block, view)))
        return Outputs(*(_as_rows(unsee(maps, view)) for maps in (self.head(embeddings), embeddings)))

    def _features(self, block: Tensor) -> Tensor:
        """The feature map of a block, uint8 (1, C, H, W), put together from pieces."""
        reach, network = self.reach, self.classifier.network.features
        height, width = (reach.features(length) for length in block.shape[2:])
        whole: Tensor | None = None
        for row in self._pieces(height):
            for column in self._pieces(width):
                pixels = block[:, :, reach.pixels_of(row), reach.pixels_of(column)]
                piece = network(self.classifier.preprocessing(pixels.permute(0, 2, 3, 1)))
                if whole is None:
                    whole = piece.new_empty(1, height, width, piece.shape[1]).permute(0, 3, 1, 2)
                whole[:, :, row, column] = piece
        assert whole is not None
        return whole

    def _pieces(self, count: int) -> list[slice]:
        """Places of each piece along one side of the feature map."""
        most = self.features_per_piece
        return [slice(first, min(first + most, count)) for first in range(0, count, most)]


def reach_for(recipe: Recipe, network: Network) -> Reach:
    """What a feature of the recipe's network depends on.

    Raises:
        ConfigurationError: the network would see beyond a window's edges.
    """
    if recipe.preprocessing.radius:
        raise not_dense("preprocessing.radius", "a radius has no meaning in a block", "set radius: false")
    if "traits" in recipe.open_set.scores:
        raise not_dense("open_set.scores", "traits are of whole wafers", "take scores of logits or embeddings")
    return reach_of(network.features)


def require_dense(recipe: Recipe) -> None:
    """Check that a recipe that asks for dense inference can have it, before anything is trained.

    Raises:
        ConfigurationError: its network would see beyond a window's edges, or its step does not suit the network.
    """
    if recipe.tiling.dense is not None:
        with torch.device("meta"):
            network = build_network(recipe, classes=2)
        reach = reach_for(recipe, network)
        _check_step(recipe.tiling.dense, reach, recipe.tiling.tile)
        tuple(as_convolutions(network.embed, reach.features(recipe.tiling.tile), recipe.tiling.dense // reach.stride))


def _check_step(step: int, reach: Reach, tile: int) -> None:
    if not 0 < step <= tile or step % reach.stride:
        raise ConfigurationError(
            "bad grid for dense inference",
            where="recipe.tiling.dense",
            expected=f"a step of {reach.stride}, its double, … up to {tile}",
            got=f"step {step}",
        )


def _as_rows(maps: Tensor) -> Tensor:
    """(1, X, R, C) → float32 (R · C, X)."""
    return maps[0].float().flatten(1).T.contiguous()
