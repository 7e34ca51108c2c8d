"""Whole frames with dot annotations (`frame,row,col,class`), as people count animals: patches are cut around the dots.

Background patches come from the same frames: far from every dot, because a detector that has never seen sand calls it
a sea lion, and near misses beside the dots, because one that answers wherever a part of an animal shows counts it
twice. A table of further patches (`path,class,frame`) may come along.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from pipelines.dataset.samples import Picture, Sample
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.pictures import as_png, open_pictures
from pipelines.ingestion import CaptureReader, open_captures

BACKGROUND = "background"
FAR_PER_DOT, LEAST_FAR = 5, 400
"""Background patches of a frame: its sea, sand and rocks are worth showing however few animals lie on them."""
NEAR_PER_DOT = 2
NEAR = (0.35, 0.6)
"""Distance of a near miss from its dot, in tiles: most of the animal is there, and off the middle."""


@dataclass(frozen=True, slots=True)
class Dot:
    """An object on a frame; row and column in pixels, from the top left."""

    row: float
    column: float
    label: str


def read_dots(path: Path) -> dict[str, list[Dot]]:
    """The dots of each frame.

    Args:
        path: CSV with columns frame, row, col, class.

    Raises:
        InputError: it cannot be read, or columns are missing.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read dots", where=str(path), expected="CSV", got=str(error)) from error
    if not rows or not rows[0].keys() >= {"frame", "row", "col", "class"}:
        got = ", ".join(rows[0]) if rows else "no rows"
        raise InputError("dots lack columns", where=str(path), expected="frame, row, col, class", got=got)
    frames: dict[str, list[Dot]] = {}
    for row in rows:
        frames.setdefault(row["frame"], []).append(Dot(float(row["row"]), float(row["col"]), row["class"]))
    return frames


def frame_file(folder: Path, frame: str) -> Path:
    """Where a frame lies: beside the dots or in `frames/`.

    Raises:
        InputError: in neither.
    """
    file = next((place for place in (folder / frame, folder / "frames" / frame) if place.is_file()), None)
    if file is None:
        raise InputError("frame is absent", where=frame, expected=f"{folder}/{frame} or {folder}/frames/{frame}")
    return file


def open_dots(
    path: Path, *, tile: int = 96, seed: int = 0, normal: str | None = None, patches: Path | None = None
) -> Origin:
    """Open a CSV of dots; frames lie beside it or in `frames/`.

    Args:
        path: the CSV with columns frame, row, col, class.
        tile: side of the patches, pixels.
        seed: of the background places.
        normal: what background is called; `background` by default.
        patches: CSV of further patches with path, class, frame.

    Raises:
        InputError: columns are missing, a frame is absent, or a dot lies outside its frame.
    """
    background = normal or BACKGROUND
    samples = _samples(path.parent, read_dots(path), tile, seed, background)
    further = None if patches is None else open_pictures(patches, normal=background)
    notes = () if further is None else further.notes
    if further is not None:
        samples = chain(samples, (replace(one, group=Path(one.group).stem) for one in further.samples))
    return Origin(samples, background, exclusive=True, grouped_by="frame", notes=notes)


def _samples(folder: Path, frames: dict[str, list[Dot]], tile: int, seed: int, background: str) -> Iterator[Sample]:
    rng = np.random.default_rng(seed)
    for frame, dots in frames.items():
        reader = next(iter(open_captures(frame_file(folder, frame))))
        cutter = Cutter(reader, frame, tile)
        for dot in dots:
            yield cutter.sample(dot)
        for row, column in chain(cutter.near(dots, rng), cutter.far(dots, rng)):
            yield cutter.sample(Dot(row, column, background))


@dataclass(frozen=True, slots=True)
class Cutter:
    """Cuts samples out of one frame."""

    reader: CaptureReader
    frame: str
    tile: int

    def sample(self, dot: Dot) -> Sample:
        """The patch around a dot.

        Raises:
            InputError: the dot lies outside the frame.
        """
        level, tile = pyramid(self.reader.capture, self.tile)[-1], self.tile
        where = f"{self.frame}:{dot.row:.0f},{dot.column:.0f}"
        if not (0 <= dot.row < level.height and 0 <= dot.column < level.width):
            raise InputError("dot outside its frame", where=where, expected=f"0..{level.height}, 0..{level.width}")
        # Pulled back inside, as serving does with its last window: no training patch shows padding it will not see.
        top = min(max(round(dot.row - tile / 2), 0), max(level.height - tile, 0))
        left = min(max(round(dot.column - tile / 2), 0), max(level.width - tile, 0))
        patch = self.reader.read(Window(level, top, left, tile, tile))
        return Sample((dot.label,), Path(self.frame).stem, Picture(as_png(patch.pixels)), where)

    def near(self, dots: list[Dot], rng: np.random.Generator) -> list[tuple[float, float]]:
        """Places where an animal lies off the middle, and no other one in it."""
        places = _places(dots)
        angle = rng.random((len(dots), NEAR_PER_DOT)) * (2 * np.pi)
        distance = rng.uniform(*NEAR, angle.shape) * self.tile
        tries = (places[:, None] + np.stack([np.sin(angle), np.cos(angle)], axis=-1) * distance[..., None]).reshape(
            -1, 2
        )
        lonely = np.hypot(*(tries[:, None] - places[None]).transpose(2, 0, 1)).min(1) >= NEAR[0] * self.tile * 0.99
        return self._inside(tries[lonely])

    def far(self, dots: list[Dot], rng: np.random.Generator) -> list[tuple[float, float]]:
        """Places at least one and a half tiles from every dot, so that no part of an animal is called background."""
        wanted = max(LEAST_FAR, FAR_PER_DOT * len(dots))
        size = self.reader.capture.height, self.reader.capture.width
        tries = rng.random((wanted * 50, 2)) * (np.array(size) - self.tile) + self.tile / 2
        far = np.abs(tries[:, None] - _places(dots)[None]).max(2).min(1) >= 1.5 * self.tile
        return self._inside(tries[far][:wanted])

    def _inside(self, places: NDArray[np.float64]) -> list[tuple[float, float]]:
        size, half = np.array([self.reader.capture.height, self.reader.capture.width]), self.tile / 2
        kept = ((places >= half) & (places <= size - half)).all(1)
        return [(float(row), float(column)) for row, column in places[kept]]


def _places(dots: list[Dot]) -> NDArray[np.float64]:
    return np.array([(dot.row, dot.column) for dot in dots])
