"""The API and dashboard in their own uvicorn."""

from functools import partial
from typing import BinaryIO

import uvicorn

from pipelines.ingestion import open_captures
from services.api.app import create_app
from services.api.wiring import Accept, Accepted
from services.intake.receiving import Arrival, receive
from services.parts.shared import Foundation, lay_foundation, options_of
from services.settings import Settings
from services.telemetry.metrics import Metrics

MOST_CONNECTIONS = 512


def run_api(settings: Settings) -> None:
    """Serve until SIGTERM.

    Raises:
        ConfigurationError: other machines could reach the service and no token is set.
    """
    foundation = lay_foundation(settings)
    options = options_of(settings)
    app = create_app(
        settings,
        foundation.database,
        accept=accepting(foundation),
        opener=partial(open_captures, options=options),
        options=options,
        metrics=Metrics(),
    )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )


def accepting(foundation: Foundation) -> Accept:
    """How uploads are taken in."""

    def accept(content: BinaryIO, *, name: str, sender: str, arrival: str | None) -> Accepted:
        origin = Arrival("upload", name, sender, route=foundation.settings.route, key=arrival or "")
        receipt = receive(foundation.database, foundation.spool, content, origin)
        return Accepted(receipt.job_id, receipt.sha256, receipt.is_new_job)

    return accept
