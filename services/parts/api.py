"""The API and dashboard in their own uvicorn."""

import logging
import os
from functools import partial
from typing import BinaryIO

import uvicorn

from pipelines.ingestion import Limits, open_captures
from services.access.users import users
from services.api.app import create_app
from services.api.slow_clients import ImpatientProtocol
from services.api.wiring import Accept, Accepted
from services.intake.receiving import Arrival, receive
from services.jobs import OverQuota
from services.parts.shared import Foundation, lay_foundation, options_of
from services.priority import Priority
from services.settings import Settings
from services.telemetry.metrics import Metrics

MOST_CONNECTIONS = 512
_log = logging.getLogger(__name__)


def run_api(settings: Settings) -> None:
    """Serve until SIGTERM."""
    foundation = lay_foundation(settings)
    options, metrics = options_of(settings), Metrics()
    _say_if_nobody_can_log_in(foundation)
    app = create_app(
        settings,
        foundation.database,
        accept=accepting(foundation, metrics),
        opener=partial(open_captures, options=options, limits=Limits(file_bytes=settings.file_limit_bytes)),
        options=options,
        metrics=metrics,
    )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=ImpatientProtocol,
        forwarded_allow_ips=list(settings.proxies),
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )


def _say_if_nobody_can_log_in(foundation: Foundation) -> None:
    if not foundation.settings.needs_login:
        return
    with foundation.database.read() as session:
        somebody = any(one.disabled_at is None for one in users(session).items)
    if not somebody:
        _log.warning("nobody can log in yet: run 'waferwatch user add NAME --role admin' here")


def accepting(foundation: Foundation, metrics: Metrics) -> Accept:
    """How uploads are taken in."""
    settings = foundation.settings

    def accept(
        content: BinaryIO, *, name: str, sender: str, arrival: str | None, priority: Priority = Priority.NORMAL
    ) -> Accepted:
        origin = Arrival("upload", name, sender, route=settings.route, priority=priority, key=arrival or "")
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        try:
            receipt = receive(foundation.database, foundation.spool, content, origin, quota=settings.quota_files)
        except OverQuota:
            metrics.arrived("over quota", size)
            raise
        metrics.arrived("taken" if receipt.is_new_job else "known", size)
        return Accepted(receipt.job_id, receipt.sha256, receipt.is_new_job)

    return accept
