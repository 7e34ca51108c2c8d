"""What people say a capture shows, and whether they agree. Each says it without knowing what the others said."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

PEOPLE = 2
"""How many must say the same before a model may learn it: one person's slip teaches a mistake to every later wafer."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one person said a capture shows."""

    name: str
    author: str


class Agreement(StrEnum):
    """How far people are with a capture."""

    AGREED = "agreed"
    """Enough people say the same, and more than half of those who said anything."""
    WAITING = "waiting"
    """Nobody disagrees, but too few have spoken."""
    DISPUTED = "disputed"
    """They say different things; one more person decides it."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What people make of a capture.

    Attributes:
        name: the class most of them say; of equally frequent ones the one said last.
        supporters: how many say so.
        people: how many said anything.
        agreement: how far they are.
    """

    name: str
    supporters: int
    people: int
    agreement: Agreement


def opinion(words: Sequence[Word], needed: int = PEOPLE) -> Opinion | None:
    """What people make of a capture; None if nobody said anything.

    Args:
        words: oldest first; of each person the last one counts, the earlier ones were slips.
        needed: people who must say the same; 1 takes a single word for true.
    """
    newest: dict[str, str] = {}
    for word in words:
        newest.pop(word.author, None)  # so that who spoke again stands last
        newest[word.author] = word.name
    if not newest:
        return None
    said = Counter(reversed(newest.values()))
    name, supporters = said.most_common(1)[0]
    people = len(newest)
    if supporters >= needed and 2 * supporters > people:
        agreement = Agreement.AGREED
    else:
        agreement = Agreement.WAITING if len(said) == 1 else Agreement.DISPUTED
    return Opinion(name, supporters, people, agreement)
