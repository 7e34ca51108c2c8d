"""Images: PNG, JPEG, TIFF, BigTIFF, GeoTIFF, read by window with bounded memory, decoded in a child process."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from models.domain.capture import Capture, CaptureKind, Georeference, ReadWarning, capture_id
from models.domain.errors import InputError
from models.domain.patch import Patch
from models.domain.tiling import Window
from pipelines.decoding.shared import Memory
from pipelines.decoding.wire import Reply
from pipelines.ingestion.formats.image_blocks import Area, Block, Step, scale_of, steps
from pipelines.ingestion.formats.image_headers import ImageHeader, read_headers
from pipelines.ingestion.isolation import Decoder, decode, decoder
from pipelines.ingestion.limits import MIB, Limits
from pipelines.ingestion.sniffing import Format
from pipelines.ingestion.sources import SourceFile

_DRIVERS = {Format.PNG: "PNG", Format.JPEG: "JPEG", Format.TIFF: "GTiff"}
_KEEP_BYTES = 64 * MIB
"""An image up to this size is kept whole at the first window asked for out of order, if its format must be decoded
from the top: else every window would decode it again."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The values of an image that become 0 and 255; what lies outside is clipped."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: low is not below high.
        """
        if not -float("inf") < self.low < self.high < float("inf"):
            raise InputError("bad value range", expected="low < high", got=f"{self.low} .. {self.high}")


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
        self._kept: Block | None = None

    def read(self, window: Window) -> Patch:
        """Pixels of a window; a window that overhangs is padded with zeros that count as not inspected."""
        area = Area.of(window)
        if self._kept is None or not self._kept.area.holds(area):
            level = window.level
            if self._header.sequential:
                area = replace(area, left=0, right=level.width)
                if level.height * level.width * self.shape[2] <= _KEEP_BYTES:
                    area = replace(area, top=0, bottom=level.height)
            with decoder(self._limits) as child:
                block = self._receive(self._ask(child, area, Memory()))
            if not self._header.sequential:
                return block.patch(window)
            self._kept = block
        return self._kept.patch(window)

    def stream(self, windows: Iterable[Window]) -> Iterator[Patch]:
        """Patches of the windows in their order; windows in one row are decoded together, and that row only once.

        While the patches of one step are used, the child decodes the next.
        """
        planned = steps(windows, self.shape[2], self._header.sequential)
        memories = cycle((Memory(), Memory()))  # one to cut from, one for the child to decode into
        with decoder(self._limits) as child:
            block: Block | None = None
            step, asked = self._begin(child, planned, memories)
            while step is not None:
                # Joined before the next is asked for: that will overwrite what the block before lies in.
                block = _joined(block, None if asked is None else self._receive(asked), step)
                following = self._begin(child, planned, memories)
                for window in step.windows:
                    yield block.patch(window)
                step, asked = following

    def _begin(
        self, child: Decoder, planned: Iterator[Step], memories: Iterator[Memory]
    ) -> tuple[Step | None, "_Asked | None"]:
        """The next step, its pixels already asked for."""
        step = next(planned, None)
        if step is None or step.fresh is None:
            return step, None
        return step, self._ask(child, step.fresh, next(memories))

    def _ask(self, child: Decoder, area: Area, memory: Memory) -> "_Asked":
        height, width, bands = self.shape
        scale = scale_of(area.level, height, width, self.capture.name)
        shape = (*area.shape, bands)
        if not all(shape):
            return _Asked(area, np.zeros(shape, np.uint8), scale, iter(()))
        arguments = {
            "driver": _DRIVERS[self._kind],
            "page": self._header.page,
            "top": area.top * scale,
            "left": area.left * scale,
            "bottom": min(area.bottom * scale, height),
            "right": min(area.right * scale, width),
            "scale": scale,
            "low": self._values and self._values.low,
            "high": self._values and self._values.high,
        }
        pixels = memory.array(shape)
        replies = child.ask(
            "raster-read",
            self._source.path,
            arguments,
            where=self.capture.name,
            seconds=self._limits.decoder_seconds,
            memory=memory.descriptor,
        )
        return _Asked(area, pixels, scale, replies)

    @staticmethod
    def _receive(asked: "_Asked") -> Block:
        """Wait until the child has filled in the pixels."""
        valid: NDArray[np.float32] | None = None
        for reply in asked.replies:
            if "valid" not in reply.arrays:
                continue
            shown = reply.arrays["valid"]
            valid = np.ones(asked.area.shape, np.float32) if valid is None else valid
            row, column = reply.meta["top"] // asked.scale, reply.meta["left"] // asked.scale
            row, column = row - asked.area.top, column - asked.area.left
            valid[row : row + shown.shape[0], column : column + shown.shape[1]] = shown
        return Block(asked.area, asked.pixels, valid)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Pixels (rows, columns, bands) of an area that the child fills in; they are there when the replies end."""

    area: Area
    pixels: NDArray[np.uint8]
    scale: int
    replies: Iterator[Reply]


def _joined(before: Block | None, fresh: Block | None, step: Step) -> Block:
    """The block of a step: what was decoded for it, below what is kept of the block before."""
    if fresh is not None and (before is None or fresh.area == step.area):
        return fresh
    assert before is not None, "the first step decodes all it needs"
    kept = before.below(step.area.top)
    return kept if fresh is None else kept.followed_by(fresh)


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
            id=capture_id(source.sha256, place, len(pages), "" if values is None else repr(values)),
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
