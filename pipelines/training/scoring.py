"""One figure per epoch: how good is the network on lots it has not seen?"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.preprocessing import Preprocessing
from pipelines.dataset.patches import PatchSet
from pipelines.evaluation import metrics
from pipelines.training.losses import Loss

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Score:
    """Mean loss and macro-F1 of a pass."""

    loss: float
    macro_f1: float


@torch.inference_mode()
def logits_of(
    network: nn.Module, preprocessing: Preprocessing, patches: PatchSet, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Logits of all patches, float32 (N, K) on the CPU; one plain view, evaluation mode."""
    network.eval()
    found = []
    for begin in range(0, len(patches), _AT_ONCE):
        pixels = torch.from_numpy(np.ascontiguousarray(patches.pixels[begin : begin + _AT_ONCE])).to(device)
        with torch.autocast(device.type, dtype, enabled=dtype is not torch.float32):
            logits = network(preprocessing(pixels)).logits
        found.append(logits.float().cpu())
    return torch.cat(found)


def score(logits: Tensor, patches: PatchSet, loss: Loss) -> Score:
    """Loss and macro-F1; where labels are not exclusive, a normal patch is one no class is believed of."""
    targets = torch.from_numpy(patches.targets).float()
    value = float(loss(logits, targets))
    if patches.labels.exclusive:
        matrix = metrics.confusion(patches.index, logits.argmax(1).numpy(), len(patches.labels.names))
        return Score(value, metrics.macro_f1(matrix))
    stated = (logits > 0).numpy().astype(np.uint8)
    return Score(value, metrics.mean_of(metrics.per_class_of_flags(patches.targets, stated).f1))
