"""What test-time views gain and cost: one view, all eight, and adaptive ones, on wafers of other lots.

    python -m benchmarks.views DATA [--epochs 5] [--seeds 2 3 4] [--as-they-are]

DATA is the folder that holds `wm811k/wafers.parquet`. A small network is trained on some lots, the cut-off is chosen on
others and judged on yet others. Asserts that adaptive views keep at least 95 % of what all eight gain, at no more than
twice the cost of one view. The network is quick and small on purpose: the figures rank ways of looking and are no claim
about the product's accuracy.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cutoff import choose_cutoff, replay
from models.network import Network, build_network
from models.preprocessing import Preprocessing
from models.recipe import Recipe
from models.views import SYMMETRIES, merge_views, see
from pipelines.ingestion.rendering import render_die_maps

KEPT, COST = 0.95, 2.0
TILE, BATCH = 32, 128
NONE_SHARE = 0.2
"""Of the wafers without a pattern so many are used: they are most of the set and say little about views."""

RECIPE = Recipe.parse(
    {
        "name": "benchmark",
        "tiling": {"tile": TILE},
        "network": {"widths": [16, 32, 64], "convolutions": 1, "embedding": 64},
    },
    "benchmark",
)


@dataclass(frozen=True)
class Wafers:
    """Pixels uint8 (N, 32, 32, 2), classes int64 (N,)."""

    pixels: Tensor
    truth: Tensor


def load(data: Path, seed: int) -> tuple[Wafers, Wafers, Wafers, int]:
    """Training, validation and test wafers of different lots, and the number of classes."""
    table = pd.read_parquet(data / "wm811k" / "wafers.parquet")
    generator = np.random.default_rng(seed)
    table = table[(table["label"] != "none") | (generator.random(len(table)) < NONE_SHARE)]
    names = sorted(table["label"].unique())
    truth = torch.tensor([names.index(label) for label in table["label"]])
    lots = table["lot_group"].unique()
    share = dict(zip(lots, generator.random(len(lots)), strict=True))
    place = table["lot_group"].map(share).to_numpy()
    shapes = zip(table["map"], table["height"], table["width"], strict=True)
    maps: list[NDArray[np.uint8]] = [np.frombuffer(m, np.uint8).reshape(h, w) for m, h, w in shapes]
    pixels = torch.from_numpy(render_die_maps(maps, TILE))
    train, valid, test = (
        Wafers(pixels[rows], truth[rows])
        for rows in (torch.from_numpy(mask) for mask in (place < 0.5, (place >= 0.5) & (place < 0.75), place >= 0.75))
    )
    return train, valid, test, len(names)


def trained(wafers: Wafers, classes: int, epochs: int, seed: int, *, turned: bool) -> Network:
    """A network trained on wafers as they are, or also turned and mirrored."""
    torch.manual_seed(seed)
    network, preprocessing = build_network(RECIPE, classes), Preprocessing(RECIPE.preprocessing, 2)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = epochs * (len(wafers.truth) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(wafers.truth), (BATCH,))
        inputs = see(preprocessing(wafers.pixels[rows]), SYMMETRIES[step % 8 if turned else 0])
        loss = torch.nn.functional.cross_entropy(network(inputs).logits, wafers.truth[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def logits_of_views(network: Network, wafers: Wafers) -> Tensor:
    """(8, N, K)."""
    preprocessing = Preprocessing(RECIPE.preprocessing, 2)
    parts = []
    for pixels in torch.split(wafers.pixels, BATCH):
        inputs = preprocessing(pixels)
        parts.append(torch.stack([network(see(inputs, view)).logits for view in SYMMETRIES]))
    return torch.cat(parts, dim=1)


def accuracy(probabilities: Tensor, truth: Tensor) -> float:
    return float((probabilities.argmax(-1) == truth).double().mean())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 4], help="the rule was chosen on 0 and 1")
    arguments.add_argument("--as-they-are", action="store_true", help="do not turn and mirror wafers in training")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    gains, kept, costs, recovered = [], [], [], []
    for seed in options.seeds:
        start = time.perf_counter()
        train, valid, test, classes = load(options.data, seed)
        network = trained(train, classes, options.epochs, seed, turned=not options.as_they_are)
        choice = choose_cutoff(logits_of_views(network, valid), valid.truth)
        logits = logits_of_views(network, test)
        belief = replay(logits, "posteriors", choice.cutoff)
        one = accuracy(logits[0].softmax(-1), test.truth)
        print(
            f"seed {seed}: {len(train.truth):,} / {len(valid.truth):,} / {len(test.truth):,} wafers, "
            f"{time.perf_counter() - start:.0f} s"
        )
        print(f"  one view              {one:.4f}   1.00 looks")
        for merge in ("posteriors", "logits", "votes"):
            print(f"  all eight, {merge:10} {accuracy(merge_views(logits, merge), test.truth):.4f}   8.00 looks")
        adaptive = accuracy(belief.probabilities, test.truth)
        looks = float(belief.views.double().mean())
        print(f"  adaptive (< {choice.cutoff:.3f})    {adaptive:.4f}   {looks:.2f} looks")
        everything = merge_views(logits, "posteriors")
        gains.append(accuracy(everything, test.truth) - one)
        kept.append(adaptive - one)
        costs.append(looks)
        before, after, found = logits[0].argmax(-1), everything.argmax(-1), belief.probabilities.argmax(-1)
        recovered.append(1 - float((found != after).sum() / (before != after).sum()))
    share = sum(kept) / sum(gains) if sum(gains) > 0 else 1.0  # nothing to keep
    cost = sum(costs) / len(costs)
    print(f"decisions changed by all eight and recovered: {sum(recovered) / len(recovered):.1%}")
    print(f"gain of all eight {sum(gains) / len(gains):+.4f}; adaptive keeps {share:.0%} of it at {cost:.2f} looks")
    assert share >= KEPT, f"adaptive views keep only {share:.0%} of the gain"
    assert cost <= COST, f"adaptive views cost {cost:.2f} looks"


if __name__ == "__main__":
    main()
