"""The API and pages of a plant, taking uploads in as the real one does."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from pipelines.ingestion import open_captures
from services.api.app import create_app
from services.intake.spool import Spool
from services.parts.api import accepting
from services.parts.shared import Foundation
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.faults.plant import Plant


def app_of(plant: Plant, database: Database) -> FastAPI:
    """The app of one process, on loopback without a login."""
    settings = Settings(home=plant.folder / "home", spool_dir=plant.folder / "spool", database_url=plant.url)
    foundation = Foundation(settings, database, Spool(settings.spool_dir, limit_bytes=1 << 20))
    metrics = Metrics(CollectorRegistry())
    return create_app(settings, database, accept=accepting(foundation, metrics), opener=open_captures, metrics=metrics)
