"""The whole story with real parts: what the model did not know becomes what the next one knows, click by click.

An unknown pattern arrives → alert → acknowledged → the group is named, what was taken for something known is labelled →
data set → training → gate report → promoted → the same pattern is named. Only Ray is left out: the worker runs here,
with the model in this process.
"""

import shlex
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect
from prometheus_client import CollectorRegistry

from models.bundle import load_bundle
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.ingestion import open_captures
from pipelines.simulate import simulate
from services.api.app import create_app
from services.cli.app import main
from services.clustering import Clustering
from services.inspection import Workplace, work_once
from services.inspection.local_classifier import LocalClassifier
from services.parts.api import accepting
from services.parts.shared import Foundation, lay_foundation
from services.routing.history import plain_routing
from services.serving.bundle_store import BundleStore
from services.serving.release_follower import ReleaseFollower
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.web import served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.filterwarnings("ignore"),  # of MLflow's and Alembic's own
]
KNOWN = ("Normal", "Ring", "HalfMoon")
STRANGER = "CheckerBoard"
DEFECTS = (1_500, 4_000)
RECIPE = {
    "name": "wafer",
    "tiling": {"tile": 32},
    "preprocessing": {"radius": True},
    "network": {"widths": [12, 24, 48], "convolutions": 1, "embedding": 24, "pooling": "mean+max"},
    "open_set": {"scores": ["neighbours"], "neighbours": 1, "budget": 0.1},
    "training": {"epochs": 16, "batch": 32, "lr": 4e-3, "strangers": 0.5},
}


@dataclass
class Plant:
    """An installation: its parts, its command line, and a browser before it."""

    folder: Path
    foundation: Foundation
    url: str
    page: Page
    complaints: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.foundation.settings

    def command(self, *words: str) -> None:
        """What a person types."""
        with pytest.raises(SystemExit) as ended:
            main([*words])
        assert ended.value.code in (0, None)

    def paste(self, shown: str, instead: Mapping[str, Path]) -> None:
        """What a person does who read commands on a page, with some paths of their own."""
        for line in shown.replace("\\\n", "").split("&&"):
            words = [str(instead.get(Path(one).name, one)) for one in shlex.split(line)[1:]]
            self.command(*words, *(["--threads", "1"] if words[0] == "train" else []))

    def follow(self) -> bool:
        """What the housekeeper does every second."""
        follower = ReleaseFollower(self.settings, BundleStore(self.settings.bundle_dir))
        return bool(follower.follow(plain_routing(self.settings).routes))

    def inspect_all(self) -> None:
        """What the inspectors do."""
        store = BundleStore(self.settings.bundle_dir)
        place = Workplace(self.foundation.database, self.foundation.spool, "here")

        @cache
        def of(folder: Path) -> LocalClassifier:
            return LocalClassifier(load_bundle(folder), "cpu")

        while work_once(place, lambda route: of(store.resolve(route).folder), threading.Event()):
            pass
        Clustering(self.foundation.database).refresh()

    def send(self, files: Sequence[Path]) -> None:
        """Bring files: the first by hand on the page, the others as a tool would."""
        with httpx.Client(base_url=self.url, timeout=60) as tool:
            for file in files[1:]:
                answer = tool.post("/api/v1/captures", files={"file": (file.name, file.read_bytes())})
                assert answer.is_success, answer.text
        for file in files[:1]:
            self.page.goto(f"{self.url}/upload")
            self.page.get_by_label("File").set_input_files(file)
            self.page.get_by_role("button", name="Inspect").click()
            expect(self.page.locator("main")).to_contain_text("waits for an inspector")


@pytest.fixture
def plant(tmp_path: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    foundation = lay_foundation(Settings(home=tmp_path / "home"))
    metrics = Metrics(CollectorRegistry())
    app = create_app(
        foundation.settings,
        foundation.database,
        accept=accepting(foundation, metrics),
        opener=open_captures,
        metrics=metrics,
    )
    with ExitStack() as stack:
        stack.callback(foundation.database.close)
        url = stack.enter_context(served(app))
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        stack.callback(context.close)
        context.set_default_timeout(30_000)
        plant = Plant(tmp_path, foundation, url, context.new_page())
        noted = plant.complaints.append
        plant.page.on("console", lambda one: noted(f"console: {one.text}") if one.type == "error" else None)
        plant.page.on("pageerror", lambda error: noted(f"error: {error}"))
        plant.page.on("request", lambda one: None if one.url.startswith(url) else noted(f"foreign: {one.url}"))
        yield plant


def test_what_was_unknown_is_known_afterwards(plant: Plant) -> None:
    folder, page = plant.folder, plant.page
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))

    # A first model, which has never seen the pattern.
    simulate(folder / "wafers", 60, patterns=KNOWN, seed=11, defects=DEFECTS)
    plant.command("dataset", "import", "klarf", str(folder / "wafers"), str(folder / "first"))
    plant.command("train", str(recipe), "--data", str(folder / "first"), "--out", str(folder / "one"), "--threads", "1")
    plant.command("release", str(folder / "one"))
    assert plant.follow()

    # The unknown pattern arrives, raises one alert for each place, and a person acknowledges one of them.
    strange = simulate(folder / "strange", 24, patterns=(STRANGER,), seed=5, defects=DEFECTS, wafers_per_lot=2)
    plant.send(strange.files)
    plant.inspect_all()
    page.goto(f"{plant.url}/alerts")
    page.get_by_role("button", name="Acknowledge Unknown pattern").first.click()
    expect(page.locator("main")).to_contain_text("acknowledged by local")

    # The groups of the inbox are named, each with one form.
    page.goto(f"{plant.url}/unknown")
    unknown = page.locator(".pile-item").count()
    assert unknown, "a model of three patterns must not know all of a fourth"
    while page.locator(".piles section").count():
        page.locator(".piles section").first.get_by_label("What it shows").fill(STRANGER)
        page.locator(".piles section").first.get_by_role("button", name="Name").click()
        page.wait_for_load_state()

    # What the model took for something it knows is put right in the queue of labels.
    page.goto(f"{plant.url}/labels")
    for _ in range(len(strange.files) - unknown):
        page.locator(".choices").get_by_role("button", name=STRANGER).click()
        page.wait_for_url("**said=**")
    page.goto(f"{plant.url}/unknown")
    expect(page.locator("main")).to_contain_text(f"{len(strange.files)} captures")

    # They become the next data set and the next model, which waits as challenger with its gate report;
    # the page says how.
    page.goto(f"{plant.url}/models")
    command = page.locator("pre.command").inner_text()
    plant.paste(command, {"DATA": folder / "first", "wafer.yaml": recipe})
    assert STRANGER in read_dataset_manifest(next(folder.glob("labels-*"))).labels.names
    page.goto(f"{plant.url}/models")
    page.get_by_role("link", name="Version 2").click()
    expect(page.locator("main")).to_contain_text("against version 1, both on the same test lots")
    expect(page.locator("main")).to_contain_text(f"Recall of {STRANGER}")

    # A person promotes it, and the service follows.
    page.get_by_label("Why").fill(f"it knows {STRANGER}")
    page.get_by_role("button", name="Promote version 2").click()
    expect(page.locator(".tile", has_text="Judges now")).to_contain_text("Version 2")
    expect(page.locator(".history")).to_contain_text(f"it knows {STRANGER}")
    assert plant.follow()

    # Other wafers with the same pattern are named now.
    again = simulate(folder / "again", 5, patterns=(STRANGER,), seed=6, defects=DEFECTS)
    plant.send(again.files)
    plant.inspect_all()
    page.goto(f"{plant.url}/inspections?label={STRANGER}")
    expect(page.locator(".gallery-item").first).to_contain_text(STRANGER)
    named = page.locator(".gallery-item").count()
    assert named >= 3, f"{named} of 5 are named"
    page.locator(".gallery-item").first.click()
    expect(page.locator(".verdict-word")).to_have_text(STRANGER)
    expect(page.locator("main")).to_contain_text("wafer, version 2")
    assert plant.complaints == []
