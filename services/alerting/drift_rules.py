"""Rules about drift: what a bundle judges now against the held-out captures it was calibrated on."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from models.domain.verdict import Labels
from models.drift import Shift, moved_classes, reweighted, stability
from models.reference import Reference
from services.alerting.rule_kinds import DriftRule
from services.records.populations import RecentPopulation, bundles_in_use, recent_population
from services.records.sightings import Session


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What drift is measured against: a bundle's classes and its reference."""

    labels: Labels
    reference: Reference


FIGURES = ("confidence", "novelty")
_QUESTIONS = len(FIGURES) + 1
"""The figures, and the looks of all classes together: the chance of a false alarm is shared out among them."""
References = Callable[[str], Calibrated | None]
"""By digest; None if that bundle is not installed on this machine."""


@dataclass(frozen=True, slots=True)
class Drift:
    """What one bundle's recent captures show.

    Attributes:
        bundle: for people.
        captures: how many were compared.
        shifts: 'confidence', 'novelty', or 'looks of CLASS' -> how far it has moved.
    """

    bundle: str
    captures: int
    shifts: Mapping[str, Shift]

    def beyond(self, rule: DriftRule) -> dict[str, Shift]:
        """What moved further than the rule allows, and not by chance."""
        chance = rule.false_alarm / _QUESTIONS
        return {
            what: shift
            for what, shift in self.shifts.items()
            if shift.p_value <= chance and (what not in FIGURES or shift.size >= rule.stability)
        }


def drifts(session: Session, rule: DriftRule, at: datetime, references: References) -> Iterator[Drift]:
    """Of each bundle that judged something since the rule was last asked, and enough before."""
    for digest, name in bundles_in_use(session, at - timedelta(minutes=rule.every_min), at):
        calibrated = references(digest)
        recent = None if calibrated is None else recent_population(session, digest, at, rule.last)
        if calibrated is not None and recent is not None and len(recent) >= rule.smallest:
            shifts = measure(calibrated, recent)
            if shifts:
                yield Drift(name, len(recent), shifts)


def measure(calibrated: Calibrated, recent: RecentPopulation) -> dict[str, Shift]:
    """How far confidence, novelty and the looks of each class have moved; nothing where there is no reference."""
    names, reference = calibrated.labels.names, calibrated.reference
    place = {name: k for k, name in enumerate(names)}
    predicted = np.array([place.get(name, -1) for name in recent.likeliest], np.int64)
    known = predicted >= 0
    found: dict[str, Shift] = {}
    held_out = reference.calibration
    if len(held_out.predicted) and known.any():
        weights = reweighted(held_out.predicted, predicted[known], len(names))
        columns: tuple[tuple[str, NDArray[np.float32], NDArray[np.float64]], ...] = (
            ("confidence", held_out.confidence, recent.confidence),
            ("novelty", held_out.novelty, recent.novelty),
        )
        found |= {what: stability(before, weights, now[known]) for what, before, now in columns}
    population = reference.population
    if population is not None and population.embeddings.shape[1] == recent.embeddings.shape[1]:
        moved = moved_classes(population.embeddings, population.predicted, recent.embeddings[known], predicted[known])
        found |= {f"looks of {names[k]}": shift for k, shift in moved.items()}
    return found
