"""Heat maps are switched on one by one over the picture, drawn as dense as asked, and explained."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visit

pytestmark = pytest.mark.browser
COLOUR_AT = """([row, column]) => {
  const viewer = document.querySelector('wafer-viewer'), { u0, v0, u1, v1 } = viewer.frame;
  const [x, y] = viewer.camera.pixelOf(u0 + column * (u1 - u0), v0 + row * (v1 - v0));
  return [...viewer.context.getImageData(x, y, 1, 1).data].slice(0, 3);
}"""
CAR, TRUCK = (0.02 + 0.96 * 30.5 / 90, 0.02 + 0.96 * 30.5 / 90), (0.02 + 0.96 * 60.5 / 90, 0.02 + 0.96 * 55.5 / 90)


def changed(page: Page, place: tuple[float, float], before: list[int]) -> int:
    """By how much the colour at a place has changed, in the channel that changed most."""
    page.wait_for_timeout(300)
    return max(abs(a - b) for a, b in zip(page.evaluate(COLOUR_AT, list(place)), before, strict=True))


def test_heat_is_laid_over_the_picture(site: Site, visit: Visit) -> None:
    watched = visit(viewport={"width": 1400, "height": 1000})
    asked: list[str] = []
    watched.page.on("request", lambda one: asked.append(one.url) if "/heat/" in one.url else None)
    page = watched.open(f"/inspections/{site.seeder.pictured(1200)}")
    page.get_by_label("Windows").uncheck()
    page.wait_for_timeout(300)
    bare = {place: page.evaluate(COLOUR_AT, list(place)) for place in (CAR, TRUCK)}
    page.get_by_text("Heat", exact=True).click()
    assert page.get_by_role("checkbox", name="up to").count() == 3, "a class that is nowhere needs no switch"
    assert asked == [], "pictures come when they are wanted"
    page.get_by_role("checkbox", name="car").check()
    assert changed(page, CAR, bare[CAR]) > 40
    assert changed(page, TRUCK, bare[TRUCK]) < 10
    legend = page.locator(".viewer-heats")
    expect(legend).to_contain_text("car 0")
    page.get_by_label("Opacity").fill("0.1")
    assert 0 < changed(page, CAR, bare[CAR]) < 40
    page.get_by_label("Opacity").fill("1")
    page.get_by_role("checkbox", name="truck").check()
    assert changed(page, TRUCK, bare[TRUCK]) > 40
    expect(page.get_by_text("Heat (2 of 3)")).to_be_visible()
    page.get_by_role("checkbox", name="car").uncheck()
    assert changed(page, CAR, bare[CAR]) < 60
    expect(legend).not_to_contain_text("car")
    assert len(asked) == 2


def test_a_capture_without_heat_has_no_switch_for_it(site: Site, visit: Visit) -> None:
    (shown,) = site.seeder.gallery(["Ring"])
    page = visit().open(f"/inspections/{shown}")
    expect(page.get_by_label("Defects")).to_be_visible()
    assert page.get_by_text("Heat", exact=True).count() == 0
