"""Ready weights to start from: those of a bundle, or a file with a network's weights as torch or torchvision write it.

A bundle gives features and embedding, and the head as well if it knows the same classes. What does not fit is an error
with the name of the first layer that differs: a training that silently starts fresh would only look like transfer.
"""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.backbones import spread_channels
from models.bundle import load_bundle
from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from models.network import Network, build_network
from models.recipe import Recipe

_OURS = ("features.", "embed.", "head.")
_OWN = ("small", "residual", "lenet5")


@dataclass(frozen=True, slots=True, eq=False)
class ReadyWeights:
    """Weights by name.

    Attributes:
        weights: as our networks name them, or as torchvision does.
        labels: the classes of their head; None = nobody says, the head starts fresh.
        digest: hash of the bundle or file, hex.
        where: for people.
    """

    weights: Mapping[str, Tensor]
    labels: Labels | None
    digest: str
    where: str

    @property
    def ours(self) -> bool:
        """Whether they are named as our networks name them."""
        return all(name.startswith(_OURS) for name in self.weights)


def load_ready_weights(path: str | Path) -> ReadyWeights:
    """Read a bundle's folder, a `.safetensors` file, or a state dict of `torch.save` (tensors only, no code).

    Raises:
        ConfigurationError: there is nothing of the kind, or it is damaged.
    """
    path = Path(path)
    if path.is_dir():
        bundle = load_bundle(path)
        weights = {name: torch.from_numpy(array.copy()) for name, array in bundle.weights.items()}
        ref = bundle.manifest.ref
        return ReadyWeights(weights, bundle.manifest.labels, ref.digest, f"bundle {ref.name} {ref.digest[:12]}")
    try:
        content = path.read_bytes()
        read = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigurationError(
            "cannot read weights to start from",
            where=str(path),
            expected="a bundle's folder, a .safetensors file, or a state dict written by torch.save",
            got=str(error)[:200],
        ) from error
    if not isinstance(read, Mapping) or not read or not all(isinstance(value, Tensor) for value in read.values()):
        raise ConfigurationError(
            "no weights to start from", where=str(path), expected="tensors by name", got=type(read).__name__
        )
    return ReadyWeights(read, None, hashlib.sha256(content).hexdigest(), path.name)


def network_from(ready: ReadyWeights, recipe: Recipe, labels: Labels) -> Network:
    """The recipe's network for these classes, with the ready weights in it.

    Args:
        ready: where to start.
        recipe: what to build.
        labels: the classes to learn; another set than the ready weights' gets a fresh head.

    Raises:
        ConfigurationError: the weights are not of the recipe's network.
    """
    if not ready.ours:
        if recipe.network.name in _OWN:
            raise _misfit(ready, recipe, f"no {next(iter(ready.weights))}")
        return build_network(recipe, len(labels.names), ready=ready.weights)
    network = build_network(recipe, len(labels.names))
    keep_head = ready.labels is not None and ready.labels.names == labels.names
    own = network.state_dict()
    state = {name: tensor for name, tensor in ready.weights.items() if keep_head or not name.startswith("head.")}
    state |= {name: tensor for name, tensor in own.items() if name.startswith("head.") and name not in state}
    missing = sorted(own.keys() ^ state.keys())
    if missing:
        raise _misfit(ready, recipe, f"{missing[0]} and {len(missing) - 1} more layers on one side only")
    first = next(name for name, tensor in own.items() if tensor.ndim == 4)
    if state[first].ndim == 4 and state[first].shape[1] != own[first].shape[1]:
        state[first] = spread_channels(state[first], own[first].shape[1])
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise _misfit(ready, recipe, f"{name} {tuple(state[name].shape)}, wanted {tuple(tensor.shape)}")
    network.load_state_dict(state)
    return network


def _misfit(ready: ReadyWeights, recipe: Recipe, got: str) -> ConfigurationError:
    return ConfigurationError(
        "ready weights do not fit the recipe's network",
        where=f"{ready.where} and recipe {recipe.name}",
        expected=f"weights of {recipe.network.name} as the recipe describes it",
        got=got,
        remedy="take over the recipe's section `network` from the bundle, or start fresh",
    )
