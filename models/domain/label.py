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
        names: how many different things they say.
        agreement: how far they are.
    """

    name: str
    supporters: int
    people: int
    names: int
    agreement: Agreement


def agreement(supporters: int, people: int, names: int, needed: int = PEOPLE) -> Agreement:
    """How far people are, from how many say the commonest thing, anything at all, and how many different things."""
    if supporters >= needed and 2 * supporters > people:
        return Agreement.AGREED
    return Agreement.WAITING if names == 1 else Agreement.DISPUTED


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
    people, names = len(newest), len(said)
    return Opinion(name, supporters, people, names, agreement(supporters, people, names, needed))
