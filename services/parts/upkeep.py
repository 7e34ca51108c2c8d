"""What the housekeeper does now and then: partitions, retention, backups with integrity checks, leftovers."""

import logging
import time
from datetime import UTC, datetime, timedelta

from services.inspection.blocks import drop_leftovers
from services.records.backup import DamagedError, back_up, backups, made_at
from services.records.partitions import drop_verdicts, make_partitions
from services.records.session import Database, now
from services.settings import Settings
from services.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

BACKUP_EVERY = timedelta(days=1)
LEFTOVERS_AFTER = timedelta(days=7)


class Upkeep:
    """The chores; each may be done at any time, by several housekeepers too."""

    def __init__(self, settings: Settings, database: Database, metrics: Metrics) -> None:
        """Nothing is done yet."""
        self._settings = settings
        self._database = database
        self._metrics = metrics

    def make_room(self) -> None:
        """Partitions ahead, verdicts past their time away, blocks nobody will go on from away.

        Raises:
            RetryableError: the database is away, or others hold locks: next time.
        """
        for name in make_partitions(self._database):
            _log.info("partition %s is made", name)
        with self._database.read() as session:
            moment = now(session)
        if self._settings.keep_verdicts_days is not None:
            gone = drop_verdicts(self._database, moment - timedelta(days=self._settings.keep_verdicts_days))
            if gone:
                _log.info("verdicts of %d %s dropped", gone, "inspections" if self._database.is_sqlite else "months")
        with self._database.write() as session:
            drop_leftovers(session, before=moment - LEFTOVERS_AFTER)

    def back_up(self) -> None:
        """A checked copy of the embedded database, once a day; PostgreSQL is backed up by its own means.

        Damage is said in the log and in the metrics, and raises no alert in the database: that must not be written to.

        Raises:
            RetryableError: the disk is full or the database busy: next time.
        """
        settings = self._settings
        if not self._database.is_sqlite or settings.backup_keep == 0:
            return
        known = backups(settings.backup_dir)
        if known:
            self._metrics.backed_up(made_at(known[-1]))
            if datetime.now(UTC) - made_at(known[-1]) < BACKUP_EVERY:
                return
        began = time.monotonic()
        try:
            made = back_up(self._database, settings.backup_dir, settings.backup_keep)
        except DamagedError as error:
            self._metrics.checked(sound=False)
            _log.critical("%s", error)
            return
        self._metrics.checked(sound=True)
        self._metrics.backed_up(made_at(made))
        _log.info("backup %s made and checked in %.1f s", made.name, time.monotonic() - began)
