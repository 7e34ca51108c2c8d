"""Changes that keep the label, for whole batches at once, on the device that holds them.

Wafers that are points are changed as points and drawn afterwards (`pipelines.training.defects`); of their pixels only
the inspected share moves. Of die maps and images the pixels move: all geometry (symmetry, rotation, shift, coarser
dies, jitter) is one gather: where does each pixel of the result come from? By default from the nearest pixel; a die
map's pixel is a share of area, and turning it may share it out (`interpolate`), on the linear scale. What changes how
much failed works on whole dies.

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
from pipelines.training.defects import Defects
from pipelines.training.motion import Motion

_COARSEST = 18
"""Dies across the coarsest grid that `regrid` imitates: the largest dies of WM-811K are about that."""
_HIDDEN = (0.1, 0.3)
"""Sides of a hidden part as shares of the picture: large enough to matter, too small to hide most patterns."""

_MIDDLE = (0.6, 1.0)
"""Of an image: the object lies within the first share of half the side, beyond the second all is other ground."""


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

    def __call__(
        self, pixels: Tensor, targets: Tensor, generator: Generator, defects: Defects | None = None
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            pixels: uint8 (N, S, S, C).
            targets: float (N, K), 1 where the patch has the class.
            generator: the only source of chance, on the device of `pixels`.
            defects: of the same wafers, where these are points.

        Returns:
            Pixels of the same shape and dtype, and the targets; several patterns can meet on one patch where labels are
            not exclusive.

        Raises:
            ValueError: wafers that are points came without their defects.
        """
        if self.kind is DatasetKind.IMAGES:
            if self.recipe.mix and self.labels.exclusive:
                hosts, guests, targets = self._meet(targets, generator)
                pixels = _on_other_ground(pixels, hosts, guests)
            pixels = self._move(pixels, targets, generator)
            return (_light(pixels, self.recipe.photometry, generator) if self.recipe.photometry else pixels), targets
        if self.kind is DatasetKind.DIE_MAPS:
            pixels, targets = self._dies(pixels, targets, generator)
        elif defects is None:
            raise ValueError("points are augmented as points: load the patches with their places")
        else:
            pixels, targets = self._points(pixels, targets, defects, generator)
        if self.recipe.hide:
            pixels = _hide(pixels, self.recipe.hide, generator)
        return pixels, targets

    def _dies(self, pixels: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Die maps: lay one on another, move them, let dies fail or pass."""
        if self.recipe.mix:
            hosts, guests, targets = self._meet(targets, generator)
            pixels = pixels.clone()
            both = torch.maximum(pixels[hosts, :, :, 0], pixels[guests, :, :, 0])
            pixels[hosts, :, :, 0] = both * (pixels[hosts, :, :, 1] > 0)
        pixels = self._move(pixels, targets, generator)
        if self.recipe.thin or self.recipe.thicken or self.recipe.noise:
            pixels = self._fail(pixels, generator)
        return pixels, targets

    def _points(self, pixels: Tensor, targets: Tensor, defects: Defects, generator: Generator) -> tuple[Tensor, Tensor]:
        """Points: change them where they lie, move them with what was inspected, and draw them."""
        recipe, inspected = self.recipe, pixels[..., 1]
        if recipe.mix:
            hosts, guests, targets = self._meet(targets, generator)
            defects = defects.laid(guests, hosts, inspected)
        if recipe.thicken:
            defects = defects.thickened(recipe.thicken, inspected, generator)
        if recipe.jitter:
            defects = defects.jittered(2 * recipe.jitter, inspected, generator)
        if recipe.thin:
            defects = defects.thinned(recipe.thin, generator)
        if recipe.noise:
            defects = defects.noised(recipe.noise, inspected, generator)
        if self._moving:
            motion = Motion.draw(recipe, self.labels, targets, generator)
            defects = defects.moved(motion)
            rows, columns = motion.came_from(*_grid(pixels))
            inspected = _gather(pixels[..., 1:], rows, columns, fill=False)[..., 0]
        return torch.stack([defects.drawn(pixels.shape[1]), inspected], dim=-1), targets

    @property
    def _moving(self) -> bool:
        return self.recipe.symmetries or self.recipe.rotation or bool(self.recipe.shift)

    def _meet(self, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Who gets the defects of whom: those of a normal wafer, or of any where labels are not exclusive.

        Returns:
            Hosts and guests, int64 (M,) each, and the targets of all.
        """
        n = len(targets)
        chosen = _rand((n,), targets, generator) < self.recipe.mix
        partner = torch.randint(n, (n,), generator=generator, device=targets.device)
        if self.labels.exclusive:
            normal = torch.zeros(0, device=targets.device)
            if self.labels.normal is not None:
                normal = torch.nonzero(targets[:, self.labels.names.index(self.labels.normal)] > 0).flatten()
            if not len(normal):
                nobody = partner[:0]
                return nobody, nobody, targets
            partner = normal[partner % len(normal)]
        else:
            targets = torch.where(chosen[:, None], torch.maximum(targets, targets[partner]), targets)
        hosts = chosen.nonzero().squeeze(1)
        return hosts, partner[hosts], targets

    def _move(self, pixels: Tensor, targets: Tensor, generator: Generator) -> Tensor:
        """Symmetries, rotation, shift, coarser dies and jitter of pixels in one gather."""
        recipe, (n, size, _, channels) = self.recipe, pixels.shape
        dies = self.kind is DatasetKind.DIE_MAPS
        if not (self._moving or (dies and (recipe.regrid or recipe.jitter))):
            return pixels
        rows, columns = _grid(pixels)
        if recipe.regrid and dies:
            rows, columns = _coarser(rows, columns, n, recipe.regrid, generator)
        rows, columns = Motion.draw(recipe, self.labels, targets, generator).came_from(rows, columns)
        if recipe.interpolate:
            moved = _interpolate(pixels, rows, columns, dies=dies)
        else:
            moved = _gather(pixels, rows, columns, fill=not dies)
        if recipe.jitter and dies:
            # Only failures move, not what was inspected; a pixel takes those of a near one.
            near = _normal((2, n, size * size), pixels, generator) * (2 * recipe.jitter)
            density = _gather(pixels[..., :1], rows + near[0], columns + near[1], fill=False)
            density = density * (moved[..., 1:2] > 0)
            moved = torch.cat([density, moved[..., 1:]], dim=-1)
        return moved.reshape(n, size, size, channels)

    def _fail(self, pixels: Tensor, generator: Generator) -> Tensor:
        """Failures spread to what lies beside them, failed dies pass, others fail; each patch by shares of its own."""
        density, inspected = pixels[..., 0], pixels[..., 1]
        n = len(pixels)
        lost = _rand((n, 1, 1), pixels, generator) * self.recipe.thin
        more = _rand((n, 1, 1), pixels, generator) * self.recipe.noise
        changed = density
        if self.recipe.thicken:
            wide = _rand((n, 1, 1), pixels, generator) * self.recipe.thicken
            around = functional.max_pool2d(density.float(), 3, 1, 1).to(torch.uint8)
            changed = torch.where(_rand(tuple(density.shape), pixels, generator) < wide, around, density)
        chance = _rand(tuple(density.shape), pixels, generator)
        changed = torch.where(chance < lost, torch.zeros_like(changed), changed)
        changed = torch.where(chance > 1 - more, torch.full_like(density, 255), changed)
        density = torch.where(inspected > 0, changed, torch.zeros_like(changed))
        return torch.stack([density, inspected], dim=-1)


def _grid(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every pixel's middle in -1..1, (1, S·S) each."""
    size = pixels.shape[1]
    line = (torch.arange(size, device=pixels.device) + 0.5) * (2 / size) - 1
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return rows.reshape(1, -1), columns.reshape(1, -1)


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
    source = row.clamp(0, size - 1) * size + column.clamp(0, size - 1)
    source = source + torch.arange(n, device=pixels.device)[:, None] * (size * size)
    found = pixels.reshape(-1, channels).index_select(0, source.flatten()).reshape(n, size * size, channels)
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


def _on_other_ground(pixels: Tensor, hosts: Tensor, guests: Tensor) -> Tensor:
    """Keep the middle of the patches `hosts` (M,), where the object is, and take what lies around it from `guests`."""
    size = pixels.shape[1]
    rows, columns = _grid(pixels)
    near, far = _MIDDLE
    own = ((far - torch.hypot(rows, columns)) / (far - near)).clamp(0, 1).view(size, size, 1)
    mixed = pixels.clone()
    mixed[hosts] = (pixels[hosts] * own + pixels[guests] * (1 - own)).round().to(torch.uint8)
    return mixed


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


def _rand(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=like.device)


def _normal(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device)
