"""Strangers are added, belong to no class, and are never made of normal patches."""

import torch
from torch import Generator

from models.domain.verdict import Labels
from pipelines.training.strangers import with_strangers

LABELS = Labels(("none", "ring", "scratch"), normal="none")


def batch(*classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches whose every pixel is unique to the patch: 10 × its number + its quarter."""
    pixels = torch.zeros(len(classes), 8, 8, 2, dtype=torch.uint8)
    for number in range(len(classes)):
        for quarter, (top, left) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4))):
            pixels[number, top : top + 4, left : left + 4] = 10 * (number + 1) + quarter
    return pixels, torch.nn.functional.one_hot(torch.tensor(classes), 3).float()


def test_the_batch_stays_and_strangers_may_be_anything() -> None:
    pixels, targets = batch(1, 2, 0, 1)
    more, wanted = with_strangers(pixels, targets, LABELS, 0.5, Generator().manual_seed(0))
    assert more.shape == (6, 8, 8, 2)
    assert more.dtype == torch.uint8
    assert torch.equal(more[:4], pixels)
    assert torch.equal(wanted[:4], targets)
    torch.testing.assert_close(wanted[4:], torch.full((2, 3), 1 / 3))


def test_normal_patches_are_never_used() -> None:
    pixels, targets = batch(0, 0, 1, 2)
    more, _ = with_strangers(pixels, targets, LABELS, 1.0, Generator().manual_seed(1))
    assert set((more[4:] // 10).unique().tolist()) <= {3, 4}


def test_a_single_pattern_gets_its_parts_misplaced_and_loses_none() -> None:
    pixels, targets = batch(1, 1)
    more, _ = with_strangers(pixels, targets, LABELS, 1.0, Generator().manual_seed(2))
    for stranger in more[2:]:
        origin = pixels[int(stranger[0, 0, 0]) // 10 - 1]
        assert torch.equal(stranger.flatten().sort().values, origin.flatten().sort().values)
        assert not torch.equal(stranger, origin)


def test_nothing_to_make_them_of() -> None:
    pixels, targets = batch(0, 0, 1)
    more, _ = with_strangers(pixels, targets, LABELS, 1.0, Generator().manual_seed(3))
    assert len(more) == 3
