"""Memory of parent and child: what one writes the other sees, and nobody can take it away."""

import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.decoding.shared import Memory, writable


@pytest.fixture(params=["sealed", "file"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Memory:
    if request.param == "file":
        monkeypatch.delattr(os, "memfd_create")
    return Memory()


def test_what_the_child_writes_the_parent_reads(memory: Memory) -> None:
    seen = memory.array((3, 5, 2))
    assert not seen.any()
    writable(memory.descriptor, (3, 5, 2))[:] = np.arange(30).reshape(3, 5, 2)
    assert seen.ravel().tolist() == list(range(30))


def test_it_is_used_again_and_grows_without_touching_what_was_given(memory: Memory) -> None:
    first = memory.array((100,))
    before = memory.descriptor
    assert memory.array((7, 11)).base is not None
    assert memory.descriptor == before
    first[:] = 1
    larger = memory.array((10_000,))
    larger[:] = 2
    assert memory.descriptor != before
    assert (first == 1).all()


def test_the_other_side_cannot_make_it_shorter() -> None:
    memory = Memory()
    seen = memory.array((100_000,))
    for size in (0, 4096, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(memory.descriptor, size)
    assert not seen.any()


def test_nothing_stays_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    memory = Memory()
    arrays = [memory.array((size,)) for size in (10, 100_000, 1_000_000)]
    assert len(list(Path("/proc/self/fd").iterdir())) > before
    del memory, arrays
    assert len(list(Path("/proc/self/fd").iterdir())) == before
