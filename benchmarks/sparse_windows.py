"""What a wafer's windows cost on their way to the classifier, as scenes that are drawn there and as pixels.

    python -m benchmarks.sparse_windows [--defects 10000] [--rounds 30]

A wafer of 10,000 defects on 663 inspected dies is cut at four levels, packed, pickled as between two processes,
unpickled and drawn, both ways in turn in one process. Bytes are those pickled; times are processor seconds, best of
the rounds. On a CPU only: the bytes are also those that cross the bus to a GPU, whose time is not measured.
"""

import argparse
import pickle
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.serving_rig import say, wafers
from models.domain.patch import Patch
from models.domain.scenes import Patches, together
from models.domain.tiling import Tiling
from models.drawing import drawn
from pipelines.ingestion import PointReader, cut, open_captures

LEVELS = (0, 1, 2, 3)
LEAST_SAVING, MOST_TIME = 5, 1.25


def as_pixels(patches: list[Patch]) -> Patches:
    return np.stack([patch.pixels for patch in patches])


def sent(
    reader: PointReader, levels: tuple[int, ...], form: Callable[[list[Patch]], Patches]
) -> tuple[int, float, torch.Tensor]:
    """Bytes, processor seconds, and the pixels that arrive."""
    began = time.process_time()
    patches = [patch for patch in cut(reader, Tiling(tile=64, levels=levels)) if patch.inspected > 0]
    message = pickle.dumps(form(patches), protocol=5)
    pixels = drawn(pickle.loads(message), torch.from_numpy)
    return len(message), time.process_time() - began, pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--defects", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wafer.001"
        path.write_bytes(next(islice(wafers(Path(folder) / "simulated", options.defects), 1)))
        (reader,) = open_captures(path)
    assert isinstance(reader, PointReader)
    for levels in (LEVELS, (0,)):
        found = {}
        for _ in range(options.rounds):
            for form in (as_pixels, together):
                size, seconds, pixels = sent(reader, levels, form)
                found[form] = (size, min(seconds, found.get(form, (0, seconds))[1]), pixels)
        (before, slow, expected), (after, quick, pixels) = found[as_pixels], found[together]
        assert torch.equal(pixels, expected)
        say(levels=levels, patches=len(pixels), bytes_pixels=before, bytes_sent=after, saving=before / after,
            ms_pixels=1000 * slow, ms=1000 * quick, time_ratio=quick / slow)  # fmt: skip
        if levels == LEVELS:
            assert before / after > LEAST_SAVING
            assert quick / slow < MOST_TIME


if __name__ == "__main__":
    main()
