"""Nothing needs a mouse: the main jobs of every role, done with keys alone; wherever the focus is, it is seen."""

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from models.domain.alert import AlertState
from pipelines.simulate import UNKNOWN_PATTERNS
from services.records import queries
from services.records.labels import labels
from services.records.session import now
from services.records.silences import silences
from tests.browser.conftest import Site, Visit

pytestmark = pytest.mark.browser
MOST_STOPS = 80
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const covered = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height / 2, 8));
  return {
    name: (one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent).trim(),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.top < innerHeight && box.bottom > 0
      && (one.contains(covered) || covered?.contains(one) || one.labels?.[0]?.contains(covered)) };
}"""


@dataclass(frozen=True, slots=True)
class Keys:
    """A page, and hands that never leave the keyboard."""

    page: Page

    def reach(self, name: str) -> None:
        """Press Tab until something with that name has the focus; each stop on the way must show that it has it."""
        met = []
        for _ in range(MOST_STOPS):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            met.append(focused["name"][:40])
            assert focused["outlined"], f"{met[-1]} does not show that it has the focus"
            assert focused["seen"], f"{met[-1]} has the focus out of sight"
            if focused["name"].startswith(name):
                return
        pytest.fail(f"{name} cannot be reached by Tab; met: {met}")

    def follow(self, name: str) -> None:
        """Go to a link or button and press it."""
        self.reach(name)
        self.page.keyboard.press("Enter")

    def fill(self, name: str, text: str) -> None:
        """Go to a field and type."""
        self.reach(name)
        self.page.keyboard.type(text)


def test_the_main_jobs_need_no_mouse(site: Site, visit: Visit) -> None:
    site.seeder.gallery([UNKNOWN_PATTERNS[0], "Donut", "Ring"])
    site.seeder.refused("A4711_07.001")
    page = visit(viewport={"width": 1400, "height": 900}).open("/alerts")
    main, keys = page.locator("main"), Keys(page)

    keys.follow("Skip to the content")
    assert page.evaluate("document.activeElement.id") == "content"
    keys.follow("Ring")
    page.wait_for_url("**/alerts/*")
    keys.follow("Acknowledge")
    expect(main).to_contain_text("Open again")

    keys.follow("Unknown")
    page.wait_for_url("**/unknown")
    keys.fill("What it shows", "Comet")
    page.keyboard.press("Enter")
    expect(main).to_contain_text("Named so far")

    keys.follow("Labels")
    page.locator("wafer-viewer[data-state=ready]").wait_for()
    page.keyboard.press("1")
    expect(main).to_contain_text("Noted for")

    keys.follow("Alerts")
    page.wait_for_url("**/alerts")
    keys.follow("Silences")
    page.wait_for_url("**/silences")
    keys.fill("Tool", "SP5-02")
    keys.fill("Why", "chuck is cleaned")
    page.keyboard.press("Enter")
    expect(page.locator("tbody")).to_contain_text("chuck is cleaned")

    keys.follow("Models")
    page.wait_for_url("**/models")
    keys.follow("Proposed")
    page.wait_for_url("**/models/3")
    keys.fill("Why", "scratches are looked at elsewhere")
    keys.follow("Promote version 3")
    expect(page.locator(".tile", has_text="Judges now")).to_contain_text("Version 3")

    keys.follow("Quarantine")
    page.wait_for_url("**/quarantine")
    keys.follow("Try again")
    expect(main).to_contain_text("waits for an inspector")

    with site.database.read() as session:
        assert [one.state for one in queries.alerts(session, states=[AlertState.ACKNOWLEDGED]).items]
        assert "Comet" in {one.name for one in labels(session).items}
        assert [one.reason for one in silences(session, since=now(session)).items] == ["chuck is cleaned"]


def test_the_map_needs_no_mouse(site: Site, visit: Visit) -> None:
    site.seeder.gallery(["Ring"])
    page = visit(viewport={"width": 1400, "height": 900}).open("/inspections")
    keys = Keys(page)
    keys.follow("A47010 · 01")
    page.locator("wafer-viewer[data-state=ready]").wait_for()
    seen = "document.querySelector('wafer-viewer').seen.visible"
    whole = page.evaluate(seen)
    keys.follow("Class")
    keys.reach("all")
    keys.reach("0 ·")
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    assert 0 < page.evaluate(seen) < 0.5 * whole, "seven in ten are of class 0"
    keys.reach("Map.")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer-zoom")).to_have_text("1.5×")
    view = page.evaluate("document.querySelector('wafer-viewer').camera.view")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.querySelector('wafer-viewer').camera.view") != view
    page.keyboard.press("0")
    expect(page.locator(".viewer-zoom")).to_have_text("1.0×")
    page.keyboard.press("Enter")
    expect(page.locator(".viewer-defect")).to_contain_text("CLASSNUMBER")


def test_a_focus_that_is_not_seen_is_a_fault(visit: Visit) -> None:
    page = visit().page
    seen, bare = "button:focus { outline: 2px solid }", ".bare:focus { outline: 0 }"
    page.set_content(f"<style>{seen} {bare}</style><button>One</button><button class=bare>Two</button>")
    with pytest.raises(AssertionError, match="Two does not show"):
        Keys(page).reach("Three")
