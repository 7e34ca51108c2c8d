"""No group on two sides, every class near its share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.dataset.split import assign_groups, classes_in_few_groups, folds_by_group, split_by_group


def lots(seed: int, lots: int = 60, classes: int = 4) -> tuple[np.ndarray, list[str]]:
    """Lots of very different size, each dominated by one class, as a fab has them."""
    rng = np.random.default_rng(seed)
    targets, groups = [], []
    for lot in range(lots):
        weights = rng.dirichlet(np.full(classes, 0.3))
        for _ in range(int(rng.pareto(1.2) * 5) + 1):
            targets.append(np.eye(classes, dtype=np.uint8)[rng.choice(classes, p=weights)])
            groups.append(f"lot{lot}")
    return np.array(targets), groups


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_group_lies_on_two_sides(seed: int) -> None:
    targets, groups = lots(seed)
    parts = split_by_group(targets, groups, seed=seed)
    for group in set(groups):
        assert len({part for part, name in zip(parts, groups, strict=True) if name == group}) == 1


def test_every_class_gets_near_its_share() -> None:
    targets, groups = lots(1, lots=400)
    parts = split_by_group(targets, groups)
    for name, share in (("train", 0.7), ("valid", 0.15), ("test", 0.15)):
        assert targets[parts == name].sum(0) / targets.sum(0) == pytest.approx(share, abs=0.06), (
            "single lots hold 5 % of a class"
        )


def test_balances_better_than_shuffled_groups() -> None:
    targets, groups = lots(2, lots=100)

    def worst(parts: np.ndarray) -> float:
        return max(abs(float((targets[parts == k].sum(0) / targets.sum(0) - 0.2).max())) for k in range(5))

    names = sorted(set(groups))
    shuffled = []
    for seed in range(20):
        chosen = dict(zip(names, np.random.default_rng(seed).integers(0, 5, len(names)), strict=True))
        shuffled.append(worst(np.array([chosen[group] for group in groups])))
    assert worst(folds_by_group(targets, groups, 5)) < min(shuffled)


def test_same_seed_same_split_and_row_order_does_not_matter() -> None:
    targets, groups = lots(3)
    order = np.random.default_rng(0).permutation(len(groups))
    parts = assign_groups(targets, groups, (0.7, 0.15, 0.15), seed=5)
    again = assign_groups(targets[order], [groups[i] for i in order], (0.7, 0.15, 0.15), seed=5)
    assert (parts[order] == again).all()


def test_another_seed_gives_other_folds() -> None:
    targets, groups = lots(4)
    assert (folds_by_group(targets, groups, 5, seed=0) != folds_by_group(targets, groups, 5, seed=1)).any()


def test_classes_in_few_groups_are_named() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], np.uint8)
    assert classes_in_few_groups(targets, ["a", "b", "c", "a", "b"]) == [1]


def test_multi_label_rows_and_rows_without_any_label_are_split() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((300, 3)) < (0.5, 0.2, 0.05)).astype(np.uint8)
    parts = split_by_group(targets, [str(i) for i in range(300)])
    assert targets[parts == "train"].sum(0) / targets.sum(0) == pytest.approx(0.7, abs=0.05)
