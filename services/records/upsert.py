"""INSERT … ON CONFLICT, the same on both databases: doing a thing twice leaves one row."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.records.tables import Base

Insert = postgresql.Insert | sqlite.Insert


def insert_into(session: Session, table: type[Base]) -> Insert:
    """An INSERT in the database's own dialect."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def insert_new(session: Session, table: type[Base], *unique: InstrumentedAttribute[Any], **values: Any) -> bool:
    """Insert a row unless one with the same `unique` columns is there already; says whether it did.

    Waits for a concurrent transaction that is inserting the same.
    """
    statement = insert_into(session, table).values(**values).on_conflict_do_nothing(index_elements=list(unique))
    return session.execute(statement.returning(unique[0])).first() is not None
