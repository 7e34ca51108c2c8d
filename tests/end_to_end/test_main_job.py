"""The main job with every real part: files into the watch folder, Ray Serve, database, pages, metrics."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.recipe import NetworkRecipe, OpenSetRecipe, PreprocessingRecipe, Recipe, TilingRecipe
from models.training_recipe import TrainingRecipe
from pipelines.dataset.import_ import import_dataset
from pipelines.simulate import UNKNOWN_PATTERNS, Breakage, broken_file, simulate
from pipelines.training import train

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]

PATTERNS = ("Normal", "Ring", "HalfMoon")
DEFECTS = (1_000, 4_000)


@dataclass(frozen=True)
class Running:
    """The service, its watch folder and a client."""

    watch: Path
    client: httpx.Client

    def get(self, path: str, **params: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            self.client.get(f"/api/v1/{path}", params=params).raise_for_status().json()["items"]
        )
        return found

    def inspections(self, file: str) -> list[dict[str, Any]]:
        return [one for one in self.get("inspections", limit=200) if one["file_name"] == file]

    def metric(self, name: str) -> float:
        text = self.client.get("/metrics").raise_for_status().text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def eventually(condition: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    pytest.fail(f"not within {seconds:.0f} s")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of three patterns, trained on other wafers than those the tests feed."""
    folder = tmp_path_factory.mktemp("model")
    simulate(folder / "wafers", 70, patterns=PATTERNS, seed=11, defects=DEFECTS)
    import_dataset("klarf", folder / "wafers", folder / "data")
    recipe = Recipe(
        name="small",
        tiling=TilingRecipe(tile=32),
        preprocessing=PreprocessingRecipe(radius=True),
        network=NetworkRecipe(widths=(12, 24, 48), convolutions=1, embedding=24, pooling="mean+max"),
        open_set=OpenSetRecipe(scores=("neighbours",), neighbours=1, budget=0.2),
        training=TrainingRecipe(epochs=20, batch=32, lr=4e-3, strangers=0.5),
    )
    train(recipe, folder / "data", folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("service")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "WAFERWATCH_HOME": str(home),
        "WAFERWATCH_PORT": str(port),
        "WAFERWATCH_BUNDLE": str(bundle),
        "WAFERWATCH_WATCH_EVERY_S": "0.3",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.cli", "up"], env=os.environ | settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, follow_redirects=True) as client:
            eventually(lambda: client.get("/readyz").is_success and (home / "serving").exists(), 240)
            yield Running(home / "watch", client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_a_known_pattern_becomes_an_alert_a_page_and_a_metric(service: Running, tmp_path: Path) -> None:
    truth = simulate(tmp_path / "w", 1, patterns=("Ring",), seed=77, defects=DEFECTS)
    shutil.copy(truth.files[0], service.watch / "ring.klarf")
    (inspection,) = eventually(lambda: service.inspections("ring.klarf"))
    assert inspection["label"] == "Ring"
    assert inspection["capture"]["lot"] == truth.wafers[0].lot
    alert = eventually(lambda: [one for one in service.get("alerts") if one["pattern"] == "Ring"])[0]
    assert alert["state"] == "open"
    page = service.client.get(inspection["links"]["page"]).raise_for_status().text
    assert "Ring" in page
    assert truth.wafers[0].lot in page
    assert "Ring" in service.client.get("/").raise_for_status().text
    assert service.client.get(inspection["links"]["picture"]).headers["content-type"] == "image/png"
    eventually(lambda: service.metric("waferwatch_inspections_total") >= 1)
    assert service.metric("waferwatch_alerts_opened_total") >= 1


def test_an_unknown_pattern_is_refused_a_label(service: Running, tmp_path: Path) -> None:
    truth = simulate(tmp_path / "w", 1, patterns=UNKNOWN_PATTERNS, seed=78, defects=DEFECTS)
    names = [f"strange-{number}.klarf" for number, _ in enumerate(truth.files)]
    for name, path in zip(names, truth.files, strict=True):
        shutil.copy(path, service.watch / name)
    found = eventually(lambda: (all_ := [one for name in names for one in service.inspections(name)]) and
                       len(all_) == len(names) and all_)  # fmt: skip
    unknown = [one for one in found if one["unknown"]]
    assert unknown, "a model of three patterns must not know five others"
    assert all(one["label"] is None for one in unknown)
    assert eventually(lambda: [one for one in service.get("alerts") if one["rule"] == "novelty"])


def test_a_broken_file_is_set_aside_with_its_reason_on_the_page(service: Running) -> None:
    broken_file(service.watch / "broken.klarf", Breakage.WRONG_COUNT)
    found = eventually(lambda: [one for one in service.get("quarantine") if one["file_name"] == "broken.klarf"])[0]
    assert found["error"]["what"]
    page = service.client.get("/quarantine").raise_for_status().text
    assert "broken.klarf" in page
    assert "NDEFECT" in page


def test_the_same_file_twice_is_inspected_once(service: Running, tmp_path: Path) -> None:
    truth = simulate(tmp_path / "w", 1, patterns=("HalfMoon",), seed=79, defects=DEFECTS)
    shutil.copy(truth.files[0], service.watch / "first.klarf")
    eventually(lambda: service.inspections("first.klarf"))
    before = len(service.get("inspections", limit=200))
    shutil.copy(truth.files[0], service.watch / "second.klarf")
    with truth.files[0].open("rb") as stream:
        answer = service.client.post("/api/v1/captures", params={"wait": 10}, files={"file": ("third.klarf", stream)})
    assert answer.status_code == 200
    assert answer.json()["known_before"]
    time.sleep(3)
    assert len(service.get("inspections", limit=200)) == before
