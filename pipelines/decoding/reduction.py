"""Averages of square blocks of pixels, fed piece by piece: a coarse level of an image that is never whole in memory."""

import numpy as np
from numpy.typing import NDArray


class Reduction:
    """One rectangle of an image at a coarser scale.

    A pixel of the coarse level is the mean of the pixels of its block that show something; blocks at the right and
    lower border may be smaller.
    """

    def __init__(self, bands: int, area: tuple[int, int, int, int], scale: int) -> None:
        """Start with nothing.

        Args:
            bands: colours.
            area: top, left, bottom, right in pixels of the image; top and left are multiples of `scale`.
            scale: rows and columns per block.
        """
        top, left, bottom, right = area
        self._top, self._left, self._scale = top // scale, left // scale, scale
        shape = (-(-bottom // scale) - self._top, -(-right // scale) - self._left)
        self._sums = np.zeros((bands, *shape), np.uint64)
        self._valid = np.zeros(shape, np.uint64)
        self._seen = np.zeros(shape, np.uint64)

    def add(self, pixels: NDArray[np.uint8], valid: NDArray[np.bool_] | None, top: int, left: int) -> None:
        """Add a piece.

        Args:
            pixels: (bands, height, width).
            valid: (height, width), where they show something; None = everywhere.
            top: place of the piece in the image.
            left: likewise.
        """
        height, width = pixels.shape[1:]
        rows, columns = _cuts(top, height, self._scale), _cuts(left, width, self._scale)
        row, column = top // self._scale - self._top, left // self._scale - self._left
        place = np.s_[row : row + len(rows), column : column + len(columns)]
        if valid is not None:
            pixels = np.where(valid, pixels, 0)
        self._sums[:, *place] += _sums(pixels, rows, columns)
        tall, wide = np.diff(np.append(rows, height)), np.diff(np.append(columns, width))
        area = np.multiply.outer(tall, wide).astype(np.uint64)
        self._seen[place] += area
        self._valid[place] += area if valid is None else _sums(valid[None].view(np.uint8), rows, columns)[0]

    def result(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Mean pixels (bands, rows, columns), and the share of each block that shows something (rows, columns)."""
        count = np.maximum(self._valid, 1)
        pixels = ((self._sums + count // 2) // count).astype(np.uint8)
        share = self._valid / np.maximum(self._seen, 1)
        return pixels, share.astype(np.float32)


def _cuts(begin: int, length: int, scale: int) -> NDArray[np.int64]:
    """Where new blocks begin within a piece that starts at `begin`; the first always at 0."""
    return np.concatenate([np.zeros(1, np.int64), np.arange(scale - begin % scale, length, scale, dtype=np.int64)])


def _sums(pixels: NDArray[np.uint8], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint64]:
    # Rows first: that sum runs along memory; 2^16 rows of bytes fit 32 bits.
    down = np.add.reduceat(pixels, rows, axis=1, dtype=np.uint32)
    across: NDArray[np.uint64] = np.add.reduceat(down, columns, axis=2, dtype=np.uint64)
    return across
