"""Clusters of what looks alike, and which cluster is which later on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import clusters as module
from models.clusters import heirs


def bunches(*sizes: int, noise: float = 0.05, dimensions: int = 16, seed: int = 0) -> np.ndarray:
    """Points around as many random directions as there are sizes, of any length."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(sizes), dimensions))
    points = np.repeat(centres, sizes, axis=0) + noise * rng.standard_normal((sum(sizes), dimensions))
    return (points * rng.uniform(0.5, 20, (len(points), 1))).astype(np.float32)


def clusters(embeddings: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """By embedding alone: all are of one shape."""
    return module.clusters(embeddings, np.zeros((len(embeddings), 90), np.float32))


def test_what_points_the_same_way_is_a_cluster() -> None:
    found = clusters(bunches(5, 9, 2))
    assert [set(group) for group in found] == [set(range(5, 14)), set(range(5)), {14, 15}]


def test_one_like_no_other_is_in_none() -> None:
    assert [len(group) for group in clusters(bunches(6, 1, 5))] == [6, 5]


def test_shapes_tell_apart_what_the_model_cannot() -> None:
    embeddings = np.ones((6, 4), np.float32)
    shapes = np.repeat(np.eye(2, 90, dtype=np.float32), 3, axis=0)
    assert module.clusters(embeddings, shapes) == ((0, 1, 2), (3, 4, 5))


def test_a_single_kind_is_one_cluster() -> None:
    assert [len(group) for group in clusters(bunches(7))] == [7]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_are_no_cluster(count: int) -> None:
    assert clusters(np.ones((count, 4), np.float32)) == ()


def test_two_that_are_equal_are_one() -> None:
    assert clusters(np.ones((2, 4), np.float32)) == ((0, 1),)


def test_the_medoid_comes_first() -> None:
    angles = np.radians([0, 10, 20, 30, 40])
    fan = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    (group,) = clusters(fan)
    assert group[0] == 2
    assert set(group[1:3]) == {1, 3}


def test_the_larger_part_keeps_the_number() -> None:
    assert heirs({7: "abcde"}, ["ab", "cde"]) == {7: 1}
    assert heirs({7: "abcd"}, ["ab", "cd"]) == {}, "halves: neither is what it was"


def test_members_that_are_gone_do_not_count() -> None:
    assert heirs({7: "abcdefgh"}, ["ab", "xyz"]) == {7: 0}
    assert heirs({7: "abc"}, ["xyz"]) == {}


def test_of_merged_clusters_the_larger_lends_its_number_then_the_elder() -> None:
    assert list(heirs({3: "ab", 5: "cde"}, ["abcde"]).items()) == [(5, 0), (3, 0)]
    assert list(heirs({5: "cd", 3: "ab"}, ["abcd"]).items()) == [(3, 0), (5, 0)]


partitions = st.lists(st.integers(0, 4), min_size=1, max_size=30)


def parts(names: list[int]) -> dict[int, set[str]]:
    return {name: {f"m{k}" for k, own in enumerate(names) if own == name} for name in set(names)}


@given(partitions, st.integers(0, 10))
def test_new_members_leave_the_numbers_alone(names: list[int], more: int) -> None:
    old = parts(names)
    order = list(old)
    found = [old[name] | {f"new{name}-{k}" for k in range(more)} for name in order]
    assert heirs(old, found) == {name: k for k, name in enumerate(order)}


@given(partitions, partitions)
def test_an_heir_holds_more_than_half_of_what_is_left(before: list[int], after: list[int]) -> None:
    old, found = parts(before), list(parts(after).values())
    everybody = set().union(*found)
    for number, k in heirs(old, found).items():
        assert 2 * len(old[number] & found[k]) > len(old[number] & everybody)
