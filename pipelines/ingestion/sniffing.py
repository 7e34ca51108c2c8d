"""What a file is, by its first bytes; extensions are no guide (KLARF alone ends in .001, .krf, .txt, .kla, …)."""

import re
from enum import StrEnum
from pathlib import Path

from models.domain.errors import InputError, RetryableError

HEAD_BYTES = 64 * 1024


class Format(StrEnum):
    """A format we read."""

    KLARF = "KLARF"
    SINF = "SINF"
    G85 = "SEMI G85"
    E142 = "SEMI E142"
    STDF = "STDF V4"
    CSV = "CSV"
    PARQUET = "Parquet"
    NPZ = "NPZ"
    PICKLE = "pandas pickle"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    GZIP = "gzip"
    ZIP = "zip"


_KLARF = re.compile(rb"(?i)\s*(FileVersion\s|Record\s+FileRecord\b)")
_SINF_LINE = re.compile(rb"(?im)^[ \t]*(ROWCT|COLCT|ROWDATA)[ \t]*:")
_SINF_START = re.compile(rb"(?i)\s*[A-Z][A-Z0-9_ ]{0,31}:")
_XML_ROOT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_XML_NOISE = re.compile(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?[^>]*>", re.DOTALL)
_CELL_ENDS = re.compile(rb"[,;\t]")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"\xff\xd8\xff", Format.JPEG),
    (b"II*\x00", Format.TIFF),
    (b"MM\x00*", Format.TIFF),
    (b"II+\x00\x08\x00\x00\x00", Format.TIFF),
    (b"MM\x00+\x00\x08\x00\x00", Format.TIFF),
    (b"PAR1", Format.PARQUET),
    (b"\x1f\x8b", Format.GZIP),
    # A FAR record: two bytes of length in either byte order, type 0, subtype 10, then CPU type and version 4.
    (b"\x02\x00\x00\x0a", Format.STDF),
    (b"\x00\x02\x00\x0a", Format.STDF),
)


def sniff_file(path: Path, name: str = "") -> Format:
    """Format of a local file (see `sniff`)."""
    with path.open("rb") as stream:
        return sniff(stream.read(HEAD_BYTES), name or str(path))


def sniff(head: bytes, name: str) -> Format:
    """Tell the format by the first bytes of a file.

    Args:
        head: the first `HEAD_BYTES`, or the whole file if it is shorter.
        name: for messages only.

    Raises:
        RetryableError: the file is empty, as files still being copied are.
        InputError: none of the formats we read.
    """
    if not head or any(magic.startswith(head) for magic in (*(magic for magic, _ in _MAGIC), b"PK\x03\x04")):
        raise RetryableError("file is only begun", where=name, remedy="wait until it is written", code="truncated")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _zip_kind(head)
    if head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5:
        return Format.PICKLE
    text = _as_ascii(head)
    found = None if b"\x00" in text else _text_kind(text)
    if found is None:
        raise InputError(
            "unknown format",
            where=name,
            expected=", ".join(Format),
            got=repr(head[:24]),
            remedy="check that this is the file your tool wrote",
            code="unknown-format",
        )
    return found


def _zip_kind(head: bytes) -> Format:
    """NPZ is a zip archive whose first member is called something.npy."""
    length = int.from_bytes(head[26:28], "little")
    return Format.NPZ if head[30 : 30 + length].endswith(b".npy") else Format.ZIP


def _as_ascii(head: bytes) -> bytes:
    """Without byte-order mark; UTF-16, which some XML exports use, as ASCII."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head.decode("utf-16", errors="ignore").encode("ascii", errors="replace")
    return head.removeprefix(b"\xef\xbb\xbf")


def _text_kind(text: bytes) -> Format | None:
    if _KLARF.match(text):
        return Format.KLARF
    if text.lstrip().startswith(b"<"):
        root = _XML_ROOT.match(_XML_NOISE.sub(b"", text).lstrip())
        name = root[1] if root else b""
        # Some G85 exports wrap the only map in a Maps element.
        return {b"Map": Format.G85, b"Maps": Format.G85, b"MapData": Format.E142}.get(name)
    if _SINF_START.match(text) and _SINF_LINE.search(text):
        return Format.SINF
    return Format.CSV if _is_table(text) else None


def _is_table(text: bytes) -> bool:
    """A first line of names, and where the second line is there it has as many cells."""
    lines = text.lstrip().splitlines()
    names = [cell.strip(b' "') for cell in _CELL_ENDS.split(lines[0])] if lines else []
    if len(names) < 2 or b"\n" not in text.replace(b"\r", b"\n"):
        return False
    named = all(name and name.isascii() and name.decode().isprintable() and not name[:1].isdigit() for name in names)
    return named and (len(lines) < 3 or len(_CELL_ENDS.split(lines[1])) == len(names))
