"""Regions: every window in exactly one per label, areas of unions, whatever the order."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.regions import Region, merge
from models.domain.tiling import Level, Tiling, Window, windows
from models.domain.verdict import Reason, Verdict


def verdict(window: Window, label: str | None, confidence: float = 0.9, also: tuple[str, ...] = ()) -> Verdict:
    return Verdict(window, label, confidence, 0.0, Reason.CONFIDENT if label else Reason.NOVEL, also=also)


@st.composite
def judged(draw: st.DrawFn) -> list[Verdict]:
    tile = draw(st.integers(1, 9))
    tiling = Tiling(tile, draw(st.integers(0, tile - 1)))
    level = Level(3, draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    labels = st.sampled_from(["scratch", "ring", None])
    return [verdict(w, draw(labels), draw(st.floats(0, 1))) for w in windows(level, tiling)]


def painted(verdicts: list[Verdict], label: str | None) -> np.ndarray:
    level = verdicts[0].window.level
    canvas = np.zeros((level.height, level.width), bool)
    for one in verdicts:
        if one.label == label:
            w = one.window
            canvas[w.top : w.bottom, w.left : w.right] = True
    return canvas


def flooded(canvas: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected parts of a painted canvas, the slow and obvious way."""
    left = {(int(r), int(c)) for r, c in np.argwhere(canvas)}
    parts = []
    while left:
        queue, part = [left.pop()], set()
        while queue:
            r, c = queue.pop()
            part.add((r, c))
            for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                if near in left:
                    left.remove(near)
                    queue.append(near)
        parts.append(part)
    return parts


@settings(max_examples=80, deadline=None)
@given(judged())
def test_regions_are_the_connected_parts_of_what_is_painted(verdicts: list[Verdict]) -> None:
    found = merge(verdicts)
    level = verdicts[0].window.level
    assert sum(region.windows for region in found) == len(verdicts)
    for label in ("scratch", "ring", None):
        mine = [region for region in found if region.label == label]
        parts = flooded(painted(verdicts, label))
        assert len(mine) == len(parts)
        pixels = level.height * level.width
        expected = sorted(
            (
                len(part) / pixels,
                sum(r + 0.5 for r, _ in part) / len(part) / level.height,
                sum(c + 0.5 for _, c in part) / len(part) / level.width,
            )
            for part in parts
        )
        got = sorted((region.area, *region.centre) for region in mine)
        np.testing.assert_allclose(np.reshape(got, (-1, 3)), np.reshape(expected, (-1, 3)), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(judged(), st.randoms())
def test_order_does_not_matter(verdicts: list[Verdict], random: random.Random) -> None:
    shuffled = list(verdicts)
    random.shuffle(shuffled)
    assert same(merge(shuffled), merge(verdicts))


def same(one: tuple[Region, ...], other: tuple[Region, ...]) -> bool:
    def key(region: Region) -> tuple[object, ...]:
        return (region.label or "", region.box, region.windows, round(region.area, 9), round(region.confidence, 9))

    return sorted(map(key, one)) == sorted(map(key, other))


@given(judged())
@settings(max_examples=30, deadline=None)
def test_one_label_everywhere_is_one_region_that_covers_all(verdicts: list[Verdict]) -> None:
    (region,) = merge([verdict(one.window, "ring") for one in verdicts])
    assert region.area == pytest.approx(1)
    assert region.centre == pytest.approx((0.5, 0.5))
    assert region.box == (0, 0, 1, 1)


def test_a_corner_does_not_connect_and_an_edge_does() -> None:
    level = Level(1, 4, 4)
    corner = [verdict(Window(level, 0, 0, 2, 2), "a"), verdict(Window(level, 2, 2, 2, 2), "a")]
    assert [region.windows for region in merge(corner)] == [1, 1]
    edge = [verdict(Window(level, 0, 0, 2, 2), "a", 0.6), verdict(Window(level, 1, 2, 2, 2), "a", 0.8)]
    (region,) = merge(edge)
    assert (region.windows, region.area, region.confidence) == (2, 8 / 16, 0.8)
    assert region.box == (0, 0, 0.75, 1)


def test_levels_stay_apart_and_uninspected_windows_out() -> None:
    coarse, fine = Level(0, 2, 2), Level(1, 4, 4)
    found = merge(
        [
            verdict(Window(coarse, 0, 0, 2, 2), "a"),
            verdict(Window(fine, 0, 0, 2, 2), "a"),
            Verdict(Window(fine, 2, 2, 2, 2), None, 0, 0, Reason.NOT_INSPECTED),
        ]
    )
    assert [(region.level.index, region.label) for region in found] == [(0, "a"), (1, "a")]


def test_a_window_with_two_labels_belongs_to_two_regions() -> None:
    found = merge([verdict(Window(Level(0, 2, 2), 0, 0, 2, 2), "ring", also=("scratch",))])
    assert {region.label for region in found} == {"ring", "scratch"}


def test_padding_is_no_area() -> None:
    (region,) = merge([verdict(Window(Level(0, 3, 5), 0, 0, 8, 8), "a")])
    assert region.area == 1
    assert math.isclose(region.centre[0], 0.5)


def test_nothing_gives_nothing() -> None:
    assert merge([]) == ()
