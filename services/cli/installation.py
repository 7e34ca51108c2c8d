"""The installation that verbs work on: the database that WAFERWATCH_* names, and who works on it."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.settings import Settings

if TYPE_CHECKING:
    from services.records.session import Database


@contextmanager
def opened(settings: Settings | None = None) -> Iterator["Database"]:
    """Its database, with today's tables."""
    from services.records.migrations import upgrade
    from services.records.session import Database

    settings = settings or Settings.load()
    settings.make_folders()
    database = Database(settings.database_url, timeout_s=settings.database_timeout_s)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def me() -> str:
    """Who works here, for the audit trail."""
    return f"{getpass.getuser()} (command line)"
