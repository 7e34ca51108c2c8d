"""The classifier turned fully convolutional: one pass over a large block judges every window in it.

Patch by patch, windows a quarter of a tile apart compute every pixel sixteen times. Fully connected layers are
convolutions whose kernel is the whole map (Long, Shelhamer, Darrell, CVPR 2015; Sermanet et al., ICLR 2014), so the
same weights can slide over a block. The result equals patch-wise inference exactly, up to rounding, where each feature
depends on its receptive field alone: no padding inside, batch normalisation with fixed statistics. Networks that are
built otherwise are refused, for their windows would see beyond their edges.

Blocks overlap by a tile less one step, the halo that windows on both sides of a seam need, so no result depends on
where a block begins.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.classifier import Classifier
from models.convolutional import as_convolutions, map_side, not_dense, pixelwise, total_stride
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window, starts
from models.domain.verdict import Predictions
from models.network import Outputs
from models.views import calibrated, merge_views, see, unsee

BLOCK_PX = 768
"""Default side of a block: large enough that the halo is a small part, small enough for caches and any GPU."""

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
        self.stride = total_stride(classifier.network.features)
        self.step = self.stride if step is None else step
        if not 0 < self.step <= self.tile or self.step % self.stride or block < self.tile:
            raise ConfigurationError(
                "bad grid for dense inference",
                expected=f"a step of {self.stride}, its double, … up to {self.tile}, a block of at least {self.tile}",
                got=f"step {self.step}, block {block}",
            )
        self.windows_per_block = (block - self.tile) // self.step + 1
        side = map_side(classifier.network.features, self.tile)
        layers = as_convolutions(classifier.network.embed, side, self.step // self.stride)
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
                probabilities[place], novelty[place] = self._judge(
                    read(
                        int(run_of_rows[0]),
                        int(run_of_columns[0]),
                        int(run_of_rows[-1] - run_of_rows[0]) + self.tile,
                        int(run_of_columns[-1] - run_of_columns[0]) + self.tile,
                    )
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
        """Starts of windows, in runs that share a block; the last one, pulled back off the grid, stands alone."""
        every = np.array(starts(length, self.tile, self.tile - self.step), dtype=np.int64)
        regular = every[every % self.step == 0]
        runs = [regular[i : i + self.windows_per_block] for i in range(0, len(regular), self.windows_per_block)]
        return runs if len(regular) == len(every) else [*runs, every[-1:]]

    @torch.inference_mode()
    def _judge(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities (R, C, K) and novelty (R, C) of all windows of a block."""
        classifier = self.classifier
        looking, manifest = classifier.looking, classifier.manifest
        owned = torch.from_numpy(np.require(pixels[None], requirements=["C", "W"]))
        inputs = classifier.preprocessing(owned.to(classifier.device))
        with classifier.precision():
            outputs = [self._maps(see(inputs, view)) for view in looking.views]
        maps = [
            Outputs(unsee(output.logits, view), unsee(output.embeddings, view))
            for output, view in zip(outputs, looking.views, strict=True)
        ]
        rows, columns = maps[0].logits.shape[2:]
        logits = torch.stack([_as_rows(output.logits) for output in maps])
        embeddings = torch.stack([_as_rows(output.embeddings) for output in maps]).mean(0)
        merged = merge_views(logits, looking.merge, exclusive=looking.exclusive)
        probabilities = calibrated(merged, manifest.temperature, exclusive=looking.exclusive)
        novelty = classifier.novelty.score(logits.mean(0), embeddings)
        return (
            probabilities.float().cpu().numpy().reshape(rows, columns, -1),
            novelty.float().cpu().numpy().reshape(rows, columns),
        )

    def _maps(self, inputs: Tensor) -> Outputs:
        embeddings = self.embed(self.classifier.network.features(inputs))
        return Outputs(self.head(embeddings), embeddings)


def _as_rows(maps: Tensor) -> Tensor:
    """(1, X, R, C) → float32 (R · C, X)."""
    return maps[0].float().flatten(1).T.contiguous()
