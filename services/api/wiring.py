"""What request handlers work with, put together once in `create_app` and asked for with `Wired`."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO, Protocol

from fastapi import Depends, Request

from pipelines.ingestion import ReadOptions
from services.access.oidc import Provider
from services.access.roles import Principal
from services.api.access import Keys
from services.api.bundle_shelf import BundleShelf
from services.api.drawing_store import DrawingStore
from services.api.explaining import Explaining
from services.api.model_shelf import Models
from services.api.problems import UnauthorizedError
from services.api.pulse import Pulse
from services.priority import Priority
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file that is safe in the spool, with its job committed.

    Attributes:
        job_id: the job that inspects it.
        sha256: of its content.
        is_new: False if the same content was accepted before.
    """

    job_id: int
    sha256: str
    is_new: bool


class Accept(Protocol):
    """Takes one upload in; when it returns, the file and its job survive a crash of everything."""

    def __call__(
        self, content: BinaryIO, *, name: str, sender: str, arrival: str | None, priority: Priority = Priority.NORMAL
    ) -> Accepted:
        """Take it in.

        Args:
            content: the bytes, from where the stream stands.
            name: what the client calls it; never used as a path.
            sender: who brought it.
            arrival: SHA-256 of the client's name for this arrival (Idempotency-Key), None if it gave none.
            priority: how urgent it is.

        Raises:
            InputError: the file is not acceptable.
            OverQuota: too many files of this sender wait already.
            RetryableError: the database or the disk is not available now.
        """


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of one API process."""

    settings: Settings
    database: Database
    metrics: Metrics
    keys: Keys
    provider: Provider | None
    drawings: DrawingStore
    bundles: BundleShelf
    explaining: Explaining
    models: Models
    pulse: Pulse
    accept: Accept
    options: ReadOptions


def _wired(request: Request) -> Wiring:
    wiring: Wiring = request.app.state.wiring
    return wiring


def _principal(request: Request) -> Principal:
    principal: Principal | None = request.state.principal
    if principal is None:
        raise UnauthorizedError("login needed", where=request.url.path)
    return principal


Wired = Annotated[Wiring, Depends(_wired)]
Caller = Annotated[Principal, Depends(_principal)]
