"""Unknown places of aerial images in the inbox: seen as pictures, found on their image, named one by one or at once."""

import pytest
from playwright.sync_api import expect

from services.clustering import Clustering
from services.records.labels import labels
from tests.browser.conftest import Site, Visit

pytestmark = pytest.mark.browser


def test_places_are_named_like_captures(site: Site, visit: Visit) -> None:
    site.seeder.pictured(1200, spots=5)
    assert Clustering(site.database).refresh()
    page = visit(viewport={"width": 1400, "height": 1000}).open("/unknown")
    group = page.locator("section", has_text="Group 1")
    expect(group.get_by_role("checkbox")).to_have_count(4)
    expect(group).to_contain_text("row 198, column 298")
    boxes = group.locator(".pile-item label").evaluate_all("all => all.map(one => one.scrollWidth <= 122)")
    assert all(boxes), "names are cut, not laid over each other"
    pictures = group.locator("img")
    for k in range(4):
        pictures.nth(k).scroll_into_view_if_needed()
        pictures.nth(k).evaluate("one => one.decode()")  # waits until it is there
        assert pictures.nth(k).evaluate("one => one.naturalWidth") >= 96
    pictures.first.click()
    page.locator("wafer-viewer[data-state=ready]").wait_for()
    zoom = page.evaluate("document.querySelector('wafer-viewer').camera.zoom")
    assert 1200 / 96 / 2 < zoom < 1200 / 96, "the place fills a good part of the view"
    middle = page.evaluate("(c => [c.v, c.u])(document.querySelector('wafer-viewer').camera)")
    assert middle == pytest.approx([65536 * 198 / 1200, 65536 * 298 / 1200], abs=100)
    page.go_back()
    group.get_by_role("checkbox").first.uncheck()
    group.get_by_label("What it shows").fill("seal")
    group.get_by_role("button", name="Name the ticked ones").click()
    expect(page.locator("section", has_text="Named so far")).to_contain_text("seal")
    expect(page.get_by_role("heading", name="Like no other")).to_have_count(1)
    expect(page.locator("section", has_text="Group 1")).to_contain_text("looks like seal")
    with site.database.read() as session:
        named = labels(session).items
    assert [one.name for one in named] == ["seal"] * 3
    assert all("flight7_0012" in one.capture_name or "at row" in one.capture_name for one in named)
