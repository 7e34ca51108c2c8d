"""Cursors in URLs: lists are newest first and continue behind a row, never at an offset."""

from typing import Annotated, Any

from fastapi import Depends, Query

from services.records.views import Cursor, Page


def _cursor(
    cursor: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
) -> Cursor | None:
    return None if not cursor else Cursor.parse(cursor)


PageCursor = Annotated[Cursor | None, Depends(_cursor)]
Limit = Annotated[int, Query(ge=1, le=200, description="Items of a page.")]


def next_of(page: Page[Any]) -> str | None:
    """The cursor of the page behind this one, as text."""
    return None if page.next is None else str(page.next)
