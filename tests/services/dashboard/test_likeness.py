"""Likeness: turned and mirrored maps are alike, different patterns are not, and groups are mostly of one pattern."""

import numpy as np
import pytest

from pipelines.ingestion import DieMap, DieReader, PointMap, PointReader
from pipelines.simulate import UNKNOWN_PATTERNS, sample
from services.api.drawing import Drawing, draw
from services.dashboard.likeness import ALIKE, describe, groups
from tests.services.making import capture


def drawn(points: PointMap) -> Drawing:
    return draw(PointReader(capture(), points))


def turned(points: PointMap, angle: float, mirror: bool = False) -> PointMap:
    x = -points.x_um if mirror else points.x_um
    c, s = np.cos(angle), np.sin(angle)
    return PointMap(
        (c * x - s * points.y_um).astype(np.float32), (s * x + c * points.y_um).astype(np.float32), points.diameter_um
    )


@pytest.mark.parametrize("pattern", sorted(UNKNOWN_PATTERNS))
def test_turning_and_mirroring_change_little(pattern: str) -> None:
    points = sample(pattern, 5, defects=4000).points
    here, there = describe(drawn(points)), describe(drawn(turned(points, 0.7, mirror=True)))
    assert np.linalg.norm(here - there) < ALIKE / 2


def test_groups_hold_one_pattern_each() -> None:
    patterns = sorted(UNKNOWN_PATTERNS)
    truth = [pattern for pattern in patterns for _ in range(6)]
    described = [describe(drawn(sample(p, 50 + k, defects=(500, 9000)).points)) for k, p in enumerate(truth)]
    found = groups(described)
    assert sorted(k for group in found for k in group.members) == list(range(len(truth)))
    pure = sum(max([truth[k] for k in group.members].count(p) for p in patterns) for group in found)
    assert pure / len(truth) > 0.9
    assert len(found) < len(truth) * 2 / 3, "what looks alike is put together"


def test_empty_wafers_and_images_are_alike_in_saying_nothing() -> None:
    empty = describe(drawn(PointMap(np.empty(0, np.float32), np.empty(0, np.float32), 300_000.0)))
    assert not empty.any()
    assert groups([]) == []
    assert [group.members for group in groups([empty])] == [(0,)]


def test_die_maps_and_points_of_one_shape_are_alike() -> None:
    states = np.ones((40, 40), np.uint8)
    states[8:16, 20:28] = 2
    rows, columns = np.argwhere(states == 2).T
    rng = np.random.default_rng(1)
    x = (np.repeat(columns, 9) + rng.uniform(0, 1, 9 * len(columns))) / 40 * 300_000 - 150_000
    y = 150_000 - (np.repeat(rows, 9) + rng.uniform(0, 1, 9 * len(rows))) / 40 * 300_000
    points = PointMap(x.astype(np.float32), y.astype(np.float32), 300_000.0)
    dies = describe(draw(DieReader(capture(), DieMap(states))))
    assert np.linalg.norm(dies - describe(drawn(points))) < ALIKE
