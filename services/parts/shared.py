"""What every part does first: folders, tables, logs, and an ear for SIGTERM."""

import logging
import signal
import threading
from collections.abc import Collection
from dataclasses import dataclass

from pipelines.ingestion import ReadOptions
from services.alerting.channel import Channel
from services.alerting.policy import AlertPolicy
from services.alerting.rule_file import rules_at
from services.alerting.webhook import Webhook
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
    configure_logging()
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


def channels_of(settings: Settings) -> Collection[Channel]:
    """The channels alerts are sent on."""
    if settings.webhook_url is None or settings.webhook_secret is None:
        return ()
    secret = settings.webhook_secret.get_secret_value()
    return (Webhook(str(settings.webhook_url), secret, private=settings.webhook_private),)


def alert_policy(settings: Settings) -> AlertPolicy:
    """The rules of this installation, and the channels that hear of what they raise.

    Raises:
        ConfigurationError: the rules are wrong, or tell channels that are not set up.
    """
    rules = rules_at(settings.rules)
    names = tuple(channel.name for channel in channels_of(settings))
    rules.check_channels(names, where=str(settings.rules or "shipped rules"))
    return AlertPolicy(rules, names)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
