"""What every part does first: folders, tables, logs, and an ear for SIGTERM."""

import logging
import signal
import threading
from dataclasses import dataclass

from pipelines.ingestion import ReadOptions
from services.alerting.channels.channel import Channel
from services.alerting.channels.channel_file import ChannelFile
from services.alerting.policy import AlertPolicy
from services.alerting.rule_file import rules_at
from services.intake.spool import Spool
from services.records.migrations import upgrade
from services.records.session import Database
from services.settings import Settings
from services.telemetry.logs import configure_logging

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Foundation:
    """What parts are built on."""

    settings: Settings
    database: Database
    spool: Spool


def lay_foundation(settings: Settings) -> Foundation:
    """Make the folders, open the database and bring its tables to the newest shape.

    Raises:
        ConfigurationError: the database is not one we can use.
        RetryableError: it does not answer.
    """
    configure_logging(settings.log_level, as_json=settings.log_json)
    settings.make_folders()
    database = Database(settings.database_url, timeout_s=settings.database_timeout_s)
    upgrade(database)
    if warning := database.sqlite_warning():
        _log.warning("%s", warning)
    return Foundation(settings, database, Spool(settings.spool_dir, settings.file_limit_bytes))


def options_of(settings: Settings) -> ReadOptions:
    """What this installation knows of files that they do not say.

    Raises:
        ConfigurationError: the file is not there or wrong.
    """
    return ReadOptions() if settings.reading is None else ReadOptions.load(settings.reading)


def open_channels(settings: Settings) -> tuple[Channel, ...]:
    """The channels alerts are sent on, ready to send.

    Raises:
        ConfigurationError: the file of channels is wrong, a secret is missing, or an extra is not installed.
    """
    return ChannelFile.load(settings.channels).open(str(settings.public_url or ""))


def alert_policy(settings: Settings) -> AlertPolicy:
    """The rules of this installation, and the channels that hear of what they raise.

    Raises:
        ConfigurationError: rules or channels are wrong, or rules tell channels that are not set up.
    """
    rules, channels = rules_at(settings.rules), ChannelFile.load(settings.channels)
    rules.check_channels(channels.names, where=str(settings.rules or "shipped rules"))
    return AlertPolicy(rules, channels.defaults)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
