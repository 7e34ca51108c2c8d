"""Contrast of known and drawn: normal ones in the majority; classes left out are strangers to the score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.dataset.drawn import drawn_strangers
from pipelines.dataset.loading import load_patches
from pipelines.dataset.patches import PatchSet
from pipelines.training.contrast import (
    NORMAL_SHARE,
    TrainingTraits,
    contrast_of,
    cross_fitted,
    leave_each_out,
    traits_of,
)


@pytest.fixture(scope="module")
def patches(dataset: Path) -> PatchSet:
    return load_patches(dataset, tile=16, channels=2)


@pytest.fixture(scope="module")
def traits(dataset: Path, patches: PatchSet) -> TrainingTraits:
    train = patches.split("train")
    return TrainingTraits(traits_of(train.pixels), traits_of(drawn_strangers(dataset, tile=16, count=300)))


def test_most_of_the_known_are_normal(patches: PatchSet, traits: TrainingTraits) -> None:
    train = patches.split("train")
    numbered = TrainingTraits(torch.arange(len(train))[:, None].float(), traits.strange)
    rows = contrast_of(train, numbered, seed=0).known[:, 0].long().numpy()
    assert len(rows) == 300
    counts = np.bincount(train.index[rows], minlength=3) / 300
    normal = train.labels.names.index("none")
    assert counts[normal] == pytest.approx(NORMAL_SHARE, abs=0.02)
    assert np.delete(counts, normal) == pytest.approx([(1 - NORMAL_SHARE) / 2] * 2, abs=0.02)


def test_each_class_left_out_is_told_from_the_rest(patches: PatchSet, traits: TrainingTraits) -> None:
    found = leave_each_out(patches.split("train"), patches.split("test"), traits, seed=0)
    assert set(found) == {"Center", "Edge-Ring"}
    for name, one in found.items():
        own = int((patches.split("train").index == patches.labels.names.index(name)).sum())
        assert one.strangers > own  # those of the test lots are strangers too
        assert 0.5 < one.auroc <= 1
        assert 0 <= one.fpr_at_95 <= 1
        assert 0 < one.aupr <= 1


def test_no_training_patch_is_scored_by_what_was_fitted_on_its_lot(patches: PatchSet, traits: TrainingTraits) -> None:
    train = patches.split("train")
    crossed = cross_fitted(train, traits, seed=0)
    assert crossed is not None
    assert crossed.shape == (len(train),)
    odd = train.groups == train.groups[0]
    strange = traits.train.clone()
    strange[torch.from_numpy(odd)] = traits.strange[: int(odd.sum())]  # one lot looks like strangers
    seen_apart = cross_fitted(train, TrainingTraits(strange, traits.strange), seed=0)
    assert seen_apart is not None
    assert np.median(seen_apart[odd]) > np.quantile(seen_apart[~odd], 0.8)


def test_few_lots_are_not_held_out(patches: PatchSet, traits: TrainingTraits) -> None:
    train = patches.split("train")
    assert cross_fitted(replace(train, groups=np.full(len(train), "one")), traits, seed=0) is None
