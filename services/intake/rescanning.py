"""After a restore: files that came since the backup lie in the spool, and the database knows nothing of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from services.intake.receiving import Arrival, key_of, register
from services.intake.spool import Spool, Spooled
from services.priority import Priority
from services.records.session import Database
from services.records.tables import SourceFileRow

_NAME = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 200


def rescan(database: Database, spool: Spool, route: str) -> Iterator[int]:
    """Register every file of the spool that no row names, some at a time; doing it again finds nothing.

    Their names are lost with the database that knew them: they are called by their hashes.

    Args:
        database: just restored.
        spool: where the bytes are.
        route: what shall judge them.

    Yields:
        How many of the next files were new.
    """
    files = sorted(path for path in spool.folder.glob("*") if _NAME.fullmatch(path.name))
    for start in range(0, len(files), _AT_ONCE):
        some = files[start : start + _AT_ONCE]
        with database.write() as session:
            wanted = select(SourceFileRow.sha256).where(SourceFileRow.sha256.in_([path.name for path in some]))
            known = set(session.scalars(wanted))
            new = [path for path in some if path.name not in known]
            for path in new:
                register(session, Spooled(path.name, path.stat().st_size), _arrival(path, route))
        yield len(new)


def _arrival(path: Path, route: str) -> Arrival:
    key = key_of("rescan", path.name)
    return Arrival("rescan", path.name, "rescan", route=route, priority=Priority.NORMAL, key=key)
