"""Keeps unknown captures grouped by how they look to the model that refused them."""

from collections import defaultdict

from models.clusters import clusters
from services.records.clusters import Stranger, looks, regroup, strangers
from services.records.session import Database


class Clustering:
    """Groups anew whenever other captures are unknown than before; several processes that do so do no harm.

    Embeddings of two bundles cannot be compared, so captures are grouped per bundle; a capture counts where it was
    judged last. Sending unknown captures along a new bundle moves them into its space, and their numbers with them.
    """

    def __init__(self, database: Database) -> None:
        """Begin; the first `refresh` groups."""
        self._database = database
        self._grouped: tuple[Stranger, ...] | None = None

    def refresh(self) -> bool:
        """Group if need be; says whether it did.

        Raises:
            RetryableError: the database is away.
        """
        with self._database.read() as session:
            found = strangers(session)
            if found == self._grouped:
                return False
            spaces: dict[str, list[Stranger]] = defaultdict(list)
            for one in found:
                spaces[one.bundle_digest].append(one)
            placed = [(space, looks(session, space)) for space in spaces.values()]
        groups = [[space[row] for row in rows] for space, look in placed for rows in clusters(*look)]
        with self._database.write() as session:
            regroup(session, groups)
        self._grouped = found
        return True
