"""How urgent files are."""

from enum import StrEnum


class Priority(StrEnum):
    """How urgent a file is; the most urgent jobs go first, and among equals the oldest."""

    HELD = "held"
    """Production waits for the verdict: the lot is held."""
    NORMAL = "normal"
    BACKFILL = "backfill"
    """Archives that are inspected when nothing else is to do."""

    @property
    def rank(self) -> int:
        """Place in the queue: lower goes first."""
        return {Priority.HELD: 0, Priority.NORMAL: 100, Priority.BACKFILL: 200}[self]
