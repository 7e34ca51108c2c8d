"""Objects on a densely judged level: peaks of presence, each counted once (non-maximum suppression).

Windows a few pixels apart answer for the same object many times. What a network trained to answer for the middle of a
window says is highest where the middle is on the object; sums over a small neighbourhood tell where, because
probabilities near one are all alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from models.domain.verdict import Reason, Verdict
from models.recipe import CountRecipe


def presence(verdict: Verdict, normal: str | None) -> float:
    """Probability that something is there: that it is not normal.

    Where normal is neither of a verdict's two likeliest labels it is at most as likely as the second of them, and as
    what they leave over: the least that presence can be is returned, which is never below one half.
    """
    if verdict.reason is Reason.NOT_INSPECTED:
        return 0.0
    if normal is None:
        return verdict.confidence
    if verdict.likeliest == normal:
        return 1 - verdict.confidence
    if verdict.runner_up == normal:
        return 1 - verdict.runner_up_confidence
    return min(1.0, max(1 - verdict.runner_up_confidence, verdict.confidence + verdict.runner_up_confidence))


def objects(verdicts: Sequence[Verdict], normal: str | None, recipe: CountRecipe) -> tuple[Verdict, ...]:
    """The verdicts of the windows whose middles are objects, the clearest first.

    Something is there where all classes together are likelier than normal, though normal may be likelier than each:
    the object then is of the likeliest class.

    Args:
        verdicts: of all windows of one level, on a grid, in any order.
        normal: the label that means that nothing is there.
        recipe: from which presence on, and how far apart two objects are at least.
    """
    if not verdicts:
        return ()
    rows, row = np.unique([one.window.top for one in verdicts], return_inverse=True)
    columns, column = np.unique([one.window.left for one in verdicts], return_inverse=True)
    there = np.zeros((len(rows), len(columns)))
    there[row, column] = [presence(one, normal) for one in verdicts]
    number = np.full(there.shape, -1)
    number[row, column] = np.arange(len(verdicts))
    return tuple(_of_object(verdicts[number[place]], normal) for place in peaks(there, rows, columns, recipe))


def _of_object(verdict: Verdict, normal: str | None) -> Verdict:
    if verdict.label is None or verdict.label != normal or verdict.runner_up is None:
        return verdict
    return replace(
        verdict,
        label=verdict.runner_up,
        likeliest=verdict.runner_up,
        confidence=verdict.runner_up_confidence,
        runner_up=normal,
        runner_up_confidence=verdict.confidence,
    )


def strangers(verdicts: Sequence[Verdict], stated: Sequence[Verdict], recipe: CountRecipe) -> tuple[Verdict, ...]:
    """The unknown places of a level that people are asked about, the strangest first, no two of them near each other.

    These are objects without a label, and windows like nothing known whatever they resemble most: strange ground looks
    like ground. A frame has 10^5 windows, and thresholds refuse two in a hundred of the known ones; so such a window is
    no object and raises no alert, and of all of them only the strangest are shown, `recipe.strangers` at most.

    Args:
        verdicts: of all windows of one level, on a grid, in any order.
        stated: its objects.
        recipe: how many, and how far apart they are at least.
    """
    asked = {one.window for one in stated if one.is_unknown}
    found = [one for one in verdicts if one.reason is Reason.NOVEL or one.window in asked]
    if not found:
        return ()
    rows, row = np.unique([one.window.top for one in found], return_inverse=True)
    columns, column = np.unique([one.window.left for one in found], return_inverse=True)
    strange = np.full((len(rows), len(columns)), -np.inf)
    strange[row, column] = [one.novelty for one in found]
    number = np.full(strange.shape, -1)
    number[row, column] = np.arange(len(found))
    places = _apart(strange, number >= 0, rows, columns, recipe.radius)
    return tuple(found[number[place]] for place in islice(places, recipe.strangers))


def peaks(
    there: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64], recipe: CountRecipe
) -> list[tuple[int, int]]:
    """Places of a presence map that are one object each, the clearest first.

    Args:
        there: (R, C), presence of windows on a grid.
        rows: (R,), their first rows in pixels, ascending.
        columns: (C,), their first columns.
        recipe: threshold and radius.
    """
    steps = (float(np.median(np.diff(line))) if len(line) > 1 else 1.0 for line in (rows, columns))
    clearness = gaussian_filter(there, [recipe.radius / 2 / step for step in steps], mode="constant")
    return list(_apart(clearness, there >= recipe.presence, rows, columns, recipe.radius))


def _apart(
    clearness: NDArray[np.float64],
    alive: NDArray[np.bool_],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    radius: int,
) -> Iterator[tuple[int, int]]:
    """Places that are alive, the clearest first; each takes those within the radius out of the running."""
    candidates = np.argwhere(alive)
    for row, column in candidates[np.argsort(-clearness[alive], kind="stable")].tolist():
        if not alive[row, column]:
            continue
        yield row, column
        near_rows = _within(rows, rows[row], radius)
        near_columns = _within(columns, columns[column], radius)
        far = np.hypot(rows[near_rows, None] - rows[row], columns[None, near_columns] - columns[column])
        alive[near_rows, near_columns] &= far > radius


def _within(line: NDArray[np.int64], place: int, radius: int) -> slice:
    return slice(int(np.searchsorted(line, place - radius)), int(np.searchsorted(line, place + radius, side="right")))
