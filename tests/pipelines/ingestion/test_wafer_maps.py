"""Wafer data checks itself once."""

import numpy as np
import pytest

from models.domain.errors import InputError
from pipelines.ingestion.wafer_maps import DieGrid, DieMap, Pictures, PointMap

ONE = np.zeros(1, np.float32)


@pytest.mark.parametrize(
    ("x", "y", "diameter"),
    [(ONE, np.zeros(2, np.float32), 3e5), (np.float32([np.nan]), ONE, 3e5), (ONE, ONE, 0.0), (ONE, ONE, float("nan"))],
)
def test_points_must_pair_up_be_finite_and_lie_on_a_wafer(x: np.ndarray, y: np.ndarray, diameter: float) -> None:
    with pytest.raises(InputError):
        PointMap(x, y, diameter)


def test_columns_are_as_long_as_the_points() -> None:
    with pytest.raises(InputError, match="CLASSNUMBER"):
        PointMap(ONE, ONE, 3e5, columns={"CLASSNUMBER": np.zeros(2, np.int64)})


@pytest.mark.parametrize(
    "states", [np.zeros((2, 2), np.int64), np.zeros(4, np.uint8), np.zeros((0, 3), np.uint8), np.uint8([[3]])]
)
def test_die_maps_hold_known_states(states: np.ndarray) -> None:
    with pytest.raises(InputError):
        DieMap(states)


def test_die_maps_count() -> None:
    dies = DieMap(np.uint8([[0, 1], [2, 2]]))
    assert (dies.inspected, dies.failed) == (3, 2)


@pytest.mark.parametrize(("corner", "pitch"), [(np.inf, (1.0, 1.0)), (0.0, (0.0, 1.0)), (0.0, (1.0, -1.0))])
def test_die_grids_are_finite_and_have_a_pitch(corner: float, pitch: tuple[float, float]) -> None:
    with pytest.raises(InputError):
        DieGrid(np.array([corner]), np.array([0.0]), pitch)


@pytest.mark.parametrize(
    ("numbers", "pages", "places"),
    [
        ([1, 2, 3], 3, [0, 1, 2]),
        ([0, 2, 1], 3, [0, 2, 1]),
        ([2, 3], 5, [1, 2]),
        ([7, 9, 8], 3, [0, 1, 2]),
        ([-1, 5], 2, [0, 1]),
        ([4, 4, 4], 2, [0, 1, 1]),
    ],
    ids=["from 1", "from 0", "some of many", "numbers of something else", "negative", "too many"],
)
def test_pages_of_pictures_count_from_1_or_0(numbers: list[int], pages: int, places: list[int]) -> None:
    count = len(numbers)
    page = np.array([99, *numbers], np.int32)
    pictures = Pictures(np.arange(count + 1), page, np.array(["other.tif"] + ["a.tif"] * count))
    assert [pictures.place_in_file(k + 1, pages) for k in range(count)] == places
