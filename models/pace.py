"""How many patches at once a device works best at: tried when a bundle is loaded, which warms it up as well."""

import time

import numpy as np

from models.classifier import Classifier

NEARLY = 0.95
"""A smaller batch that is nearly as fast is better: who waits for it waits for less."""
BUDGET_S = 1.5
SIZES_CPU = (1, 8, 16, 32, 64)
SIZES_CUDA = (1, 64, 256, 512, 1024, 2048, 4096)


def tune(classifier: Classifier, budget_s: float = BUDGET_S) -> float:
    """Set the classifier's batch size to the smallest that is nearly the fastest; returns its patches per second.

    Patches are noise, so that adaptive views take what they take where they are unsure. A size that does not fit the
    device's memory is not tried further; where the time is up, the sizes tried so far decide.
    """
    recipe = classifier.manifest.recipe
    tile = recipe.tiling.tile
    sizes = SIZES_CUDA if classifier.device.type == "cuda" else SIZES_CPU
    noise = np.random.default_rng(0).integers(0, 256, (sizes[-1], tile, tile, recipe.channels), np.uint8)
    end = time.perf_counter() + budget_s
    rates: dict[int, float] = {}
    for size in sizes:
        classifier.batch = size
        classifier.predict(noise[:size])  # allocates, chooses algorithms
        if classifier.batch < size:
            break  # it was split: there is no memory for more
        seconds = _quickest(classifier, noise[:size], tries=3)
        rates[size] = size / seconds
        if time.perf_counter() + 8 * seconds > end:
            break
    best = max(rates.values())
    classifier.batch = min(size for size, rate in rates.items() if rate >= NEARLY * best)
    return rates[classifier.batch]


def _quickest(classifier: Classifier, pixels: np.ndarray, tries: int) -> float:
    """Seconds of the fastest of some runs: what else the machine does only makes it slower."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        classifier.predict(pixels)
        times.append(time.perf_counter() - began)
    return min(times)
