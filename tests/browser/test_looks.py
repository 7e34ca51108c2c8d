"""Every page in light and dark, on a phone, a laptop and a large screen.

Nothing is wider than the window, no text lies on another, and axe finds no breach of WCAG 2.2 AA. Which pages there are
is asked of the application. `WAFERWATCH_TEST_PICTURES=FOLDER` keeps a picture of each, to be looked at.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.routing import compile_path

from services.access.oidc import ARRIVAL
from services.api.app import create_app
from services.records.session import Database
from services.settings import LoginPolicy, Settings
from tests.browser.conftest import Site, Visit, a_site, visits
from tests.browser.furnished import PAGES, furnish
from tests.browser.seeding import opened
from tests.services.access.people import PASSWORD

OVERLAPS = (Path(__file__).parent / "overlaps.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
PICTURES = os.environ.get("WAFERWATCH_TEST_PICTURES")
NO_PAGES = (
    "/", "/live", "/report.csv", "/audit.csv", "/labels.csv", "/stack.png", "/login/provider", ARRIVAL, "/healthz",
    "/readyz", "/metrics",
)  # fmt: skip
"""What browsers may ask for besides pages: these lead elsewhere, or are files and streams."""
HEIGHT = 900
WIDTHS = (420, 1280, 1920)
READ_BY_AXE = {"light": 1280, "dark": 420}
"""Contrast hangs on the scheme and structure on the width, so each is seen once."""


def test_every_page_there_is_is_visited(tmp_path: Path, sqlite_template: Path) -> None:
    database = Database(f"sqlite:///{sqlite_template}")
    app = create_app(Settings(home=tmp_path), database, accept=None, opener=opened)  # type: ignore[arg-type]
    database.close()
    routes = [one.path for one in app.state.doors.guarded if "GET" in one.methods and not one.path.startswith("/api/")]
    patterns = [(path, compile_path(path)[0]) for path in routes]
    paths = [re.sub(r"{\w+}", "1", one).partition("?")[0] for one in PAGES]
    visited = {next((path for path, pattern in patterns if pattern.match(one)), one) for one in paths}
    assert visited - {"/nowhere"} == set(routes) - set(NO_PAGES)


@pytest.mark.browser
def test_what_is_no_page_shows_none(site: Site) -> None:
    for path in NO_PAGES:
        with httpx.stream("GET", site.url + path) as answer:
            assert answer.status_code != 200 or "text/html" not in answer.headers["content-type"], path


@pytest.mark.browser
def test_what_is_wrong_is_seen(visit: Visit) -> None:
    page = visit().page
    page.set_content(
        "<html lang=en><title>x</title><h1>Fine</h1><p style='color:#aaa;background:#fff'>faint words</p>"
        "<p>one text</p><p style='margin-top:-1.9em'>another text</p><p>two <b>words</b></p>"
        "<div style='overflow:hidden;height:1px'><p>cut off</p></div>"
    )
    assert page.evaluate(OVERLAPS) == ["one text ∩ another text"]
    assert [one.split(":")[0] for one in breaches(page)] == ["color-contrast"]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[tuple[Site, list[str]]]:
    """A plant where people log in, and the addresses of its pages."""
    folder = tmp_path_factory.mktemp("plant")
    with a_site(folder, sqlite_template, login=LoginPolicy.ALWAYS, requests_per_minute=100_000) as site:
        words = furnish(site, folder / "made")
        yield site, [one.format_map(words) for one in PAGES]


@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_whole(plant: tuple[Site, list[str]], chromium: Browser, scheme: str) -> None:
    site, paths = plant
    with visits(chromium, site) as visit:
        watched = visit(viewport={"width": WIDTHS[0], "height": HEIGHT}, color_scheme=scheme)
        log_in(watched.open("/login"))
        flaws = [f"{path}: {flaw}" for path in paths for flaw in flaws_of(watched.open(path), scheme)]
        watched.complaints[:] = [one for one in watched.complaints if "404" not in one]  # /nowhere
    assert not flaws, "\n".join(flaws)


@pytest.mark.browser
def test_answers_to_forms_are_whole(plant: tuple[Site, list[str]], chromium: Browser) -> None:
    with visits(chromium, plant[0]) as visit:
        watched = visit(viewport={"width": WIDTHS[0], "height": HEIGHT}, color_scheme="dark")
        log_in(watched.open("/login"))
        page = watched.open("/account")
        page.get_by_label("New token for").fill("a script that runs every night")
        page.get_by_role("button", name="Create").click()
        expect(page.locator("main")).to_contain_text("never again")
        flaws = [f"token: {flaw}" for flaw in flaws_of(page, "dark")]
        page = watched.open("/users")
        page.get_by_label("New user").fill("ada")
        page.get_by_label("Password to begin with").fill(PASSWORD)
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("alert")).to_contain_text("ada")
        flaws += [f"user: {flaw}" for flaw in flaws_of(page, "dark")]
        page = watched.open("/silences")
        page.get_by_label("Why").fill("nothing in particular")
        page.get_by_role("button", name="Make it quiet").click()
        expect(page.get_by_role("alert")).to_contain_text("A silence needs")
        flaws += [f"silence: {flaw}" for flaw in flaws_of(page, "dark")]
        watched.complaints[:] = [one for one in watched.complaints if "422" not in one]
    assert not flaws, "\n".join(flaws)


def flaws_of(page: Page, scheme: str) -> Iterator[str]:
    """What is wrong with a page in all widths, in one line each."""
    if page.locator("h1").count() != 1:
        yield "not one h1"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            yield f"wider than {width}"
        yield from (f"{one}, at {width}" for one in page.evaluate(OVERLAPS))
        if READ_BY_AXE[scheme] == width:
            yield from breaches(page)
        if PICTURES:
            name = re.sub(r"\W+", "_", page.url.partition("//")[2].partition("/")[2])[-60:]
            page.screenshot(path=f"{PICTURES}/{name}_{width}_{scheme}.png", full_page=True)


def log_in(page: Page) -> None:
    """As the one who may do everything."""
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/alerts")


def breaches(page: Page) -> list[str]:
    """What axe finds, in one line each."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:120]} {node['failureSummary']}" for one in found for node in one["nodes"]]
