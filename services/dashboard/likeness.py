"""Which strange wafers look alike: a description that turning and mirroring leave alone, and groups made of it.

The map is cut into rings; within a ring the density along the angle is replaced by the magnitudes of its first Fourier
coefficients, which do not change when the wafer is turned or mirrored. The rings keep where it is, the harmonics keep
what shape it has. Groups are made by average linkage (Sokal and Michener, 1958) on the distance of these descriptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from pipelines.ingestion.wafer_maps import FAIL
from services.api.drawing import Drawing, states_of

RINGS = 10
SECTORS = 48
HARMONICS = 9
ALIKE = 0.6
"""Distance up to which maps are one group. On 8 simulated wafers of each of 5 patterns nobody taught the model, 0.58
makes 18 groups with one pattern each, 0.66 makes 12 of which one mixes: naming a group twice costs less than naming it
wrongly."""


@dataclass(frozen=True, slots=True)
class Group:
    """Wafers that look alike: their places in the list that was grouped, the most typical one first."""

    members: tuple[int, ...]


def describe(drawing: Drawing) -> NDArray[np.float64]:
    """A unit vector (90,) for a wafer; zeros for one without defects and for images."""
    kind = drawing.geometry["kind"]
    if kind == "points":
        u, v = drawing.places.astype(np.float64) / 65536 * 2 - 1
    elif kind == "dies":
        failed = np.argwhere(states_of(drawing.geometry) == FAIL).astype(np.float64) + 0.5
        v, u = (failed / [drawing.geometry["rows"], drawing.geometry["columns"]] * 2 - 1).T
    else:
        u = v = np.empty(0)
    # Rings of equal area: an even background is even in every ring.
    ring = np.minimum((u * u + v * v) * RINGS, RINGS - 1).astype(np.int64)
    sector = ((np.arctan2(v, u) / (2 * np.pi) + 0.5) * SECTORS).astype(np.int64) % SECTORS
    counts = np.bincount(ring * SECTORS + sector, minlength=RINGS * SECTORS).reshape(RINGS, SECTORS)
    # Square roots make the noise of a count about equal everywhere (Anscombe, Biometrika 35, 1948).
    spectrum = np.abs(np.fft.rfft(np.sqrt(counts), axis=1))[:, :HARMONICS]
    spectrum[:, 0] = spectrum[:, 0] - spectrum[:, 0].mean()
    spectrum[:, 0] /= np.sqrt(SECTORS)
    flat = spectrum.ravel()
    length = np.linalg.norm(flat)
    return flat / length if length else flat


def groups(descriptions: Sequence[NDArray[np.float64]], alike: float = ALIKE) -> list[Group]:
    """Group descriptions, the largest group first; within a group the one nearest to its mean comes first."""
    if not descriptions:
        return []
    if len(descriptions) == 1:
        return [Group((0,))]
    vectors = np.stack(descriptions)
    names = fcluster(linkage(vectors, "average"), alike, "distance")
    found = []
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        distance = np.linalg.norm(vectors[members] - vectors[members].mean(axis=0), axis=1)
        found.append(Group(tuple(int(one) for one in members[np.argsort(distance, kind="stable")])))
    return sorted(found, key=lambda group: (-len(group.members), group.members))
