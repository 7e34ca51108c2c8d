"""The floor: what rules score that never look at a defect. A model is worth what it adds to them.

In WM-811K the shape of the die grid names the product and the product predicts the class: a look-up table of grid
shapes scores 81 % accuracy on a random split. A figure without its floor says nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models.domain.verdict import Labels
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation import metrics

_SHAPE = {
    DatasetKind.DIE_MAPS: ("height", "width"),
    DatasetKind.POINTS: ("die_width_um", "die_height_um"),
    DatasetKind.IMAGES: (),
}


@dataclass(frozen=True, slots=True)
class Floor:
    """What a rule without eyes scores.

    Attributes:
        rule: in words.
        accuracy: share of exactly right answers.
        macro_f1: mean F1 of the tested classes.
    """

    rule: str
    accuracy: float
    macro_f1: float


def trivial_rules(directory: str | Path, split: str | None) -> tuple[Floor, ...]:
    """The majority rule and, where products differ in their die grid, the grid look-up.

    Both learn from the training split; the patches they are measured on are those of `split`.

    Args:
        directory: a dataset.
        split: measured on; None = all samples, which flatters the rules.
    """
    directory = Path(directory)
    manifest = read_dataset_manifest(directory)
    columns = _SHAPE[manifest.kind]
    rows = pq.read_table(directory / "samples.parquet", columns=["labels", "split", *columns]).to_pylist()
    rows = [row for row in rows if not set(row["labels"]) & set(manifest.unknown)]
    train = [row for row in rows if row["split"] == "train"]
    tested = [row for row in rows if split is None or row["split"] == split]
    if not train or not tested:
        return ()
    rules = [_measure("always the commonest class", train, tested, manifest.labels, ())]
    if columns and len({tuple(row[name] for name in columns) for row in train}) > 1:
        rules.append(_measure("the commonest class of the same die grid", train, tested, manifest.labels, columns))
    return tuple(rules)


def _measure(
    rule: str, train: Sequence[dict[str, Any]], tested: Sequence[dict[str, Any]], labels: Labels, by: tuple[str, ...]
) -> Floor:
    seen: dict[tuple[Any, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in train:
        answer = tuple(sorted(row["labels"]))
        seen[tuple(row[name] for name in by)][answer] += 1
        seen[()][answer] += 1  # for grids nobody has seen
    answers = [seen.get(tuple(row[name] for name in by), seen[()]).most_common(1)[0][0] for row in tested]
    truth = [tuple(sorted(row["labels"])) for row in tested]
    place = {name: k for k, name in enumerate(labels.names)}

    def flags(samples: Sequence[tuple[str, ...]]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        found = np.zeros((len(samples), len(place)), np.uint8)
        for i, sample in enumerate(samples):
            for label in sample:
                found[i, place[label]] = 1
        return found

    figures = metrics.per_class_of_flags(flags(truth), flags(answers))
    right = [own == given for own, given in zip(truth, answers, strict=True)]
    return Floor(rule, float(np.mean(right)), metrics.mean_of(figures.f1))
