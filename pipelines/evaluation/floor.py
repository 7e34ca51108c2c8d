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
from pipelines.dataset.patches import targets_of
from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation import metrics
from pipelines.evaluation.answers import Answers

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
    floors = []
    for rule, answers in rule_answers(directory, split).items():
        figures = metrics.per_class_of_flags(answers.truth, answers.stated)
        floors.append(Floor(rule, float(answers.right.mean()), metrics.mean_of(figures.f1)))
    return tuple(floors)


def rule_answers(directory: str | Path, split: str | None) -> dict[str, Answers]:
    """What each rule without eyes answers; see `trivial_rules`. Empty if there is nothing to learn from or to ask."""
    directory = Path(directory)
    manifest = read_dataset_manifest(directory)
    columns = _SHAPE[manifest.kind]
    rows = pq.read_table(directory / "samples.parquet", columns=["labels", "split", "group", *columns]).to_pylist()
    rows = [row for row in rows if not set(row["labels"]) & set(manifest.unknown)]
    train = [row for row in rows if row["split"] == "train"]
    tested = [row for row in rows if split is None or row["split"] == split]
    if not train or not tested:
        return {}
    rules = {"always the commonest class": _answers(train, tested, manifest.labels, ())}
    if columns and len({tuple(row[name] for name in columns) for row in train}) > 1:
        rules["the commonest class of the same die grid"] = _answers(train, tested, manifest.labels, columns)
    return rules


def _answers(
    train: Sequence[dict[str, Any]], tested: Sequence[dict[str, Any]], labels: Labels, by: tuple[str, ...]
) -> Answers:
    seen: dict[tuple[Any, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in train:
        answer = tuple(sorted(row["labels"]))
        seen[tuple(row[name] for name in by)][answer] += 1
        seen[()][answer] += 1  # for grids nobody has seen
    stated = [seen.get(tuple(row[name] for name in by), seen[()]).most_common(1)[0][0] for row in tested]
    return Answers.unrefused(
        labels,
        np.asarray([row["group"] for row in tested], dtype=np.str_),
        targets_of([tuple(row["labels"]) for row in tested], labels.names),
        targets_of(stated, labels.names),
    )
