"""An inspection: one capture judged with one bundle."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Capture, ReadWarning
from models.domain.errors import InputError
from models.domain.heat import HeatMap
from models.domain.verdict import Reason, Verdict


@dataclass(frozen=True, slots=True)
class BundleRef:
    """Which bundle judged: its name, its version in the registry ('0' = never registered) and its content hash."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """How a capture looks as a whole: with it, captures that look alike are found.

    Attributes:
        embedding: float32 (D,), where it lies in the bundle's latent space.
        shape: float32 (S,), the shape of what it shows, whatever the bundle (`models.shape`).
    """

    embedding: NDArray[np.float32]
    shape: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """An unknown place of a capture whose objects are counted: people name the place, for the whole shows many things.

    What is cut out belongs to the lot, or else to the file, of the whole: they must stay on one side of a split.

    Attributes:
        verdict: of its window; no label.
        looks: of its window.
    """

    verdict: Verdict
    looks: Looks

    def cut_out(self, of: Capture) -> Capture:
        """The window as a capture of its own, which a label can be of; whoever is the judge, it has the same id."""
        window, level = self.verdict.window, self.verdict.window.level
        place = f"{of.id}:{level.index}:{window.top}:{window.left}:{window.height}:{window.width}"
        row, column = window.centre
        return Capture(
            id=hashlib.sha256(place.encode()).hexdigest(),
            kind=of.kind,
            name=f"{of.name} at row {row * of.height:.0f}, column {column * of.width:.0f}",
            height=window.height / level.height * of.height,
            width=window.width / level.width * of.width,
            provenance=replace(of.provenance, lot=of.provenance.lot or PurePath(of.name).stem),
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """One capture × one bundle.

    Attributes:
        capture: what was judged.
        bundle: by which bundle.
        verdicts: of its windows, in the order they were cut; of a capture whose objects are counted, of the window in
            whose middle each lies, and where there is none of the closest call. At least one.
        normal: the bundle's label for "nothing to act on".
        started_at: when, UTC, with zone.
        duration_s: from opening the capture to the last verdict, seconds.
        looks: of the window that shows the whole capture; None where no window does.
        warnings: what was odd in the file, which was read nevertheless.
        judged: how many windows were judged; 0 = those of the verdicts.
        counted: True if verdicts are of objects, not of windows.
        heat: of each densely judged level, a map for each class.
        spots: unknown places that people are asked about, the strangest first.
    """

    capture: Capture
    bundle: BundleRef
    verdicts: tuple[Verdict, ...]
    normal: str | None
    started_at: datetime
    duration_s: float
    looks: Looks | None = field(default=None, compare=False, repr=False)
    warnings: tuple[ReadWarning, ...] = ()
    judged: int = 0
    counted: bool = False
    heat: tuple[HeatMap, ...] = field(default=(), compare=False, repr=False)
    spots: tuple[Spot, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            InputError: there is no verdict.
        """
        if not self.verdicts:
            raise InputError("inspection without a verdict", where=self.capture.name, expected="at least one window")

    @property
    def id(self) -> str:
        """Hash of capture and bundle: inspecting the same bytes with the same bundle again is the same inspection."""
        return inspection_id(self.capture.id, self.bundle.digest)

    @property
    def verdict(self) -> Verdict:
        """The capture's own verdict.

        The whole capture in one window speaks for itself. Where no window shows the whole, the gravest speaks: an
        unknown, else the most confident defect, else the most confident normal one.
        """
        whole = [v for v in self.verdicts if v.window.level.index == 0]
        if whole:
            return whole[0]
        return max(self.verdicts, key=lambda v: (v.is_unknown, v.label not in (None, self.normal), v.confidence))

    @property
    def counts(self) -> Mapping[str, int]:
        """Windows per label; unknown ones under 'unknown', windows no tool looked at under 'not inspected'.

        Of a counted capture objects per label: a closest call is none.
        """
        stated = (v for v in self.verdicts if not self.counted or v.is_unknown or v.label not in (None, self.normal))
        return Counter(v.label or ("unknown" if v.is_unknown else v.reason.value) for v in stated)

    @property
    def windows(self) -> int:
        """How many windows were judged."""
        return self.judged or len(self.verdicts)

    @property
    def shown(self) -> Mapping[str, float]:
        """Defect classes with their greatest confidence on any window: a small scratch shows on deep levels alone."""
        found: dict[str, float] = {}
        for verdict in self.verdicts:
            for label in () if verdict.label is None else (verdict.label, *verdict.also):
                if label != self.normal:
                    found[label] = max(found.get(label, 0.0), verdict.confidence)
        return found

    @property
    def refused(self) -> frozenset[Reason]:
        """Why windows were refused a label; empty if none was."""
        return frozenset(verdict.reason for verdict in self.verdicts if verdict.is_unknown)


def inspection_id(capture_id: str, bundle_digest: str) -> str:
    """Id of the inspection of a capture with a bundle, known before it is made."""
    return hashlib.sha256(f"{capture_id}:{bundle_digest}".encode()).hexdigest()
