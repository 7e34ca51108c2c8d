"""The classifier turned fully convolutional: one pass over a large block judges every window in it.

Patch by patch, windows a quarter of a tile apart compute every pixel sixteen times. Fully connected layers are
convolutions whose kernel is the whole map (Long, Shelhamer, Darrell, CVPR 2015; Sermanet et al., ICLR 2014), so the
same weights can slide over a block. The result equals patch-wise inference exactly, up to rounding, where each feature
depends on its receptive field alone: no padding inside, batch normalisation with fixed statistics. Networks that are
built otherwise are refused, for their windows would see beyond their edges.

Blocks overlap by a tile less one step, the halo that windows on both sides of a seam need, so no result depends on
where a block begins. Inside a block the features are computed in pieces that overlap by a receptive field only, and the
windows share them: blocks can be large, which makes the halo a small part, while the pieces fit the processor's caches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.classifier import Classifier
from models.convolutional import as_convolutions, not_dense, pixelwise, reach_of
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window, starts
from models.domain.verdict import Predictions
from models.network import Outputs
from models.recipe import ViewName
from models.views import calibrated, merge_views, see, unsee

BLOCK_PX = 2048
"""Default side of a block: a halo of 72 pixels is 4 % of it; its features take about a hundred megabytes."""
PIECE_CPU_PX, PIECE_CUDA_PX = 384, BLOCK_PX
"""Side of the pieces whose features are computed at once."""

ReadBlock = Callable[[int, int, int, int], NDArray[np.uint8]]
"""(top, left, height, width) in pixels → uint8 (height, width, C); called for one block after the other."""


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
    """A classifier that reads large pictures block by block."""

    def __init__(self, classifier: Classifier, *, step: int | None = None, block: int = BLOCK_PX) -> None:
        """Turn its fully connected layers into convolutions.

        Args:
            classifier: to turn; it stays as it is and shares its weights.
            step: pixels between neighbouring windows, a multiple of the network's own stride; None = that stride.
            block: side of a block in pixels, at least a tile.

        Raises:
            ConfigurationError: the network cannot be turned exactly, or step or block do not suit it.
        """
        recipe = classifier.manifest.recipe
        self.classifier = classifier
        self.tile = recipe.tiling.tile
        if recipe.preprocessing.radius:
            raise not_dense("preprocessing.radius", "a radius has no meaning in a block", "set radius: false")
        self.reach = reach_of(classifier.network.features)
        stride = self.reach.stride
        self.step = stride if step is None else step
        if not 0 < self.step <= self.tile or self.step % stride or block < self.tile:
            raise ConfigurationError(
                "bad grid for dense inference",
                expected=f"a step of {stride}, its double, … up to {self.tile}, a block of at least {self.tile}",
                got=f"step {self.step}, block {block}",
            )
        self.windows_per_block = (block - self.tile) // self.step + 1
        piece = PIECE_CUDA_PX if classifier.device.type == "cuda" else PIECE_CPU_PX
        self.features_per_piece = max(1, self.reach.features(piece))
        layers = as_convolutions(classifier.network.embed, self.reach.features(self.tile), self.step // stride)
        self.embed = nn.Sequential(*layers).to(classifier.device)
        self.head = pixelwise(classifier.network.head)

    def scan(self, read: ReadBlock, height: int, width: int) -> VerdictMap:
        """Judge every window of a picture; windows follow the edge rule, so every pixel is seen.

        All views of the recipe are taken everywhere: adaptive views save nothing where neighbours share their work.

        Args:
            read: gives the pixels of a block; beyond the picture it pads as it does for patches.
            height: of the picture in pixels.
            width: likewise.
        """
        rows, columns = self._runs(height), self._runs(width)
        tops, lefts = np.concatenate(rows), np.concatenate(columns)
        classes = len(self.classifier.manifest.labels.names)
        probabilities = np.empty((len(tops), len(lefts), classes), np.float32)
        novelty = np.empty((len(tops), len(lefts)), np.float32)
        row = 0
        for run_of_rows in rows:
            column = 0
            for run_of_columns in columns:
                place = (slice(row, row + len(run_of_rows)), slice(column, column + len(run_of_columns)))
                top, left = int(run_of_rows[0]), int(run_of_columns[0])
                height_px, width_px = (int(run[-1] - run[0]) + self.tile for run in (run_of_rows, run_of_columns))
                probabilities[place], novelty[place] = self._judge(
                    read(top, left, height_px, width_px), run_of_rows - top, run_of_columns - left
                )
                column += len(run_of_columns)
            row += len(run_of_rows)
        return VerdictMap(self.tile, tops, lefts, probabilities, novelty)

    def scan_array(self, pixels: NDArray[np.uint8]) -> VerdictMap:
        """Judge every window of a picture in memory, uint8 (H, W, C); one smaller than a tile is padded with zeros."""
        height, width, channels = pixels.shape

        def read(top: int, left: int, rows: int, columns: int) -> NDArray[np.uint8]:
            inside = pixels[top : top + rows, left : left + columns]
            if inside.shape[:2] == (rows, columns):
                return inside
            block = np.zeros((rows, columns, channels), np.uint8)
            block[: inside.shape[0], : inside.shape[1]] = inside
            return block

        return self.scan(read, height, width)

    def _runs(self, length: int) -> list[NDArray[np.int64]]:
        """Starts of windows, in runs that share a block.

        The last window, pulled back off the regular steps, joins the run before it if it lies on the same features.
        """
        every = np.array(starts(length, self.tile, self.tile - self.step), dtype=np.int64)
        regular = every[every % self.step == 0]
        runs = np.array_split(regular, -(-len(regular) // self.windows_per_block))
        if len(regular) == len(every):
            return runs
        if every[-1] % self.reach.stride:
            return [*runs, every[-1:]]
        return [*runs[:-1], np.append(runs[-1], every[-1])]

    @torch.inference_mode()
    def _judge(
        self, pixels: NDArray[np.uint8], tops: NDArray[np.int64], lefts: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities (R, C, K) and novelty (R, C) of windows that start at these pixels of a block."""
        classifier = self.classifier
        looking, manifest = classifier.looking, classifier.manifest
        owned = torch.from_numpy(np.require(pixels[None], requirements=["C", "W"]))
        block = owned.to(classifier.device).permute(0, 3, 1, 2)
        with classifier.precision():
            seen = [self._seen(block, view, tops, lefts) for view in looking.views]
        logits = torch.stack([output.logits for output in seen])
        embeddings = torch.stack([output.embeddings for output in seen]).mean(0)
        merged = merge_views(logits, looking.merge, exclusive=looking.exclusive)
        probabilities = calibrated(merged, manifest.temperature, exclusive=looking.exclusive)
        novelty = classifier.novelty.score(logits.mean(0), embeddings)
        return (
            probabilities.float().cpu().numpy().reshape(len(tops), len(lefts), -1),
            novelty.float().cpu().numpy().reshape(len(tops), len(lefts)),
        )

    def _seen(self, block: Tensor, view: ViewName, tops: NDArray[np.int64], lefts: NDArray[np.int64]) -> Outputs:
        """Logits (R · C, K) and embeddings (R · C, D) of windows under one view.

        A block's side less a tile is a multiple of the stride. So the features of a turned block lie, turned back, at
        the same places of every window as those of the block itself, and all views share the places computed here.
        """
        features = unsee(self._features(see(block, view)), view)
        side, stride = self.reach.features(self.tile), self.reach.stride
        rows: list[Outputs] = []
        for row in self._evenly(tops):
            parts: list[Outputs] = []
            for column in self._evenly(lefts):
                top, left = int(row[0]) // stride, int(column[0]) // stride
                bottom, right = int(row[-1]) // stride + side, int(column[-1]) // stride + side
                embeddings = self.embed(see(features[:, :, top:bottom, left:right], view))
                parts.append(Outputs(unsee(self.head(embeddings), view), unsee(embeddings, view)))
            rows.append(Outputs(*(torch.cat(maps, dim=3) for maps in zip(*parts, strict=True))))
        return Outputs(*(_as_rows(torch.cat(maps, dim=2)) for maps in zip(*rows, strict=True)))

    def _evenly(self, offsets: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Offsets in groups with regular steps: all, or all but the last."""
        regular = offsets % self.step == 0
        return [group for group in (offsets[regular], offsets[~regular]) if len(group)]

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


def _as_rows(maps: Tensor) -> Tensor:
    """(1, X, R, C) → float32 (R · C, X)."""
    return maps[0].float().flatten(1).T.contiguous()
