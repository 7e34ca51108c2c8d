"""Steps from one shape of the tables to the next (Alembic), packaged so that every process can upgrade at its start."""

import random
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from models.domain.errors import ConfigurationError, RetryableError
from services.records import access_tables, alert_tables, route_tables  # noqa: F401 - make Base.metadata whole
from services.records.session import Database

_LOCK = 0x7761666572  # "wafer": one process at a time migrates a PostgreSQL database
_TRIES = 20
_IN_THE_WAY = ("40P01", "55P03")
"""PostgreSQL's words for a deadlock and for a lock that others hold."""


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the tables to the newest shape; does nothing if they have it. Safe to call from several processes at once.

    Safe under load, too: locks of processes at work are waited for briefly, then these go first, and it starts over.

    Args:
        database: opened by the caller.
        to: the step to stop at, for tests of steps.

    Raises:
        ConfigurationError: the database is newer than this program.
        RetryableError: the database is unreachable, or others never let go.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            _upgrade(database, to)
            return  # noqa: TRY300 - all is done
        except RetryableError as error:
            cause = getattr(error.__cause__, "orig", None)
            if tries_left == 0 or getattr(cause, "sqlstate", None) not in _IN_THE_WAY:
                raise
            time.sleep(random.uniform(0.1, 1.0))  # noqa: S311 - so that two do not meet again


def _upgrade(database: Database, to: str) -> None:
    with database.write(patient=True) as session:
        connection = session.connection()
        if not database.is_sqlite:  # SQLite's BEGIN IMMEDIATE is such a lock already
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another process may be migrating much
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
        config = _config(connection)
        scripts = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise ConfigurationError(
                "database is newer than this program",
                where=database.url.render_as_string(hide_password=True),
                expected=f"revision {scripts.get_current_head()} or older",
                got=f"revision {current}",
                remedy="start the newer waferwatch, or restore the backup made before the upgrade",
            )
        command.upgrade(config, to)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
