"""Stacks: each wafer counts once in a cell, so that the common stands out and the crowded does not."""

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.ingestion import DieMap, DieReader, PointMap, PointReader
from services.api.drawing import draw
from services.api.pictures import CLASS_COLOURS, Theme, stack_png
from services.api.stacking import CELLS, stack
from tests.services.making import capture


def wafer(*xy: tuple[float, float], **columns: np.ndarray) -> PointReader:
    x, y = np.array(xy, np.float32).T
    return PointReader(capture(), PointMap(x, y, 300_000.0, columns=columns))


def test_a_place_all_wafers_share_has_share_one() -> None:
    crowded = wafer((51_000, 49_000), *[(-60_000, 10_000)] * 500)
    made = stack(draw(one) for one in (crowded, wafer((51_000, 49_000)), wafer((51_000, 49_000))))
    assert made.wafers == 3
    assert made.most == 1.0
    row, column = np.unravel_index(made.share.argmax(), made.share.shape)
    assert (row, column) == (CELLS // 3, 2 * CELLS // 3), "up is up and right is right"
    assert sorted(made.share[made.share > 0].tolist()) == [pytest.approx(1 / 3), 1.0]


def test_density_is_where_the_crowd_is() -> None:
    made = stack([draw(wafer((51_000, 49_000), *[(-60_000, 10_000)] * 9)), draw(wafer((51_000, 49_000)))])
    assert made.densest == 4.5
    assert sorted(made.density[made.density > 0].tolist()) == [1.0, 4.5]


def test_the_commonest_class_of_a_cell_wins_over_all_wafers() -> None:
    here, there = (51_000, 49_000), (-60_000, 10_000)
    one = wafer(here, here, there, CLASSNUMBER=np.array([7, 7, 3]))
    two = wafer(here, here, here, there, (0, 0), CLASSNUMBER=np.array([3, 3, 3, 3, 9]))
    made = stack([draw(one), draw(two)])
    assert made.classes == ("3", "7", "9")
    assert sorted(made.dominant[made.dominant >= 0].tolist()) == [0, 0, 2]
    assert stack([draw(one)]).classes[stack([draw(one)]).dominant[CELLS // 3, 2 * CELLS // 3]] == "7"


def test_rare_classes_share_one_colour() -> None:
    places = [(1000.0 * k, 0.0) for k in range(12) for _ in range(k + 1)]
    codes = np.array([k for k in range(12) for _ in range(k + 1)])
    made = stack([draw(wafer(*places, CLASSNUMBER=codes))])
    assert len(made.classes) == len(CLASS_COLOURS)
    assert made.classes[-1] == "other"


def test_die_maps_join_in() -> None:
    states = np.ones((4, 4), np.uint8)
    states[0, 3] = 2
    made = stack([draw(DieReader(capture(), DieMap(states)))])
    assert made.share[: CELLS // 4, 3 * CELLS // 4 :].all()
    assert made.share.sum() == (CELLS // 4) ** 2


def test_nothing_stacks_to_nothing() -> None:
    made = stack([])
    assert (made.wafers, made.most) == (0, 0.0)
    picture = np.asarray(Image.open(io.BytesIO(stack_png(made.share, 64, Theme.DARK))))
    assert picture.shape == (64, 64, 4)
