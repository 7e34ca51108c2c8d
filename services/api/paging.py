"""Cursors in URLs: lists are newest first and continue behind a row, never at an offset."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from models.domain.errors import InputError
from services.records.views import Cursor, Page

Item = TypeVar("Item")


def _cursor(
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
) -> Cursor | None:
    return None if not cursor else Cursor.parse(cursor)


PageCursor = Annotated[Cursor | None, Depends(_cursor)]
Limit = Annotated[int, Query(ge=1, le=200, description="Items of a page.")]


def page_of(items: Sequence[Item], key: Callable[[Item], Cursor], *, limit: int, after: Cursor | None) -> Page[Item]:
    """A page of a list that is at hand as a whole because it is short, behind the item that the cursor names.

    Raises:
        InputError: the item is not in the list (any more).
    """
    begin = 0
    if after is not None:
        places = [place for place, item in enumerate(items) if key(item).id == after.id]
        if not places:
            raise InputError(
                "bad cursor", where="cursor", expected="one from `next` of the same list", got=after.id[:80]
            )
        begin = places[0] + 1
    shown = tuple(items[begin : begin + limit])
    return Page(shown, key(shown[-1]) if begin + limit < len(items) else None)


def next_of(page: Page[Any]) -> str | None:
    """The cursor of the page behind this one, as text."""
    return None if page.next is None else str(page.next)
