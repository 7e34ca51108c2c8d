"""Heat is what verdicts say, place by place; where maps are reduced no peak is lost."""

import numpy as np
import pytest

from models import heat
from models.domain.errors import InputError
from models.domain.heat import FULL, HeatMap
from models.domain.tiling import Level, Window, starts
from models.domain.verdict import Labels, Reason, Verdict
from models.heat import heat_maps

LABELS = Labels(("pup", "sand", "cow"), normal="sand")
LEVEL, TILE, STEP = Level(5, 150, 203), 32, 8


def verdicts(rng: np.random.Generator) -> list[Verdict]:
    """Of every place of the level, in no order; a tenth refused, one not inspected."""
    found = []
    for top in starts(LEVEL.height, TILE, TILE - STEP):
        for left in starts(LEVEL.width, TILE, TILE - STEP):
            probabilities = rng.dirichlet((0.5, 1.0, 0.5))
            first, second, _ = np.argsort(-probabilities)
            likeliest = LABELS.names[first]
            known = rng.random() > 0.1
            verdict = Verdict(
                window=Window(LEVEL, top, left, TILE, TILE),
                label=likeliest if known else None,
                confidence=float(probabilities[first]),
                novelty=0.0,
                reason=Reason.CONFIDENT if known else Reason.NOVEL,
                likeliest=likeliest,
                runner_up=LABELS.names[second],
                runner_up_confidence=float(probabilities[second]),
            )
            found.append(verdict)
    found[7] = Verdict(found[7].window, None, 0.0, 0.0, Reason.NOT_INSPECTED)
    rng.shuffle(found)  # type: ignore[arg-type]
    return found


def said(one: Verdict, label: str | None) -> float:
    if label is None:
        return float(one.is_unknown)
    return max(one.confidence * (one.likeliest == label), one.runner_up_confidence * (one.runner_up == label), 0.0)


def test_each_cell_holds_what_its_window_says() -> None:
    judged = verdicts(np.random.default_rng(0))
    maps = heat_maps(judged, LABELS, STEP)
    assert [one.label for one in maps] == ["pup", "cow", None]
    for one in maps:
        assert one.level == LEVEL
        for verdict in judged:
            if verdict.window.top % STEP or verdict.window.left % STEP:
                continue  # pulled back inside: shares a cell
            got = one.values[verdict.window.top // STEP, verdict.window.left // STEP]
            shared = [
                other for other in judged
                if (other.window.top // STEP, other.window.left // STEP)
                == (verdict.window.top // STEP, verdict.window.left // STEP)
            ]  # fmt: skip
            assert got == max(round(FULL * said(other, one.label)) for other in shared)


def test_a_cell_lies_where_the_middle_of_its_window_does() -> None:
    window = Window(LEVEL, 5 * STEP, 9 * STEP, TILE, TILE)
    there = [
        *(Verdict(Window(LEVEL, top, 0, TILE, TILE), "sand", 1.0, 0.0, Reason.CONFIDENT, "sand") for top in (0, 112)),
        Verdict(window, "pup", 1.0, 0.0, Reason.CONFIDENT, "pup"),
        Verdict(Window(LEVEL, 0, 168, TILE, TILE), "sand", 1.0, 0.0, Reason.CONFIDENT, "sand"),
    ]
    pups = heat_maps(there, LABELS, STEP)[0]
    (row,), (column,) = np.nonzero(pups.values)
    top, left, bottom, right = pups.box
    middle = top + (row + 0.5) / pups.values.shape[0] * (bottom - top)
    across = left + (column + 0.5) / pups.values.shape[1] * (right - left)
    assert (middle, across) == pytest.approx(window.centre)


def test_reduced_maps_keep_their_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = verdicts(np.random.default_rng(1))
    whole = heat_maps(judged, LABELS, STEP)
    monkeypatch.setattr(heat, "MOST_CELLS", 9)
    for reduced, full in zip(heat_maps(judged, LABELS, STEP), whole, strict=True):
        assert max(reduced.values.shape) <= 9
        factor = -(-max(full.values.shape) // 9)
        rows, columns = (-(-side // factor) for side in full.values.shape)
        padded = np.zeros((rows * factor, columns * factor), np.uint8)
        padded[: full.values.shape[0], : full.values.shape[1]] = full.values
        expected = padded.reshape(rows, factor, columns, factor).max((1, 3))
        np.testing.assert_array_equal(reduced.values, expected)
        assert reduced.box[:2] == full.box[:2]


def test_cells_are_bytes() -> None:
    with pytest.raises(InputError, match="not a heat map"):
        HeatMap(LEVEL, "pup", (0, 0, 1, 1), np.zeros((2, 2), np.float32))  # type: ignore[arg-type]
