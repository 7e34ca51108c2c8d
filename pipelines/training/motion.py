"""How each picture of a batch is turned, mirrored and shifted: one motion for its pixels and for its defects."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.domain.verdict import Labels
from models.training_recipe import AugmentationRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A motion of each of N pictures; places are row and column in -1..1, from the top left corner.

    Attributes:
        cos: float (N, 1), of the angle turned by.
        sin: float (N, 1), likewise.
        mirror: float (N, 1), -1 where left and right change sides, else 1.
        shift: float (2, N, 1), rows and columns by which the picture moves up and left.
    """

    cos: Tensor
    sin: Tensor
    mirror: Tensor
    shift: Tensor

    @staticmethod
    def draw(recipe: AugmentationRecipe, labels: Labels, targets: Tensor, generator: Generator) -> "Motion":
        """Draw a motion for each picture; those of directed classes are shifted alone.

        Args:
            recipe: which motions, and how far.
            labels: names the directed classes' columns.
            targets: float (N, K), on the generator's device.
            generator: the only source of chance.
        """
        n = len(targets)
        turn, mirror = torch.zeros(n, 1, device=targets.device), torch.ones(n, 1, device=targets.device)
        if recipe.symmetries:
            turn = torch.floor(_rand((n, 1), targets, generator) * 4) * (torch.pi / 2)
            mirror = torch.where(_rand((n, 1), targets, generator) < 0.5, -1.0, 1.0)
        if recipe.rotation:
            turn = _rand((n, 1), targets, generator) * (2 * torch.pi)
        if recipe.directed:
            columns = [labels.names.index(name) for name in recipe.directed]
            kept = targets[:, columns].any(1, keepdim=True)
            turn = torch.where(kept, torch.zeros_like(turn), turn)
            mirror = torch.where(kept, torch.ones_like(mirror), mirror)
        shift = torch.zeros(2, n, 1, device=targets.device)
        if recipe.shift:
            shift = (_rand((2, n, 1), targets, generator) * 2 - 1) * (2 * recipe.shift)
        return Motion(torch.cos(turn), torch.sin(turn), mirror, shift)

    def came_from(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Where what is seen at places (N or 1, P) after the motion lay before it."""
        columns = columns * self.mirror
        return (
            self.cos * rows - self.sin * columns + self.shift[0],
            self.sin * rows + self.cos * columns + self.shift[1],
        )

    def carry(self, picture: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Where what lay at places (D,) of the pictures (D,) lies after the motion."""
        own = (self.cos, self.sin, self.mirror, *self.shift)
        cos, sin, mirror, up, left = (one.squeeze(1).index_select(0, picture) for one in own)
        rows, columns = rows - up, columns - left
        return cos * rows + sin * columns, mirror * (cos * columns - sin * rows)


def _rand(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device)
