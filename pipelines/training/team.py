"""The processes that train one network together: each takes its share of every batch and all take the same step.

Gradients travel as one array, so a step costs one message however many layers there are. A team of one needs no
torch.distributed at all.
"""

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.domain.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Team:
    """Which member of how many; torch's process group is set up by whoever starts the members.

    Attributes:
        rank: of this process, from 0; the first one's word counts where only one can.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def share(self, rows: Tensor) -> Tensor:
        """This member's part of a batch; together they are the batch."""
        return rows[self.rank :: self.size]

    def check(self, batch: int) -> None:
        """Shares must be equal, or the mean of their gradients is not the batch's.

        Raises:
            ConfigurationError: the batch cannot be shared evenly.
        """
        if batch % self.size:
            raise ConfigurationError(
                "batch cannot be shared evenly",
                where="recipe.training.batch",
                expected=f"a multiple of {self.size} workers",
                got=str(batch),
            )

    def average_gradients(self, network: nn.Module) -> None:
        """Every member gets the mean of all gradients."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, mean in zip(gradients, torch.split(flat, [one.numel() for one in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def share_statistics(self, network: nn.Module) -> None:
        """Every member gets the first one's running statistics of batch normalisation, which saw other patches."""
        if self.size > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, src=0)

    def agree(self, value: T) -> T:
        """The first member's value, so that all decide alike."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]


ALONE = Team()
