"""Patches in class folders (`…/CLASS/file.png`), with an optional table that names each one's class, frame and time."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.domain.errors import InputError
from pipelines.dataset.samples import Picture, Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.wafer_table import moment

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
_GROUPS = ("frame", "group", "flight", "lot")
LARGEST_PX = 4096
"""A patch is small; a larger picture is a capture, to be cut first."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One picture of a table: its file, class, what it must not be torn from, and when it was taken."""

    file: Path
    label: str
    group: str | None = None
    time: str | None = None


def open_pictures(path: Path, *, normal: str | None = None) -> Origin:
    """Open class folders, or the CSV (`path,class,frame`) that lists them.

    Args:
        path: a folder of class folders (at any depth), or a CSV whose paths are relative to its own folder.
        normal: label of a patch with nothing to act on, or None.

    Raises:
        InputError: no pictures, or columns are missing.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError("no pictures in class folders", where=str(path), expected="CLASS/picture.png")
        note = (
            "frames are not known: each picture is its own group; give a CSV with path,class,frame for honest figures"
        )
        listed = [Listed(file, file.parent.name) for file in files]
        return Origin(_samples(path, listed), normal, exclusive=True, grouped_by="sample", notes=(note,))
    return _open_table(path, normal)


def _open_table(path: Path, normal: str | None) -> Origin:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read table of pictures", where=str(path), expected="CSV", got=str(error)) from error
    column = next((name for name in _GROUPS if rows and name in rows[0]), None)
    if not rows or not rows[0].keys() >= {"path", "class"}:
        got = ", ".join(rows[0]) if rows else "no rows"
        raise InputError("table of pictures lacks columns", where=str(path), expected="path, class, frame", got=got)
    listed = [
        Listed(path.parent / row["path"], row["class"], (row[column] or None) if column else None, row.get("time"))
        for row in rows
    ]
    lost = sum(one.group is None for one in listed)
    notes = (f"{lost} pictures name no {column or 'frame'}: each of them is its own group",) if lost else ()
    return Origin(_samples(path.parent, listed), normal, exclusive=True, grouped_by=column or "sample", notes=notes)


def _samples(folder: Path, listed: Sequence[Listed]) -> Iterator[Sample]:
    for one in listed:
        origin = str(one.file.relative_to(folder))
        picture = Picture(as_png(read_pixels(one.file)))
        group = one.group or f"alone:{origin}"
        yield Sample((one.label,), group, picture, origin, taken=moment(one.time, origin))


def read_pixels(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A small picture as uint8 (H, W, C).

    Raises:
        InputError: not a picture of 8-bit channels, or too large for a patch.
    """
    try:
        with Image.open(file) as picture:
            if max(picture.size) > LARGEST_PX:
                raise InputError(
                    "picture too large for a patch",
                    where=str(file),
                    expected=f"at most {LARGEST_PX} px",
                    got=f"{picture.size}",
                )
            if picture.mode not in ("L", "RGB", "RGBA"):
                raise InputError("picture of another kind", where=str(file), expected="L or RGB", got=picture.mode)
            pixels = np.asarray(picture.convert("RGB") if picture.mode == "RGBA" else picture)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError("cannot read picture", where=str(file), got=str(error)) from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def as_png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Lossless PNG of uint8 (H, W, 1 or 3): equal pixels give equal bytes, so duplicates are found."""
    buffer = io.BytesIO()
    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(np.ascontiguousarray(flat)).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()
