"""Copies between host and device that do not keep the device waiting.

On a GPU each thread has a stream of its own and copies from and to page-locked memory: while one thread's batch is
computed, another's is copied. On a CPU there is nothing to copy.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ToHost = Callable[..., tuple[NDArray[np.float32], ...]]


class Copying:
    """The way to one device and back; several threads may use it at the same time."""

    def __init__(self, device: torch.device) -> None:
        """Streams are made by the threads that need them."""
        self._device = device
        self._own = threading.local()

    @contextmanager
    def turn(self) -> Iterator[ToHost]:
        """What is computed in the block is computed on this thread's stream; yields the way back."""
        if self._device.type != "cuda":
            yield _as_arrays
            return
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream = self._own.stream
        # weights and buffers were made on the default stream
        stream.wait_stream(torch.cuda.default_stream(self._device))
        with torch.cuda.stream(stream):
            yield lambda *tensors: _fetched(stream, *tensors)

    def to_device(self, array: NDArray[Any]) -> Tensor:
        """An array where it is needed; on a GPU the copy runs beside what other threads compute."""
        # a copy where the array is a view or read-only, which torch tensors cannot be
        host = torch.from_numpy(np.require(array, requirements=["C", "W"]))
        if self._device.type != "cuda":
            return host
        return host.pin_memory().to(self._device, non_blocking=True)


def _as_arrays(*tensors: Tensor) -> tuple[NDArray[np.float32], ...]:
    return tuple(tensor.float().numpy() for tensor in tensors)


def _fetched(stream: torch.cuda.Stream, *tensors: Tensor) -> tuple[NDArray[np.float32], ...]:
    """All tensors on the host, after one wait instead of one each."""
    hosts = []
    for tensor in tensors:
        host = torch.empty(tensor.shape, dtype=torch.float32, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        hosts.append(host)
    stream.synchronize()
    return tuple(host.numpy() for host in hosts)
