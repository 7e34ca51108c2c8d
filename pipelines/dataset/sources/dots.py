"""Whole frames with dot annotations (`frame,row,col,class`), as people count animals: patches are cut around the dots.

Background patches come from the same frames, away from every dot, as many as there are dots: a detector that has
never seen sand calls it a sea lion.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from pipelines.dataset.samples import Picture, Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.pictures import as_png
from pipelines.ingestion import CaptureReader, open_captures

BACKGROUND = "background"


def open_dots(path: Path, *, tile: int = 96, seed: int = 0) -> Origin:
    """Open a CSV of dots; frames lie beside it or in `frames/`.

    Args:
        path: the CSV with columns frame, row, col, class.
        tile: side of the patches, pixels.
        seed: of the background places.

    Raises:
        InputError: columns are missing, a frame is absent, or a dot lies outside its frame.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read dots", where=str(path), expected="CSV", got=str(error)) from error
    if not rows or not rows[0].keys() >= {"frame", "row", "col", "class"}:
        got = ", ".join(rows[0]) if rows else "no rows"
        raise InputError("dots lack columns", where=str(path), expected="frame, row, col, class", got=got)
    frames: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        frames.setdefault(row["frame"], []).append((float(row["row"]), float(row["col"]), row["class"]))
    return Origin(_samples(path.parent, frames, tile, seed), BACKGROUND, exclusive=True, grouped_by="frame")


def _samples(folder: Path, frames: dict[str, list[tuple[float, float, str]]], tile: int, seed: int) -> Iterator[Sample]:
    rng = np.random.default_rng(seed)
    for frame, dots in frames.items():
        file = next((place for place in (folder / frame, folder / "frames" / frame) if place.is_file()), None)
        if file is None:
            raise InputError("frame is absent", where=frame, expected=f"{folder}/{frame} or {folder}/frames/{frame}")
        reader = next(iter(open_captures(file)))
        for row, col, label in dots:
            yield _patch(reader, frame, (row, col), tile, label)
        places = np.array([(row, col) for row, col, _ in dots])
        for place in _background(reader, places, tile, len(dots), rng):
            yield _patch(reader, frame, place, tile, BACKGROUND)


def _patch(reader: CaptureReader, frame: str, place: tuple[float, float], tile: int, label: str) -> Sample:
    row, col = place
    level = pyramid(reader.capture, tile)[-1]
    where = f"{frame}:{row:.0f},{col:.0f}"
    if not (0 <= row < level.height and 0 <= col < level.width):
        raise InputError("dot outside its frame", where=where, expected=f"0..{level.height}, 0..{level.width}")
    # Pulled back inside, as serving does with its last window, so that no training patch shows padding it will not see.
    top = min(max(round(row - tile / 2), 0), max(level.height - tile, 0))
    left = min(max(round(col - tile / 2), 0), max(level.width - tile, 0))
    patch = reader.read(Window(level, top, left, tile, tile))
    return Sample((label,), frame, Picture(as_png(patch.pixels)), where)


def _background(
    reader: CaptureReader, dots: NDArray[np.float64], tile: int, wanted: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Places at least one and a half tiles from every dot, so that no part of an animal is called background."""
    height, width = reader.capture.height, reader.capture.width
    places = rng.random((wanted * 50, 2)) * (height - tile, width - tile) + tile / 2
    far = np.abs(places[:, None] - dots[None]).max(2).min(1) >= 1.5 * tile
    return [(float(row), float(col)) for row, col in places[far][:wanted]]
