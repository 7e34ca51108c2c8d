"""Headless Chromium before a seeded service. Every page a test opens is watched: no error, no foreign request."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from prometheus_client import CollectorRegistry

from services.api.app import create_app
from services.api.wiring import Accepted
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.browser.seeding import Seeder, opened
from tests.services.faking_models import FakeModels
from tests.web import served

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True)
class Site:
    """A served dashboard and what lies behind it."""

    url: str
    database: Database
    seeder: Seeder
    settings: Settings
    models: FakeModels


@dataclass(slots=True)
class Watched:
    """A page and what went wrong on it."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go there and wait until a map, if there is one, is drawn."""
        self.page.goto(self.site.url + path)
        if self.page.locator("wafer-viewer").count():
            self.page.locator("wafer-viewer[data-state=ready]").wait_for()
        return self.page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no {CHROMIUM}: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def a_site(folder: Path, sqlite_template: Path, **given: object) -> Iterator[Site]:
    """A fresh service without any data; `given` are settings."""
    shutil.copy(sqlite_template, folder / "waferwatch.db")
    settings = Settings(home=folder, **given)  # type: ignore[arg-type]
    database = Database(settings.database_url)
    seeder, models = Seeder(settings, database), FakeModels()

    def accept(content: BinaryIO, *, name: str, sender: str, arrival: str | None) -> Accepted:
        sha256, job_id = seeder.taken_in(content.read().decode(), name)
        return Accepted(job_id, sha256, True)

    app = create_app(
        settings,
        database,
        accept=accept,
        opener=opened,
        metrics=Metrics(CollectorRegistry()),
        models_known=models,
    )
    with served(app) as url:
        yield Site(url, database, seeder, settings, models)
    database.close()


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    with a_site(tmp_path, sqlite_template) as started:
        yield started


Visit = Callable[..., Watched]


@contextmanager
def visits(chromium: Browser, site: Site) -> Iterator[Visit]:
    """Opens watched pages; at the end none of them may have complained."""
    opened_pages: list[Watched] = []

    def start(**options: object) -> Watched:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        watched = Watched(context.new_page(), site)
        page, complaints = watched.page, watched.complaints
        page.on("console", lambda one: complaints.append(f"console: {one.text}") if one.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: None if request.url.startswith(site.url) else complaints.append(f"foreign: {request.url}"),
        )
        opened_pages.append(watched)
        return watched

    yield start
    for watched in opened_pages:
        watched.page.context.close()
    assert [complaint for watched in opened_pages for complaint in watched.complaints] == []


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Visit]:
    with visits(chromium, site) as start:
        yield start
