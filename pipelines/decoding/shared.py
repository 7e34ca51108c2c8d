"""Memory that parent and child both see: pixels are decoded to where they are cut from, and cross no channel."""

import fcntl
import math
import mmap
import os
import tempfile
import weakref

import numpy as np
from numpy.typing import NDArray


class Memory:
    """Bytes that the child writes and the parent reads; for one answer at a time, used again for the next.

    To fetch fresh pages from the system costs as much as a quarter of the decoding.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.descriptor = -1
        self._content: mmap.mmap | None = None

    def array(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Its first bytes as an array; the memory grows where it must, which leaves arrays given before untouched.

        Args:
            shape: of at least one byte.
        """
        size = math.prod(shape)
        if self._content is None or len(self._content) < size:
            self.descriptor = _allocate(size)
            weakref.finalize(self, os.close, self.descriptor)
            self._content = mmap.mmap(self.descriptor, size)
        return np.frombuffer(self._content, np.uint8, size).reshape(shape)


def writable(descriptor: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The same bytes in the child, which has been handed the descriptor."""
    populate = getattr(mmap, "MAP_POPULATE", 0)  # fetch all pages together: all will be written
    return np.frombuffer(mmap.mmap(descriptor, math.prod(shape), mmap.MAP_SHARED | populate), np.uint8).reshape(shape)


def _allocate(size: int) -> int:
    """Descriptor of so many bytes without a name.

    The child cannot make them fewer, where the system has seals: reading beyond the end would kill the parent.
    """
    if not hasattr(os, "memfd_create"):  # no Linux: a file that has lost its name
        with tempfile.TemporaryFile() as stream:
            os.ftruncate(stream.fileno(), size)
            return os.dup(stream.fileno())
    descriptor = os.memfd_create("pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor
