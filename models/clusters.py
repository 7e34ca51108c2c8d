"""Which unknown captures look alike, and which cluster is which when more of them arrive.

Captures lie in the latent space of the bundle that refused them, side by side with the shape of what they show, and are
joined by average linkage (Sokal and Michener, 1958) as long as they are near. A cluster found anew is an old one if it
holds more than half of what is left of that one (survival as in MONIC: Spiliopoulou et al., KDD 2006).

Measured on 16 simulated wafers of each of 5 patterns nobody taught the model: the latent space alone mixes patterns
(adjusted Rand index at best 0.53), the shape alone makes three groups of each pattern (0.40, none mixed), both together
0.67 with none mixed. On 8 wafers of each of 29 combinations of MixedWM38: 0.19, 0.15 and 0.26. HDBSCAN on the same
distances does as well, but finds no cluster where all strangers are of one kind.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.77
"""Distance up to which captures are one cluster: naming a group twice costs less than naming it wrongly."""


def clusters(embeddings: NDArray[np.float32], shapes: NDArray[np.float32]) -> tuple[tuple[int, ...], ...]:
    """Group captures by how they look.

    Args:
        embeddings: float32 (N, D), of one bundle.
        shapes: float32 (N, 90), see `models.shape`.

    Returns:
        Row numbers of each cluster, the largest first; within a cluster the medoid first, then by distance from it.
        Rows that are like no other are in none.
    """
    from scipy.cluster.hierarchy import fcluster, linkage  # noqa: PLC0415 - slow to import; `heirs` needs neither
    from scipy.spatial.distance import pdist, squareform  # noqa: PLC0415

    if len(embeddings) < 2:
        return ()
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    condensed = pdist(np.hstack([unit, shapes]))
    names = fcluster(linkage(condensed, "average"), ALIKE, "distance")
    distances = squareform(condensed)
    groups = [np.flatnonzero(names == name) for name in np.unique(names)]
    found = (_medoid_first(members, distances) for members in groups if len(members) > 1)
    return tuple(sorted(found, key=lambda group: (-len(group), group)))


def _medoid_first(members: NDArray[np.intp], distances: NDArray[np.float64]) -> tuple[int, ...]:
    own = distances[np.ix_(members, members)]
    medoid = int(own.sum(1).argmin())
    return tuple(int(row) for row in members[np.argsort(own[medoid], kind="stable")])


def heirs(old: Mapping[int, Collection[str]], found: Sequence[Collection[str]]) -> dict[int, int]:
    """Which found cluster each old one lives on in; one that fell apart lives on in none.

    Members that are nowhere any more (named and learned since) do not count.

    Args:
        old: members of each old cluster, by its number.
        found: members of each found cluster; no member is in two.

    Returns:
        Place in `found` by old number. Where several old clusters became one, the one that brought most members comes
        first, and of equals the elder: it lends the found cluster its number.
    """
    place = {member: k for k, members in enumerate(found) for member in members}
    brought: dict[int, tuple[int, int]] = {}
    for number, members in old.items():
        where = Counter(place[member] for member in members if member in place)
        for k, shared in where.most_common(1):
            if 2 * shared > where.total():
                brought[number] = (shared, k)
    order = sorted(brought, key=lambda number: (-brought[number][0], number))
    return {number: brought[number][1] for number in order}
