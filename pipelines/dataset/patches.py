"""Labelled patches in memory, as the trainer and the evaluation want them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from pipelines.dataset.places import DefectPlaces


def targets_of(labels: Sequence[tuple[str, ...]], names: Sequence[str]) -> NDArray[np.uint8]:
    """(N, K), 1 where the sample has the class; labels that are no class leave zeros."""
    place = {name: k for k, name in enumerate(names)}
    targets = np.zeros((len(labels), len(names)), np.uint8)
    for row, sample in enumerate(labels):
        for label in sample:
            if label in place:
                targets[row, place[label]] = 1
    return targets


@dataclass(frozen=True, slots=True, eq=False)
class PatchSet:
    """N labelled patches.

    Attributes:
        pixels: uint8 (N, H, W, C).
        targets: uint8 (N, K), 1 where the patch has the class. One 1 per row if labels are exclusive; a row of zeros is
            a normal patch if they are not, or an unknown one (see `unknown`).
        groups: (N,) text, lot or frame.
        ids: (N,) text, content hashes.
        splits: (N,) text, train, valid or test.
        unknown: (N,) text, the label of a patch whose class is not to be learned; empty for all others.
        labels: what the columns of `targets` are.
        places: of the defects, where wafers are points and somebody wants to move them.
    """

    pixels: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    groups: NDArray[np.str_]
    ids: NDArray[np.str_]
    splits: NDArray[np.str_]
    unknown: NDArray[np.str_]
    labels: Labels
    places: DefectPlaces | None = None

    def __post_init__(self) -> None:
        """Check that the columns belong together.

        Raises:
            ConfigurationError: lengths or shapes differ.
        """
        n = len(self.pixels)
        lengths = {len(self.targets), len(self.groups), len(self.ids), len(self.splits), len(self.unknown)}
        lengths |= set() if self.places is None else {len(self.places)}
        if self.pixels.ndim != 4 or lengths != {n} or self.targets.shape[1:] != (len(self.labels.names),):
            raise ConfigurationError(
                "patches do not fit their labels",
                expected=f"{n} rows and {len(self.labels.names)} classes",
                got=f"pixels {self.pixels.shape}, targets {self.targets.shape}, other columns {sorted(lengths)}",
            )

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.pixels)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,), True where the patch may be learned."""
        known: NDArray[np.bool_] = self.unknown == ""
        return known

    @property
    def index(self) -> NDArray[np.int64]:
        """(N,), the class of each patch; -1 where it has none or is unknown. Only where labels are exclusive."""
        index: NDArray[np.int64] = np.where(self.targets.any(1), self.targets.argmax(1), -1)
        return index

    @property
    def strata(self) -> NDArray[np.uint8]:
        """`targets`, with one more column for "no class at all" where labels are not exclusive: what to balance by."""
        if self.labels.exclusive:
            return self.targets
        nothing = (self.targets.sum(1, keepdims=True) == 0).astype(np.uint8)
        return np.concatenate([self.targets, nothing], axis=1)

    @property
    def stratum_names(self) -> tuple[str, ...]:
        """Of the columns of `strata`."""
        names = self.labels.names
        return names if self.labels.exclusive else (*names, self.labels.normal or "nothing")

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,), patches of each class."""
        counts: NDArray[np.int64] = self.targets.sum(0, dtype=np.int64)
        return counts

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "PatchSet":
        """The chosen patches, by mask or index."""
        return replace(
            self,
            pixels=self.pixels[chosen],
            targets=self.targets[chosen],
            groups=self.groups[chosen],
            ids=self.ids[chosen],
            splits=self.splits[chosen],
            unknown=self.unknown[chosen],
            places=None if self.places is None else self.places.only(chosen),
        )

    def split(self, name: str) -> "PatchSet":
        """The patches of one split."""
        return self.only(self.splits == name)

    def relabelled(self, learn: Sequence[str]) -> "PatchSet":
        """The same patches with only some of the classes known, for leave-classes-out studies.

        Patches of the other classes become unknown. The normal label is kept only if it is among `learn`.

        Raises:
            ConfigurationError: labels are not exclusive.
        """
        if not self.labels.exclusive:
            raise ConfigurationError("cannot leave classes out", expected="exclusive labels", got="several per patch")
        columns = [self.labels.names.index(name) for name in learn]
        normal = self.labels.normal if self.labels.normal in learn else None
        targets = self.targets[:, columns]
        names = np.asarray(self.labels.names)[self.index]
        unknown = np.where(self.known & ~targets.any(1), names, self.unknown)
        return replace(self, targets=targets, unknown=unknown, labels=Labels(tuple(learn), normal))
