"""Changes that keep the label, for whole batches at once, on the device that holds them.

All geometry (symmetry, rotation, shift, coarser dies, jitter) is one gather: where does each pixel of the result come
from? By default from the nearest pixel: a point wafer's pixel is a count of defects, and a blurred count is a picture
no tool would ever send. A die map's pixel is a share of area, and turning it may share it out (`interpolate`), on the
linear scale. What changes counts works on counts for points and on whole dies for die maps.

Uint8 in, uint8 out, so that training sees exactly the kind of pixels serving sees.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.domain.errors import ConfigurationError
from models.domain.patch import DENSITY_FULL
from models.domain.verdict import Labels
from models.preprocessing import share
from models.training_recipe import AugmentationRecipe
from pipelines.dataset.samples import DatasetKind

_COARSEST = 18
"""Dies across the coarsest grid that `regrid` imitates: the largest dies of WM-811K are about that."""
_HIDDEN = (0.1, 0.3)
"""Sides of a hidden part as shares of the picture: large enough to matter, too small to hide most patterns."""


@dataclass(frozen=True, slots=True, eq=False)
class Augmenter:
    """Draws another plausible picture of each patch.

    Attributes:
        recipe: how much of what.
        labels: the classes; `recipe.directed` names some of them.
        kind: what the patches show; defects are counted in points, dies fail whole, images have light.
    """

    recipe: AugmentationRecipe
    labels: Labels
    kind: DatasetKind

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: a directed class does not exist.
        """
        strangers = set(self.recipe.directed) - set(self.labels.names)
        if strangers:
            raise ConfigurationError(
                "directed class does not exist",
                where="recipe.training.augmentation.directed",
                expected=" | ".join(self.labels.names),
                got=", ".join(sorted(strangers)),
            )

    def __call__(self, pixels: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            pixels: uint8 (N, S, S, C).
            targets: float (N, K), 1 where the patch has the class.
            generator: the only source of chance, on the device of `pixels`.

        Returns:
            Pixels of the same shape and dtype, and the targets; several patterns can meet on one patch where labels are
            not exclusive.
        """
        if self.recipe.mix and self.kind is not DatasetKind.IMAGES:
            pixels, targets = self._superimpose(pixels, targets, generator)
        pixels = self._move(pixels, targets, generator)
        if self.kind is DatasetKind.IMAGES:
            return (_light(pixels, self.recipe.photometry, generator) if self.recipe.photometry else pixels), targets
        if self.recipe.thin or self.recipe.noise:
            pixels = self._count(pixels, generator)
        if self.recipe.hide:
            pixels = _hide(pixels, self.recipe.hide, generator)
        return pixels, targets

    def _superimpose(self, pixels: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Lay a pattern on the defects of another wafer: a normal one, or any where labels are not exclusive."""
        n = len(pixels)
        chosen = _rand((n,), pixels, generator) < self.recipe.mix
        partner = torch.randint(n, (n,), generator=generator, device=pixels.device)
        if self.labels.exclusive:
            if self.labels.normal is None:
                return pixels, targets
            normal = torch.nonzero(targets[:, self.labels.names.index(self.labels.normal)] > 0).flatten()
            if not len(normal):
                return pixels, targets
            partner = normal[partner % len(normal)]
        else:
            targets = torch.where(chosen[:, None], torch.maximum(targets, targets[partner]), targets)
        rows = chosen.nonzero().squeeze(1)
        mine, theirs, inspected = pixels[rows, :, :, 0], pixels[partner[rows], :, :, 0], pixels[rows, :, :, 1]
        if self.kind is DatasetKind.POINTS:
            both = _encode(_decode(mine) + _decode(theirs))
        else:
            both = torch.maximum(mine, theirs)
        pixels = pixels.clone()
        pixels[rows, :, :, 0] = both * (inspected > 0)
        return pixels, targets

    def _move(self, pixels: Tensor, targets: Tensor, generator: Generator) -> Tensor:
        """Symmetries, rotation, shift, coarser dies and jitter in one gather."""
        recipe, (n, size, _, channels) = self.recipe, pixels.shape
        if not (recipe.symmetries or recipe.rotation or recipe.shift or recipe.regrid or recipe.jitter):
            return pixels
        line = (torch.arange(size, device=pixels.device) + 0.5) * (2 / size) - 1
        rows, columns = (axis.reshape(1, -1) for axis in torch.meshgrid(line, line, indexing="ij"))
        if recipe.regrid and self.kind is not DatasetKind.IMAGES:
            rows, columns = _coarser(rows, columns, n, recipe.regrid, generator)
        turn, mirror = self._turns(targets, generator)
        cos, sin = torch.cos(turn)[:, None], torch.sin(turn)[:, None]
        rows, columns = cos * rows - sin * columns * mirror, sin * rows + cos * columns * mirror
        if recipe.shift:
            move = (_rand((2, n, 1), pixels, generator) * 2 - 1) * (2 * recipe.shift)
            rows, columns = rows + move[0], columns + move[1]
        if recipe.interpolate and self.kind is not DatasetKind.POINTS:
            moved = _interpolate(pixels, rows, columns, dies=self.kind is DatasetKind.DIE_MAPS)
        else:
            moved = _gather(pixels, rows, columns, fill=self.kind is DatasetKind.IMAGES)
        if recipe.jitter and self.kind is not DatasetKind.IMAGES:
            # Only defects move, not what was inspected; a pixel takes the defects of a near one.
            near = _normal((2, n, size * size), pixels, generator) * (2 * recipe.jitter)
            density = _gather(pixels[..., :1], rows + near[0], columns + near[1], fill=False)
            density = density * (moved[..., 1:2] > 0)
            moved = torch.cat([density, moved[..., 1:]], dim=-1)
        return moved.reshape(n, size, size, channels)

    def _turns(self, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Angle (N,) in radians and mirror (N, 1), +1 or -1; patches of directed classes get 0 and 1."""
        n = len(targets)
        turn, mirror = torch.zeros(n, device=targets.device), torch.ones(n, 1, device=targets.device)
        if self.recipe.symmetries:
            turn = torch.floor(_rand((n,), targets, generator) * 4) * (torch.pi / 2)
            mirror = torch.where(_rand((n, 1), targets, generator) < 0.5, -1.0, 1.0)
        if self.recipe.rotation:
            turn = _rand((n,), targets, generator) * (2 * torch.pi)
        if self.recipe.directed:
            columns = [self.labels.names.index(name) for name in self.recipe.directed]
            kept = targets[:, columns].any(1)
            turn = torch.where(kept, torch.zeros_like(turn), turn)
            mirror = torch.where(kept[:, None], torch.ones_like(mirror), mirror)
        return turn, mirror

    def _count(self, pixels: Tensor, generator: Generator) -> Tensor:
        """Take defects away and add background ones; another share for each patch, up to the recipe's."""
        density, inspected = pixels[..., 0], pixels[..., 1]
        n = len(pixels)
        lost = _rand((n, 1, 1), pixels, generator) * self.recipe.thin
        more = _rand((n, 1, 1), pixels, generator) * self.recipe.noise
        chance = _rand(tuple(density.shape), pixels, generator)
        if self.kind is DatasetKind.POINTS:
            counts = _decode(density)
            # Rounded by chance: on average exactly the share is left, and a single defect stays or goes whole.
            spread = (
                more * counts.sum((1, 2), keepdim=True) / inspected.count_nonzero((1, 2)).clamp_min(1)[:, None, None]
            )
            changed = _encode(torch.floor(counts * (1 - lost) + spread * (inspected > 0) + chance))
        else:
            fails = torch.full_like(density, 255)
            changed = torch.where(chance < lost, torch.zeros_like(density), density)
            changed = torch.where(chance > 1 - more, fails, changed)
        density = torch.where(inspected > 0, changed, torch.zeros_like(changed))
        return torch.stack([density, inspected], dim=-1)


def _coarser(rows: Tensor, columns: Tensor, n: int, chance: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Let all pixels of a coarse cell look at the cell's middle: the wafer as a product with larger dies shows it."""
    size = round(rows.shape[1] ** 0.5)
    cells = _COARSEST + torch.floor(_rand((2, n, 1), rows, generator) * (size - _COARSEST))
    cells = torch.where(_rand((n, 1), rows, generator) < chance, cells, torch.full_like(cells, float(size)))
    down, across = cells.clamp(1, size)
    return (
        (torch.floor((rows + 1) / 2 * down) + 0.5) / down * 2 - 1,
        (torch.floor((columns + 1) / 2 * across) + 0.5) / across * 2 - 1,
    )


def _gather(pixels: Tensor, rows: Tensor, columns: Tensor, *, fill: bool) -> Tensor:
    """Nearest pixels at places (N or 1, S·S) in -1..1; beyond the edge the last pixel (`fill`) or nothing."""
    n, size, _, channels = pixels.shape
    # The tiny addend keeps exact quarter turns exact: cos(pi/2) is not quite 0.
    row, column = (torch.floor((axis + 1) * (size / 2) + 1e-4).long() for axis in (rows, columns))
    inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    source = (row.clamp(0, size - 1) * size + column.clamp(0, size - 1)).expand(n, -1)
    found = pixels.reshape(n, size * size, channels).gather(1, source[..., None].expand(-1, -1, channels))
    if not fill:
        found = found * inside[..., None]
    return found.reshape(n, size, size, channels)


def _interpolate(pixels: Tensor, rows: Tensor, columns: Tensor, *, dies: bool) -> Tensor:
    """Like `_gather`, but a place between pixels takes from the four around it; die maps by the share that failed."""
    n, size = pixels.shape[:2]
    values = pixels.permute(0, 3, 1, 2).float() / 255
    if dies:  # of 256 bytes, not of every pixel: an exponential costs more than a look
        values[:, 0] = share(torch.arange(256, device=pixels.device))[pixels[..., 0].long()]
    places = torch.stack([columns.expand(n, -1), rows.expand(n, -1)], dim=-1).view(n, size, size, 2)
    beyond = "zeros" if dies else "border"
    moved = functional.grid_sample(values, places, mode="bilinear", padding_mode=beyond, align_corners=False)
    if dies:
        moved[:, 0] = torch.log(moved[:, 0] * DENSITY_FULL + 1) / math.log1p(DENSITY_FULL)  # log1p is slower, not finer
    found = (moved.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    if dies:  # at the rim the log scale keeps a trace of a die where the inspected share rounds to nothing
        found[..., 0] *= found[..., 1] > 0
    return found


def _hide(pixels: Tensor, chance: float, generator: Generator) -> Tensor:
    """Treat a rectangle as not inspected."""
    n, size = pixels.shape[:2]
    draws = _rand((5, n, 1), pixels, generator)
    line = (torch.arange(size, device=pixels.device) + 0.5)[None] / size
    low, high = _HIDDEN
    half = (low + draws[:2] * (high - low)) / 2
    inside = ((line - draws[2]).abs() < half[0])[:, :, None] & ((line - draws[3]).abs() < half[1])[:, None, :]
    hidden = inside & (draws[4] < chance)[:, :, None]
    return pixels * ~hidden[..., None]


def _light(pixels: Tensor, strength: float, generator: Generator) -> Tensor:
    """Exposure, contrast, tint and blur of images, each patch by its own draw."""
    n, _, _, channels = pixels.shape
    draws = _rand((4, n, 1, 1, 1), pixels, generator) * 2 - 1
    values = pixels.float() / 255
    middle = values.mean((1, 2, 3), keepdim=True)
    tint = 1 + 0.15 * strength * (_rand((n, 1, 1, channels), pixels, generator) * 2 - 1)
    values = (values - middle) * (1 + 0.5 * strength * draws[0]) + middle * (1 + 0.5 * strength * draws[1])
    values = values * tint
    amount = (strength * draws[2]).clamp_min(0)
    soft = amount.flatten().nonzero().squeeze(1)
    flat = (
        values[soft].permute(0, 3, 1, 2).contiguous()
    )  # pooling of channels that lie side by side is ten times slower
    blurred = functional.avg_pool2d(functional.pad(flat, (1, 1, 1, 1), mode="replicate"), 3, 1).permute(0, 2, 3, 1)
    values[soft] += (blurred - values[soft]) * amount[soft]
    grain = (0.03 * strength * draws[3]).clamp_min(0)
    rough = grain.flatten().nonzero().squeeze(1)
    values[rough] += _normal(tuple(values[rough].shape), pixels, generator) * grain[rough]
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)


def _decode(density: Tensor) -> Tensor:
    """Defects per pixel, float, of density bytes: the inverse of the renderer's log scale."""
    full = torch.log1p(torch.tensor(float(DENSITY_FULL)))
    table = torch.expm1(torch.arange(256) / 255 * full).round().to(density.device)
    return table[density.long()]


def _encode(counts: Tensor) -> Tensor:
    """Density bytes of defects per pixel, as the renderer writes them."""
    numbers = torch.arange(DENSITY_FULL + 1, dtype=torch.float64)
    full = torch.log1p(torch.tensor(float(DENSITY_FULL), dtype=torch.float64))
    table = (torch.log1p(numbers) * 255 / full + 0.5 + 1e-5).to(torch.uint8).to(counts.device)
    return table[counts.clamp(0, DENSITY_FULL).long()]


def _rand(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device)


def _normal(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device)
