"""Every page in light and dark, on a phone, a laptop and a large screen.

Nothing is wider than the window, no text lies on another, and axe finds no breach of WCAG 2.2 AA.
"""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from pipelines.simulate import UNKNOWN_PATTERNS
from services.records.labels import add_labels
from tests.browser.conftest import Site, Visit
from tests.browser.seeding import UNSURE, Wafer

pytestmark = pytest.mark.browser
OVERLAPS = (Path(__file__).parent / "overlaps.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
LONG = "a_very_long_file_name_as_tools_write_them_20260301_061200_A4711_07.klarf"
PAGES = (
    "/alerts", "/alerts?state=all&pattern=Ring", "/inspections", "/inspections?verdict=unknown", "/unknown", "/labels",
    "/labels?queue=second", "/quality", "/quality?reach=30d", "/stack", "/report", "/quarantine", "/jobs", "/service",
    "/jobs?state=set-aside", "/audit", "/account", "/users", "/models", "/models/3", "/models/2", "/upload", "/api",
    "/nowhere",
)  # fmt: skip


def full(site: Site) -> list[str]:
    """Something on every page; the addresses of all of them."""
    stranger = UNKNOWN_PATTERNS[0]
    found = site.seeder.gallery(["Ring", "Donut", stranger, stranger, UNSURE, *["Normal"] * 8])
    deep = site.seeder.inspected(Wafer("ClusterSmall", 5, 3000, levels=(0, 2)))
    image = site.seeder.pictured(1200)
    job = site.seeder.refused(LONG)
    with site.database.write() as session:
        add_labels(session, found[:2], name="Ring", author="ada")
        add_labels(session, found[1:2], name="Donut", author="bob")
    return [
        *PAGES,
        "/alerts/1",
        f"/inspections/{found[2]}",
        f"/inspections/{deep}",
        f"/inspections/{image}",
        f"/jobs/{job}",
    ]


def breaches(page: Page) -> list[str]:
    """What axe finds, in one line each."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:120]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def test_what_is_wrong_is_seen(visit: Visit) -> None:
    page = visit().page
    page.set_content(
        "<html lang=en><title>x</title><h1>Fine</h1><p style='color:#aaa;background:#fff'>faint words</p>"
        "<p>one text</p><p style='margin-top:-1.9em'>another text</p><p>two <b>words</b></p>"
        "<div style='overflow:hidden;height:1px'><p>cut off</p></div>"
    )
    assert page.evaluate(OVERLAPS) == ["one text ∩ another text"]
    assert [one.split(":")[0] for one in breaches(page)] == ["color-contrast"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1280, 1920])
def test_every_page_is_whole(site: Site, visit: Visit, width: int, scheme: str) -> None:
    paths = full(site)
    watched = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in paths:
        page = watched.open(path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} is too wide"
        assert page.locator("h1").count() == 1, path
        assert page.evaluate(OVERLAPS) == [], path
        assert breaches(page) == [], path
    watched.complaints[:] = [one for one in watched.complaints if "404" not in one]  # /nowhere
