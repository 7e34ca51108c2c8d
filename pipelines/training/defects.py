"""Defects of a batch of wafers as points on the device: laid together, displaced, thinned, added, and drawn at the end.

Nothing is a pixel before `drawn`, so a defect moves by fractions of a pixel and stays one defect. What is added, and
what is displaced, lies only where something was inspected.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from models import drawing
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.places import DefectPlaces
from pipelines.training.motion import Motion

_BESIDE = 0.02
"""Standard deviation between a defect and the one that thickens it: 1 % of the diameter, a pixel or so."""
_LEAST_INSPECTED = 1 / 16
"""Share of the frame: where less was inspected, less noise is added than asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """D defects, or heaps of them, on N wafers.

    Attributes:
        wafer: int64 (D,), which of the batch.
        row: float (D,), -1..1 from the top.
        column: float (D,), -1..1 from the left.
        weight: int32 (D,), defects at that place.
        wafers: N.
    """

    wafer: Tensor
    row: Tensor
    column: Tensor
    weight: Tensor
    wafers: int

    @staticmethod
    def of(places: DefectPlaces, device: torch.device) -> "Defects":
        """The defects of the wafers of a batch, in order; each lies in the middle of its subdivision of a pixel."""
        wafer = np.repeat(np.arange(len(places)), np.diff(places.first))
        row, column, weight = (torch.from_numpy(one).to(device) for one in (places.row, places.column, places.weight))
        unit = 2 / (places.tile << places.bits)
        return Defects(
            wafer=torch.from_numpy(wafer).to(device),
            row=(row.float() + 0.5) * unit - 1,
            column=(column.float() + 0.5) * unit - 1,
            weight=weight.int(),
            wafers=len(places),
        )

    def laid(self, guests: Tensor, hosts: Tensor, inspected: Tensor) -> "Defects":
        """The defects of wafers `guests` (M,) on the wafers `hosts` (M,) as well; these are in the order of wafers."""
        sizes = torch.bincount(self.wafer, minlength=self.wafers)
        first = sizes.cumsum(0) - sizes
        copied = sizes[guests]
        pair = torch.repeat_interleave(torch.arange(len(guests), device=copied.device), copied)
        begin = first[guests] - (copied.cumsum(0) - copied)
        chosen = torch.arange(len(pair), device=copied.device) + begin.index_select(0, pair)
        more = replace(self._only(chosen), wafer=hosts.index_select(0, pair))
        return self._and(more._where(inspected))

    def jittered(self, deviation: float, inspected: Tensor, generator: Generator) -> "Defects":
        """Each defect displaced by its own draw; one that would leave what was inspected stays where it was.

        Args:
            deviation: standard deviation in each direction, in units of half a frame.
            inspected: uint8 (N, S, S).
            generator: the only source of chance.
        """
        row, column = self._beside(deviation, generator)
        seen = replace(self, row=row, column=column)._seen(inspected)
        return replace(self, row=torch.where(seen, row, self.row), column=torch.where(seen, column, self.column))

    def thinned(self, share: float, generator: Generator) -> "Defects":
        """Defects taken away: of each wafer another share, up to `share`."""
        lost = self._draw(self.wafers, generator) * share
        # Rounded by chance: on average exactly the share is left, and a single defect stays or goes whole.
        left = self.weight * (1 - lost).index_select(0, self.wafer) + self._draw(len(self.wafer), generator)
        return replace(self, weight=left.int())

    def thickened(self, share: float, inspected: Tensor, generator: Generator) -> "Defects":
        """Some defects get another beside them: of each wafer another share, up to `share`."""
        doubled = self._draw(self.wafers, generator) * share
        chosen = self._draw(len(self.wafer), generator) < doubled.index_select(0, self.wafer)
        some = self._only(chosen.nonzero().squeeze(1))
        row, column = some._beside(_BESIDE, generator)
        return self._and(replace(some, row=row, column=column)._where(inspected))

    def noised(self, share: float, inspected: Tensor, generator: Generator) -> "Defects":
        """Defects added anywhere: to each wafer another share of those it has, up to `share`."""
        had = torch.zeros(self.wafers, dtype=torch.int32, device=self.row.device).scatter_add_(
            0, self.wafer, self.weight
        )
        looked = inspected.count_nonzero((1, 2)) / (inspected.shape[1] * inspected.shape[2])
        # Thrown over the whole frame, so many that those that hit what was inspected are the share.
        thrown = had * share * self._draw(self.wafers, generator) / looked.clamp_min(_LEAST_INSPECTED)
        numbers = (thrown + self._draw(self.wafers, generator)).long()
        wafer = torch.repeat_interleave(torch.arange(self.wafers, device=numbers.device), numbers)
        row, column = self._draw(len(wafer), generator) * 2 - 1, self._draw(len(wafer), generator) * 2 - 1
        more = Defects(wafer, row, column, torch.ones_like(wafer, dtype=torch.int32), self.wafers)
        return self._and(more._where(inspected))

    def moved(self, motion: Motion) -> "Defects":
        """Every defect moved with its wafer."""
        row, column = motion.carry(self.wafer, self.row, self.column)
        return replace(self, row=row, column=column)

    def drawn(self, size: int) -> Tensor:
        """Density as `render_points` draws it, uint8 (N, size, size); what lies beyond the frame is not seen."""
        pixel, inside = self._pixel(size)
        pixels = self.wafers * size * size
        return drawing.density(pixel, self.weight * inside, pixels).view(self.wafers, size, size)

    def _pixel(self, size: int) -> tuple[Tensor, Tensor]:
        """(D,), the pixel of N·S·S each defect lies in, or one at the rim for those beyond it, and whether it is in."""
        row, column = ((place + 1) * (size / 2) for place in (self.row, self.column))
        inside = (torch.minimum(row, column) >= 0) & (torch.maximum(row, column) < size)
        row, column = (place.clamp(0, size - 1).long() for place in (row, column))
        return (self.wafer * size + row) * size + column, inside

    def _seen(self, inspected: Tensor) -> Tensor:
        """(D,), whether the pixel a defect lies in was inspected."""
        pixel, inside = self._pixel(inspected.shape[1])
        return (inspected.reshape(-1).index_select(0, pixel) > 0) & inside

    def _where(self, inspected: Tensor) -> "Defects":
        return replace(self, weight=self.weight * self._seen(inspected))

    def _only(self, chosen: Tensor) -> "Defects":
        columns = (self.wafer, self.row, self.column, self.weight)
        wafer, row, column, weight = (one.index_select(0, chosen) for one in columns)
        return Defects(wafer, row, column, weight, self.wafers)

    def _and(self, more: "Defects") -> "Defects":
        return Defects(
            wafer=torch.cat([self.wafer, more.wafer]),
            row=torch.cat([self.row, more.row]),
            column=torch.cat([self.column, more.column]),
            weight=torch.cat([self.weight, more.weight]),
            wafers=self.wafers,
        )

    def _beside(self, deviation: float, generator: Generator) -> tuple[Tensor, Tensor]:
        step = torch.randn((2, len(self.row)), generator=generator, device=self.row.device) * deviation
        return self.row + step[0], self.column + step[1]

    def _draw(self, count: int, generator: Generator) -> Tensor:
        return torch.rand(count, generator=generator, device=self.row.device)


def defects_of(patches: PatchSet, chosen: NDArray[np.int64], device: torch.device) -> Defects | None:
    """The defects of the chosen patches; None where the patches keep no places."""
    return None if patches.places is None else Defects.of(patches.places.only(chosen), device)
