"""What an image claims to be, from its header alone: checked against the limits before any decoder sees the file."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.sniffing import Format

_WHOLE_BYTES = 512 << 20
"""Interlaced PNG and progressive JPEG must be decoded whole; so much memory that may take."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of one page says.

    Attributes:
        page: number in the file, from 1.
        width: pixels.
        height: pixels.
        bands: colours, alpha included.
        bits: per colour.
        block_width: of what is compressed together: a tile, a strip, or for PNG and JPEG a row.
        block_height: likewise.
        whole: True if the decoder must hold the whole image.
    """

    page: int
    width: int
    height: int
    bands: int
    bits: int
    block_width: int
    block_height: int
    whole: bool = False

    @property
    def decoded_bytes(self) -> int:
        """Size of the pixels."""
        return self.width * self.height * self.bands * max(1, self.bits // 8)

    @property
    def sequential(self) -> bool:
        """True if blocks are as wide as the image: best read in full rows from top to bottom."""
        return self.block_width >= self.width


def read_headers(path: Path, kind: Format, name: str, limits: Limits) -> tuple[ImageHeader, ...]:
    """Headers of all pages of an image, each checked against the limits.

    Overviews and masks of a TIFF are no pages.

    Raises:
        RetryableError: truncated.
        InputError: broken.
        UnsafeInputError: it claims more than the limits allow.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            pages: tuple[ImageHeader, ...]
            if kind is Format.PNG:
                pages = (_png(stream),)
            elif kind is Format.JPEG:
                pages = (_jpeg(stream),)
            else:
                pages = tuple(_tiff(stream, size, limits))
        except (_TruncatedError, struct.error, EOFError) as error:
            raise RetryableError(
                f"{kind} file ends too early", where=name, remedy="wait until it is written", code="truncated"
            ) from error
        except _BrokenError as error:
            raise InputError(f"broken {kind} header", where=name, got=str(error), code="broken-image") from error
    if not pages:
        raise InputError("image without a page", where=name, code="broken-image")
    for page in pages:
        _check(page, size, name, limits)
    return pages


class _TruncatedError(Exception):
    """The header goes on beyond the end of the file."""


class _BrokenError(Exception):
    """The header contradicts itself."""


def _check(page: ImageHeader, file_bytes: int, name: str, limits: Limits) -> None:
    if page.width < 1 or page.height < 1 or page.bands < 1:
        raise InputError("image without pixels", where=name, got=f"{page.width} x {page.height} x {page.bands}")
    block = page.block_width * page.block_height * page.bands * max(1, page.bits // 8)
    for what, value, limit in (
        ("pixels", page.width * page.height, limits.pixels),
        ("bands", page.bands, limits.bands),
        ("bytes in one tile or strip", block, limits.block_bytes),
        ("bytes of pixels for a file of this size", page.decoded_bytes, limits.expanded_bytes(file_bytes)),
        ("bytes that must be decoded at once", page.decoded_bytes if page.whole else 0, _WHOLE_BYTES),
    ):
        if value > limit:
            raise UnsafeInputError(
                f"image with too many {what}",
                where=name,
                expected=f"at most {limit}",
                got=f"{value} ({page.width} x {page.height} x {page.bands})",
                remedy="raise the limit if the file is sound",
                code="pixel-bomb",
            )


def _take(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise _TruncatedError
    return data


def _png(stream: BinaryIO) -> ImageHeader:
    """IHDR, which must come first; the file must end with IEND."""
    head = _take(stream, 33)
    if head[12:16] != b"IHDR":
        raise _BrokenError("IHDR is not the first chunk")
    width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", head[16:29])
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if bands is None or bits not in (1, 2, 4, 8, 16):
        raise _BrokenError(f"colour type {colour} with {bits} bits")
    stream.seek(0, 2)
    stream.seek(max(33, stream.tell() - 64))
    if b"IEND" not in stream.read(64):
        raise _TruncatedError
    return ImageHeader(1, width, height, bands, bits, width, 1, whole=interlace != 0)


_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


def _jpeg(stream: BinaryIO) -> ImageHeader:
    """The first frame header; the file must end with EOI, zeros or a little else behind it allowed."""
    stream.seek(2)
    frame: ImageHeader | None = None
    while frame is None:
        if _take(stream, 1) != b"\xff":
            raise _BrokenError("no marker where one must be")
        marker = _take(stream, 1)[0]
        while marker == 0xFF:
            marker = _take(stream, 1)[0]
        if marker in _JPEG_ALONE:
            continue
        if marker in (0xD9, 0xDA):
            raise _BrokenError("no frame before the pixels")
        (length,) = struct.unpack(">H", _take(stream, 2))
        if length < 2:
            raise _BrokenError(f"segment of {length} bytes")
        body = _take(stream, length - 2)
        if marker in _JPEG_FRAMES:
            bits, height, width, bands = struct.unpack(">BHHB", body[:6])
            frame = ImageHeader(1, width, height, bands, bits, width, 8, whole=marker in _JPEG_PROGRESSIVE)
    stream.seek(0, 2)
    stream.seek(max(2, stream.tell() - 4096))
    if b"\xff\xd9" not in stream.read():
        raise _TruncatedError
    return frame


_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAX_TAGS = 4096
_MAX_PAGES = 10_000
_REDUCED_OR_MASK = 0b101


@dataclass(frozen=True, slots=True)
class _TiffLayout:
    """How this file writes numbers: plain TIFF with 32-bit places or BigTIFF with 64-bit ones."""

    order: str
    big: bool

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def place(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))


def _tiff(stream: BinaryIO, size: int, limits: Limits) -> Iterator[ImageHeader]:
    head = _take(stream, 16) if size >= 16 else _take(stream, 8)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    layout = _TiffLayout(order, big)
    place = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
    seen: set[int] = set()
    page = 0
    while place:
        if place in seen or len(seen) >= min(_MAX_PAGES, limits.members):
            raise _BrokenError("pages without end")
        seen.add(place)
        tags, place = _tiff_page(stream, layout, place)
        page += 1
        if not tags.get(254, (0,))[0] & _REDUCED_OR_MASK:
            yield _tiff_header(page, tags, size)


def _tiff_page(stream: BinaryIO, layout: _TiffLayout, place: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """Tags with few whole numbers, and the place of the next page."""
    _go_to(stream, place)
    (count,) = layout.count.unpack(_take(stream, layout.count.size))
    if count > _MAX_TAGS:
        raise _BrokenError(f"{count} tags")
    entries = _take(stream, count * layout.entry.size)
    (following,) = layout.place.unpack(_take(stream, layout.place.size))
    tags: dict[int, tuple[int, ...]] = {}
    for tag, kind, length, field in layout.entry.iter_unpack(entries):
        code, width = _TIFF_NUMBERS.get(kind), _TIFF_SIZES.get(kind, 1)
        # StripOffsets and their like, which may be long, are kept only where they fit; 64 bands are 64 numbers.
        if code is None or not 0 < length <= 64:
            continue
        value = field[: length * width]
        if len(value) < length * width:
            _go_to(stream, layout.place.unpack(field)[0])
            value = _take(stream, length * width)
        tags[tag] = struct.unpack(f"{layout.order}{length}{code}", value)
    return tags, following


def _go_to(stream: BinaryIO, place: int) -> None:
    # Some file systems refuse such a place with an error of their own instead of reading nothing there.
    if place >= 1 << 40:
        raise _BrokenError(f"a place {place} bytes into the file")
    stream.seek(place)


def _tiff_header(page: int, tags: dict[int, tuple[int, ...]], size: int) -> ImageHeader:
    def one(tag: int, default: int | None = None) -> int:
        if tag in tags:
            return tags[tag][0]
        if default is None:
            raise _BrokenError(f"page {page} lacks tag {tag}")
        return default

    width, height, bands = one(256), one(257), one(277, 1)
    bits = max(tags.get(258, (1,)))
    if bits > 128 or bands > 1 << 16:
        raise _BrokenError(f"{bands} bands of {bits} bits")
    if 322 in tags:
        block_width, block_height = one(322), one(323)
    else:
        block_width, block_height = width, min(one(278, height) or height, height)
    offset, length = tags.get(273, tags.get(324, (0,)))[0], tags.get(279, tags.get(325, (0,)))[0]
    if offset + length > size:
        raise _TruncatedError
    return ImageHeader(page, width, height, bands, bits, max(block_width, 1), max(block_height, 1))
