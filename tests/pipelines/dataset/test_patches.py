"""Patches in memory keep their columns together."""

import numpy as np
import pytest

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from pipelines.dataset.patches import PatchSet, targets_of


def patch_set(labels: list[tuple[str, ...]], names: tuple[str, ...], exclusive: bool = True) -> PatchSet:
    n = len(labels)
    text = np.array([str(i) for i in range(n)])
    return PatchSet(
        pixels=np.zeros((n, 4, 4, 2), np.uint8),
        targets=targets_of(labels, names),
        groups=text,
        ids=text,
        splits=np.array(["train"] * n),
        unknown=np.array([""] * n),
        labels=Labels(names, "none" if exclusive else "normal", exclusive),
    )


def test_leaving_a_class_out_makes_its_patches_strangers() -> None:
    patches = patch_set([("a",), ("b",), ("none",)], ("a", "b", "none")).relabelled(("a", "none"))
    assert patches.unknown.tolist() == ["", "b", ""]
    assert patches.index.tolist() == [0, -1, 1]
    assert patches.labels.names == ("a", "none")
    assert patches.labels.normal == "none"


def test_classes_cannot_be_left_out_of_multi_label_patches() -> None:
    with pytest.raises(ConfigurationError, match="exclusive labels"):
        patch_set([("a", "b")], ("a", "b"), exclusive=False).relabelled(("a",))


def test_columns_of_other_lengths_are_refused() -> None:
    patches = patch_set([("a",)], ("a", "none"))
    with pytest.raises(ConfigurationError, match="do not fit"):
        PatchSet(
            patches.pixels,
            patches.targets,
            patches.groups,
            patches.ids,
            np.array(["x", "y"]),
            patches.unknown,
            patches.labels,
        )


def test_choosing_keeps_all_columns_together() -> None:
    patches = patch_set([("a",), ("none",), ("a",)], ("a", "none"))
    chosen = patches.only(np.array([2, 0]))
    assert chosen.ids.tolist() == ["2", "0"]
    assert len(chosen) == 2
    assert patches.only(patches.index == 1).ids.tolist() == ["1"]
