"""Finding rows whose width varies with the number of images they list: a walk from row to row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.ingestion.formats.klarf.regions import Region

_DIGITS = 7
"""Counts with more digits are no counts of images."""


@dataclass(frozen=True, slots=True)
class RowShape:
    """How wide a row is.

    Attributes:
        key: place of the number of images in the row.
        check: place of another cell that must hold the same number; None = there is none.
        fixed: values of a row without images; each image adds two.
    """

    key: int
    check: int | None
    fixed: int


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """Rows of a region.

    Attributes:
        begins: (R,) first token of each row.
        counts: (R,) images of each row.
        used: tokens that are done with; behind them is a row that is not whole yet.
        stuck: first tokens of what made no sense as a row.
    """

    begins: NDArray[np.int64]
    counts: NDArray[np.int64]
    used: int
    stuck: list[int]


def walk(region: Region, shape: RowShape, *, resume: bool) -> Walked:
    """The rows of a region.

    Args:
        region: its tokens.
        shape: of the rows.
        resume: go on with the next line behind what makes no sense, instead of stopping there.
    """
    line = np.searchsorted(np.flatnonzero(region.text.characters == ord("\n")), region.spans[:, 0])
    walked = _without_images(region, shape)
    if walked is None:
        walked = _step_by_step(region, shape, line, resume=resume)
    return _in_step(walked, line)


def _without_images(region: Region, shape: RowShape) -> Walked | None:
    """The rows of a region of whole rows without a single image, which is the usual one; else None."""
    count, rest = divmod(len(region.spans), shape.fixed)
    if rest or not count:
        return None
    spans = region.spans.reshape(count, shape.fixed, 2)
    for place in (shape.key,) if shape.check is None else (shape.key, shape.check):
        start, end = spans[:, place, 0], spans[:, place, 1]
        if np.any(end - start != 1) or np.any(region.text.characters[start] != ord("0")):
            return None
    return Walked(shape.fixed * np.arange(count), np.zeros(count, np.int64), len(region.spans), [])


def _step_by_step(region: Region, shape: RowShape, line: NDArray[np.intp], *, resume: bool) -> Walked:
    starts, ends = region.spans[:, 0].tolist(), region.spans[:, 1].tolist()
    data = region.text.characters.tobytes()
    begins: list[int] = []
    counts: list[int] = []
    stuck: list[int] = []
    token = 0
    while token + shape.key < len(starts):
        cell = data[starts[token + shape.key] : ends[token + shape.key]]
        sound = cell.isdigit() and len(cell) <= _DIGITS
        if sound and shape.check is not None:
            other = data[starts[token + shape.check] : ends[token + shape.check]]
            sound = other.isdigit() and other.lstrip(b"0") == cell.lstrip(b"0")
        if not sound:
            if begins and line[token] == line[token - 1]:  # the row before ends within a line: it is wrong itself
                token = begins.pop()
                counts.pop()
            stuck.append(token)
            if not resume:
                break
            token = int(np.searchsorted(line, line[token], side="right"))
            continue
        width = shape.fixed + 2 * int(cell)
        if token + width > len(starts):
            break
        begins.append(token)
        counts.append(int(cell))
        token += width
    return Walked(np.array(begins, np.int64), np.array(counts, np.int64), min(token, len(starts)), stuck)


def _in_step(walked: Walked, line: NDArray[np.intp]) -> Walked:
    """Leave out rows that end within a line, if elsewhere a line ends within a row: one of them is cut wrongly."""
    opens_line = np.diff(line, prepend=-1) > 0
    inside = ~opens_line[walked.begins]
    if not inside.any():
        return walked
    opens_row = np.zeros(len(line), np.bool_)
    opens_row[walked.begins] = True
    opens_row[walked.stuck] = True
    if not np.any(opens_line[: walked.used] & ~opens_row[: walked.used]):
        return walked
    wrong = inside | np.append(inside[1:], False)
    stuck = sorted({*walked.stuck, *walked.begins[wrong].tolist()})
    return Walked(walked.begins[~wrong], walked.counts[~wrong], walked.used, stuck)
