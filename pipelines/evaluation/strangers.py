"""Strangers of several kinds, and how well a bundle tells them from what it knows.

left out    every class of the dataset in turn, where the novelty score can be fitted without it
simulated   patterns of the simulator that stand for the failure of tomorrow
pictures    photographs: not wafers at all
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classifier import Classifier
from pipelines.dataset.loading import draw
from pipelines.dataset.samples import DatasetKind, Payload
from pipelines.evaluation import metrics
from pipelines.evaluation.card import Section
from pipelines.evaluation.evaluate import Examination, defects_of
from pipelines.evaluation.judging import judge
from pipelines.evaluation.table import percent
from pipelines.ingestion.wafer_maps import FAIL, NO_DIE, PASS, DieMap
from pipelines.simulate import UNKNOWN_PATTERNS, SimulatedWafer, sample

OF_EACH = 24
"""Made strangers of each kind."""
_DEFECTS = (150, 1500)
"""On a simulated wafer: with many more, every die of a die map fails."""


@dataclass(frozen=True, slots=True)
class Told:
    """How one kind of strangers is told from the known; see `pipelines.evaluation.report.OpenSetReport`.

    Attributes:
        strangers: how many.
        auroc: against all known patches.
        auroc_defects: against known defects alone; NaN if nothing is normal.
        aupr: average precision among these strangers and all known patches.
        fpr_at_95: strangers accepted where 95 % of the known are.
        refused: share refused a label by the bundle's thresholds; None where only a score was measured.
    """

    strangers: int
    auroc: float
    auroc_defects: float
    aupr: float
    fpr_at_95: float
    refused: float | None = None


Floats = NDArray[np.float64]


def told(known: Floats, defects: Floats, strange: Floats, refused: float | None = None) -> Told:
    """Figures from novelties.

    Args:
        known: of all known patches.
        defects: of those that are not normal.
        strange: of strangers.
        refused: share of the strangers refused a label.
    """
    return Told(
        strangers=len(strange),
        auroc=metrics.auroc(known, strange),
        auroc_defects=metrics.auroc(defects, strange),
        aupr=metrics.aupr(known, strange),
        fpr_at_95=metrics.fpr_at_95(known, strange),
        refused=refused,
    )


def tell_made_strangers(classifier: Classifier, examination: Examination, seed: int = 0) -> dict[str, Told]:
    """Ask a bundle about made strangers, beside the known patches it was examined on; nothing for images.

    Args:
        classifier: the bundle, ready.
        examination: of a test split.
        seed: of what is made.
    """
    if examination.kind is DatasetKind.IMAGES:
        return {}
    patches, novelty = examination.patches, examination.judged.predictions.novelty.astype(np.float64)
    known, defects = novelty[patches.known], novelty[defects_of(patches)]
    found = {}
    for name, pixels in made_strangers(examination.kind, patches.pixels.shape[1], seed).items():
        judged = judge(classifier, pixels)
        strange = judged.predictions.novelty.astype(np.float64)
        found[name] = told(known, defects, strange, float(judged.refused.mean()))
    return found


def made_strangers(kind: DatasetKind, tile: int, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Pixels uint8 (N, tile, tile, 2) of each kind of made stranger, drawn as wafers of the dataset's kind are."""
    found = {}
    for number, pattern in enumerate(UNKNOWN_PATTERNS):
        seeds = np.random.SeedSequence((seed, number)).spawn(OF_EACH)
        wafers = [sample(pattern, one, defects=_DEFECTS) for one in seeds]
        payloads: list[Payload] = [
            die_map_of(wafer) if kind is DatasetKind.DIE_MAPS else wafer.points for wafer in wafers
        ]
        found[f"simulated {pattern}"] = draw(payloads, tile)
    found["pictures"] = _photographs(tile, np.random.default_rng(seed))
    return found


def die_map_of(wafer: SimulatedWafer) -> DieMap:
    """A simulated wafer as a prober would show it: a die with a defect fails."""
    layout = wafer.layout
    place = layout.locate(wafer.points.x_um.astype(float), wafer.points.y_um.astype(float))
    rows, columns = layout.rows - layout.rows.min(), layout.columns - layout.columns.min()
    states = np.full((rows.max() + 1, columns.max() + 1), NO_DIE, np.uint8)
    states[rows, columns] = PASS
    hit = states[place.row - layout.rows.min(), place.column - layout.columns.min()] != NO_DIE
    states[place.row[hit] - layout.rows.min(), place.column[hit] - layout.columns.min()] = FAIL
    return DieMap(np.ascontiguousarray(states[::-1]))  # dies count upwards, maps downwards


def _photographs(tile: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Parts of two photographs in black and white, as if a wafer had failed where they are light."""
    from sklearn.datasets import load_sample_images  # noqa: PLC0415 - only here

    made = []
    for picture in load_sample_images().images:
        light = picture.mean(2)
        for _ in range(OF_EACH // 2):
            side = int(rng.integers(tile, min(light.shape)))
            top, left = rng.integers(0, light.shape[0] - side + 1), rng.integers(0, light.shape[1] - side + 1)
            pick = np.arange(tile) * side // tile
            part = light[top : top + side, left : left + side][pick][:, pick]
            made.append(np.stack([255 * (part > np.median(part)), np.full(part.shape, 255)], axis=-1))
    return np.stack(made).astype(np.uint8)


def strangers_section(left_out: Mapping[str, Told], made: Mapping[str, Told]) -> tuple[Section, ...]:
    """The card's part about strangers; none if nothing was measured."""
    rows = [
        (name, f"{one.strangers:,}", *(_number(value) for value in (one.auroc, one.auroc_defects, one.aupr)),
         percent(one.fpr_at_95), percent(one.refused))
        for name, one in [*((f"left out: {name}", one) for name, one in left_out.items()), *made.items()]
    ]  # fmt: skip
    if not rows:
        return ()
    header = ("strangers", "patches", "AUROC", "against defects", "AUPR", "accepted at 95 %", "refused")
    text = (
        "How well novelty tells strangers from the known patches of the test split. A class is left out of the fit of "
        "the score and all of its patches are the strangers; simulated patterns and photographs were never learned. "
        "'Accepted at 95 %' is the share of strangers below the novelty that 95 % of the known stay below."
    )
    return (Section("Strangers", (text,), (header, *rows)),)


def figures_of(left_out: Mapping[str, Told], made: Mapping[str, Told]) -> dict[str, float]:
    """Single numbers for the manifest, the tracker and the gate; only those that exist."""
    found = {f"left_out.auroc.{name}": one.auroc for name, one in left_out.items()}
    if left_out:
        each = left_out.values()
        found |= {
            "left_out.auroc": float(np.mean([one.auroc for one in each])),
            "left_out.worst_auroc": min(one.auroc for one in each),
            "left_out.auroc_defects": float(np.mean([one.auroc_defects for one in each])),
            "left_out.aupr": float(np.mean([one.aupr for one in each])),
            "left_out.fpr_at_95": float(np.mean([one.fpr_at_95 for one in each])),
        }
    if made:
        found |= {
            "strangers.auroc": float(np.mean([one.auroc for one in made.values()])),
            "strangers.worst_auroc": min(one.auroc for one in made.values()),
        }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
