"""A served app on a fresh SQLite database, with a fake intake and files that open as a few known points."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from models.domain.errors import InputError
from pipelines.ingestion import CaptureReader, PointMap, PointReader
from services.api.app import create_app
from services.api.drawing_store import Opener
from services.api.model_shelf import Models
from services.api.wiring import Accepted
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.making import add_job, capture, sha
from tests.web import served

POINTS = PointMap(
    np.array([0, 100_000, -100_000], np.float32), np.array([0, 50_000, -50_000], np.float32), diameter_um=300_000.0
)


class FakeIntake:
    """Remembers what it took; content 'refuse me' is refused."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.taken: list[tuple[bytes, str, str, str | None]] = []

    def __call__(
        self, content: BinaryIO, *, name: str, sender: str, arrival: str | None, priority: object = None
    ) -> Accepted:
        data = content.read()
        if data == b"refuse me":
            raise InputError("file is empty", where=name, code="empty-file")
        known = any(data == before for before, *_ in self.taken)
        self.taken.append((data, name, sender, arrival))
        text = data.decode(errors="replace")
        return Accepted(add_job(self.database, text, priority=priority), sha(text), not known)


class Service:
    """One served app and what a test may look at behind it."""

    def __init__(self, url: str, database: Database, intake: FakeIntake, metrics: Metrics, settings: Settings) -> None:
        self.url, self.database, self.intake = url, database, intake
        self.metrics, self.settings = metrics, settings
        self.client = httpx.Client(base_url=url, timeout=60)

    def spool(self, content: str) -> None:
        """Put a file where the drawing store looks for it."""
        self.settings.spool_dir.mkdir(parents=True, exist_ok=True)
        (self.settings.spool_dir / sha(content)).write_text(content)


Serve = Callable[..., Service]


@pytest.fixture
def serve(tmp_path: Path, sqlite_template: Path) -> Iterator[Serve]:
    """Starts a service with the settings given."""
    with ExitStack() as stack:

        def start(opener: Opener = opened, models_known: Models | None = None, **settings: object) -> Service:
            shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
            chosen = Settings(home=tmp_path, **settings)  # type: ignore[arg-type]
            database = Database(chosen.database_url)
            stack.callback(database.close)
            intake, metrics = FakeIntake(database), Metrics(CollectorRegistry())
            app = create_app(chosen, database, accept=intake, opener=opener, metrics=metrics, models_known=models_known)
            url = stack.enter_context(served(app))
            service = Service(url, database, intake, metrics, chosen)
            stack.callback(service.client.close)
            return service

        yield start


@pytest.fixture
def service(serve: Serve) -> Service:
    """A service on loopback: no login."""
    return serve()


def opened(path: Path, /, *, sha256: str | None = None) -> Iterator[CaptureReader]:
    """Whatever the file holds is three points; its text is the capture's name."""
    yield PointReader(capture(path.read_text()), POINTS)


Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The description of the API, as programs get it."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    database = Database(settings.database_url)
    metrics = Metrics(CollectorRegistry())
    app = create_app(settings, database, accept=FakeIntake(database), opener=opened, metrics=metrics)
    database.close()
    return dict(json.loads(json.dumps(app.openapi())))
