"""Dense inference against patch by patch, and against SAHI's slicing where it is installed.

    python -m benchmarks.dense_inference [--height 3300] [--width 5000] [--device cpu]

Asserts that one dense pass over a frame is at least ten times faster than judging each window on its own at a step of
a quarter tile. Patch by patch takes minutes, so it is timed on a share of the windows, spread over the frame, and
scaled up; the dense pass is timed whole. The network has fresh weights: speed does not depend on them.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import torch

from models.bundle import Bundle, BundleManifest, Thresholds
from models.classifier import Classifier
from models.dense import DenseClassifier
from models.domain.inspection import BundleRef
from models.domain.tiling import starts
from models.domain.verdict import Labels
from models.network import build_network, weights_of
from models.recipe import Recipe
from models.reference import Reference

FACTOR = 10
SAHI_FACTOR = 3
SHARE = 20
"""Of so many windows, one is timed patch by patch."""

RECIPE = Recipe.parse(
    {
        "name": "benchmark",
        "kind": "image",
        "channels": 3,
        "tiling": {"tile": 96, "levels": [-1]},
        "network": {"widths": [24, 48, 96], "convolutions": 1, "padding": "none", "embedding": 64},
        "open_set": {"scores": ["energy"]},
    },
    "benchmark",
)


def bundle() -> Bundle:
    network = build_network(RECIPE, 6)
    return Bundle(
        BundleManifest(
            BundleRef("benchmark", "0", ""), RECIPE, Labels(tuple("abcdef")), 1.0, Thresholds(0.0, float("inf")), ""
        ),
        weights_of(network),
        Reference(np.empty((0, 64), np.float32), np.empty(0, np.int64), (), ()),
    )


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Processor seconds on a CPU (one thread: neighbours on the machine count little), else seconds; best of two."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    best = float("inf")
    for _ in range(2):
        start = clock()
        work()
        best = min(best, clock() - start)
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--height", type=int, default=3300)
    arguments.add_argument("--width", type=int, default=5000)
    arguments.add_argument("--device", default=None)
    options = arguments.parse_args()
    if options.device != "cuda":
        torch.set_num_threads(1)
    classifier = Classifier(bundle(), options.device)
    tile = RECIPE.tiling.tile
    step = tile // 4
    frame = np.random.default_rng(0).integers(0, 256, (options.height, options.width, 3), np.uint8)
    places = [
        (top, left)
        for top in starts(options.height, tile, tile - step)
        for left in starts(options.width, tile, tile - step)
    ]
    timed = places[::SHARE]
    cut = np.stack([frame[top : top + tile, left : left + tile] for top, left in timed])
    classifier.predict(cut[:64])  # warm

    dense = DenseClassifier(classifier, step=step)
    dense_s = seconds(lambda: dense.scan_array(frame), classifier.device)
    patchwise_s = seconds(lambda: classifier.predict(cut), classifier.device) * len(places) / len(timed)
    print(
        f"{options.height} x {options.width}, tile {tile}, step {step}: {len(places):,} windows on {classifier.device}"
    )
    print(f"{'patch by patch':16} {patchwise_s:8.1f} s   (timed on {len(timed):,} windows)")
    print(f"{'dense':16} {dense_s:8.1f} s   {patchwise_s / dense_s:.1f} x faster")
    if importlib.util.find_spec("sahi") is None:
        print("sahi is not installed: no comparison with its slicing")
    else:
        sliced_s = seconds(lambda: slice_with_sahi(classifier, frame, tile, step), classifier.device)
        print(f"{'SAHI slicing':16} {sliced_s:8.1f} s   {sliced_s / dense_s:.1f} x slower than dense")
        assert sliced_s >= SAHI_FACTOR * dense_s, f"dense is only {sliced_s / dense_s:.1f} x faster than SAHI's slicing"
    assert patchwise_s >= FACTOR * dense_s, f"dense is only {patchwise_s / dense_s:.1f} x faster, not {FACTOR} x"


def slice_with_sahi(classifier: Classifier, frame: np.ndarray, tile: int, step: int) -> None:
    """SAHI cuts, the same network judges; its own merging of boxes is left out, in its favour."""
    from sahi.slicing import slice_image  # noqa: PLC0415

    overlap = 1 - step / tile
    slices = slice_image(
        frame, slice_height=tile, slice_width=tile, overlap_height_ratio=overlap, overlap_width_ratio=overlap
    )
    batch: list[np.ndarray] = []
    for image in slices.images:
        batch.append(image)
        if len(batch) == 64:
            classifier.predict(np.stack(batch))
            batch.clear()
    if batch:
        classifier.predict(np.stack(batch))


if __name__ == "__main__":
    main()
