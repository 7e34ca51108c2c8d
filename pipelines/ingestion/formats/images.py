"""Images: PNG, JPEG, TIFF, BigTIFF, GeoTIFF, read by window with bounded memory, decoded in a child process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Capture, CaptureKind, Georeference, capture_id
from models.domain.errors import InputError
from models.domain.patch import Patch
from models.domain.tiling import Level, Window
from pipelines.ingestion.captures import ReadWarning
from pipelines.ingestion.formats.image_headers import ImageHeader, read_headers
from pipelines.ingestion.isolation import decode
from pipelines.ingestion.limits import MIB, Limits
from pipelines.ingestion.sniffing import Format
from pipelines.ingestion.sources import SourceFile

_DRIVERS = {Format.PNG: "PNG", Format.JPEG: "JPEG", Format.TIFF: "GTiff"}
_KEEP_BYTES = 64 * MIB
"""An image up to this size is kept whole at the first window asked for out of order, if its format must be decoded
from the top: else every window would decode it again."""
_CHUNK_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The values of an image that become 0 and 255; what lies outside is clipped."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: low is not below high.
        """
        if not -float("inf") < self.low < self.high < float("inf"):
            raise InputError("bad value range", expected="low < high", got=f"{self.low} .. {self.high}")


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Pixels of a rectangle of a level: (bands, height, width), and the share of each that shows something."""

    level: Level
    top: int
    left: int
    pixels: NDArray[np.uint8]
    valid: NDArray[np.float32] | None

    def holds(self, level: Level, top: int, left: int, bottom: int, right: int) -> bool:
        return (
            self.level == level
            and self.top <= top
            and self.left <= left
            and bottom <= self.top + self.pixels.shape[1]
            and right <= self.left + self.pixels.shape[2]
        )


class ImageReader:
    """One page of an image file. Not for several threads at once."""

    def __init__(
        self,
        capture: Capture,
        source: SourceFile,
        kind: Format,
        header: ImageHeader,
        limits: Limits,
        *,
        bands: int,
        values: ValueRange | None,
        warnings: tuple[ReadWarning, ...] = (),
    ) -> None:
        self.capture = capture
        self.warnings = warnings
        self.format = kind.value
        self.shape = (header.height, header.width, bands)
        self._source, self._kind, self._header, self._limits = source, kind, header, limits
        self._values = values
        self._kept: _Block | None = None

    def read(self, window: Window) -> Patch:
        """Pixels of a window; a window that overhangs is padded with zeros that count as not inspected."""
        top, left, bottom, right = _inside(window)
        block = self._kept
        if block is None or not block.holds(window.level, top, left, bottom, right):
            level = window.level
            if self._header.sequential:
                left, right = 0, level.width
                if level.height * level.width * self.shape[2] <= _KEEP_BYTES:
                    top, bottom = 0, level.height
            block = self._fetch(level, top, left, bottom, right)
            if self._header.sequential:
                self._kept = block
        return _patch(window, block)

    def stream(self, windows: Iterable[Window]) -> Iterator[Patch]:
        """Patches of the windows in their order; windows in one row are decoded together, and that row only once."""
        carry: _Block | None = None
        for (level, _, _), row in groupby(windows, key=lambda w: (w.level, w.top, w.height)):
            for some in self._chunks(list(row)):
                block = self._fetch_row(level, some, carry)
                carry = block if self._header.sequential else None
                for window in some:
                    yield _patch(window, block)

    def _chunks(self, row: list[Window]) -> Iterator[list[Window]]:
        """Neighbouring windows of a row that are decoded together: all, or as many as a chunk of memory holds."""
        per_window = row[0].height * row[0].width * self.shape[2]
        step = len(row) if self._header.sequential else max(1, _CHUNK_BYTES // per_window)
        for begin in range(0, len(row), step):
            yield row[begin : begin + step]

    def _fetch_row(self, level: Level, windows: list[Window], carry: _Block | None) -> _Block:
        edges = [_inside(window) for window in windows]
        top, bottom = edges[0][0], edges[0][2]
        if not self._header.sequential:
            return self._fetch(level, top, min(e[1] for e in edges), bottom, max(e[3] for e in edges))
        if carry is None or carry.level != level or not carry.top <= top < carry.top + carry.pixels.shape[1]:
            return self._fetch(level, top, 0, bottom, level.width)
        # Overlapping rows are kept: to go back by one row, decoders of PNG and JPEG start again from the top.
        end = carry.top + carry.pixels.shape[1]
        kept = carry.pixels[:, top - carry.top :], None if carry.valid is None else carry.valid[top - carry.top :]
        if bottom <= end:
            return _Block(level, top, 0, *kept)
        fresh = self._fetch(level, end, 0, bottom, level.width)
        valid = None
        if kept[1] is not None or fresh.valid is not None:
            valid = np.concatenate([_share(*kept), _share(fresh.pixels, fresh.valid)])
        return _Block(level, top, 0, np.concatenate([kept[0], fresh.pixels], axis=1), valid)

    def _fetch(self, level: Level, top: int, left: int, bottom: int, right: int) -> _Block:
        """Have a rectangle of a level decoded."""
        height, width, bands = self.shape
        scale = _scale(level, height, width, self.capture.name)
        area = (top * scale, left * scale, min(bottom * scale, height), min(right * scale, width))
        pixels = np.zeros((bands, bottom - top, right - left), np.uint8)
        valid: NDArray[np.float32] | None = None
        arguments = {
            "driver": _DRIVERS[self._kind],
            "page": self._header.page,
            **dict(zip(("top", "left", "bottom", "right"), area, strict=True)),
            "scale": scale,
            "low": self._values and self._values.low,
            "high": self._values and self._values.high,
        }
        replies = decode("raster-read", self._source.path, arguments, where=self.capture.name, limits=self._limits)
        for reply in replies:
            if "pixels" not in reply.arrays:
                continue
            piece = reply.arrays["pixels"]
            row, column = reply.meta["top"] // scale - top, reply.meta["left"] // scale - left
            place = np.s_[row : row + piece.shape[1], column : column + piece.shape[2]]
            pixels[:, *place] = piece
            if "valid" in reply.arrays:
                if valid is None:
                    valid = np.ones(pixels.shape[1:], np.float32)
                valid[place] = reply.arrays["valid"]
        return _Block(level, top, left, pixels, valid)


def open_images(
    source: SourceFile, kind: Format, limits: Limits, values: ValueRange | None = None
) -> Iterator[ImageReader]:
    """One reader per page.

    Args:
        source: the file.
        kind: PNG, JPEG or TIFF.
        limits: checked against the header before a decoder sees the file.
        values: what becomes 0 and 255; by default bytes stay as they are and other whole numbers without sign are
            scaled from their full range (the number of bits in use, where the file says it).

    Raises:
        RetryableError: truncated.
        InputError: broken, or its numbers have no natural range and none is given.
        UnsafeInputError: it claims more than the limits allow.
    """
    pages = read_headers(source.path, kind, source.name, limits)
    for place, header in enumerate(pages):
        arguments = {"driver": _DRIVERS[kind], "page": header.page}
        (reply,) = decode("raster-open", source.path, arguments, where=source.name, limits=limits)
        seen = reply.meta
        if (seen["width"], seen["height"]) != (header.width, header.height):
            raise InputError(
                "header and decoder disagree",
                where=source.name,
                expected=f"{header.width} x {header.height} pixels",
                got=f"{seen['width']} x {seen['height']}",
                code="broken-image",
            )
        chosen = _natural_range(seen["dtype"], seen["bits"], source.name) if values is None else values
        several = len(pages) > 1
        capture = Capture(
            id=capture_id(source.sha256, place, len(pages)),
            kind=CaptureKind.IMAGE,
            name=f"{source.short_name} page {place + 1}" if several else source.short_name,
            height=float(header.height),
            width=float(header.width),
            georeference=_georeference(seen["crs"], seen["transform"]),
        )
        yield ImageReader(capture, source, kind, header, limits, bands=int(seen["bands"]), values=chosen)


def _natural_range(dtype: str, bits: int | None, name: str) -> ValueRange | None:
    if dtype == "uint8":
        return None if bits in (None, 8) else ValueRange(0, (1 << bits) - 1)
    if dtype in ("uint16", "uint32"):
        return ValueRange(0, (1 << (bits or int(dtype[4:]))) - 1)
    raise InputError(
        "no natural range for these pixels",
        where=name,
        expected="bytes or other whole numbers without sign",
        got=dtype,
        remedy="say which values become black and white (value range)",
        code="no-value-range",
    )


def _georeference(crs: str | None, transform: list[float]) -> Georeference | None:
    if not crs or len(transform) != 6:
        return None
    a, b, c, d, e, f = (float(term) for term in transform)
    return Georeference(crs, (a, b, c, d, e, f))


def _scale(level: Level, height: int, width: int, name: str) -> int:
    scale = 1
    while scale <= max(height, width) * 2:
        if (-(-height // scale), -(-width // scale)) == (level.height, level.width):
            return scale
        scale *= 2
    raise InputError(
        "window of another capture", where=name, expected=f"a level of {height} x {width} pixels", got=str(level)
    )


def _inside(window: Window) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of the part of a window that lies in its level."""
    return (
        min(max(window.top, 0), window.level.height),
        min(max(window.left, 0), window.level.width),
        max(min(window.bottom, window.level.height), 0),
        max(min(window.right, window.level.width), 0),
    )


def _share(pixels: NDArray[np.uint8], valid: NDArray[np.float32] | None) -> NDArray[np.float32]:
    return np.ones(pixels.shape[1:], np.float32) if valid is None else valid


def _patch(window: Window, block: _Block) -> Patch:
    top, left, bottom, right = _inside(window)
    source = np.s_[top - block.top : bottom - block.top, left - block.left : right - block.left]
    target = np.s_[top - window.top : bottom - window.top, left - window.left : right - window.left]
    pixels = np.zeros((window.height, window.width, block.pixels.shape[0]), np.uint8)
    pixels[target] = np.moveaxis(block.pixels[:, *source], 0, -1)
    inside = max(bottom - top, 0) * max(right - left, 0) / (window.height * window.width)
    shown = 1.0 if block.valid is None or not inside else float(block.valid[source].mean(dtype=np.float64))
    return Patch(window, pixels, inside * shown)
