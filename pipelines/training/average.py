"""Moving average of the weights: the released weights are calmer than the last step's."""

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of all weights (Polyak & Juditsky, SIAM J. Control Optim. 30(4) 1992).

    The decay grows from 0.1 to its final value over the first steps, so that the random start is forgotten; counters
    and other integers are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Begin with the network's own weights.

        Args:
            network: whose weights to follow.
            decay: of the average, 0..1; 0.999 averages over about a thousand steps.
        """
        self.decay = decay
        self.steps = 0
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take one step of the network into the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, tensor in network.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.weights[name].lerp_(tensor.to(self.weights[name]), 1 - decay)
            else:
                self.weights[name].copy_(tensor)

    def to(self, device: torch.device) -> None:
        """Move the average beside the network."""
        self.weights = {name: tensor.to(device) for name, tensor in self.weights.items()}
