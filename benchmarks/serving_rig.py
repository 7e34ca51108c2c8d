"""A whole service to measure: its parts as processes of their own, a bundle, wafers that are all different, and clocks.

CPU seconds are counted beside wall-clock ones: on a machine that others use as well only they are repeatable.
"""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import httpx
import numpy as np
import psutil
import torch
from sqlalchemy import func, select

from models.bundle import load_bundle, save_bundle
from models.classifier import Classifier
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.manifest import BundleManifest, Thresholds
from models.network import build_network, weights_of
from models.pace import tune
from models.recipe import Recipe, TilingRecipe
from models.reference import Reference
from pipelines.simulate import simulate
from services.intake.receiving import Arrival, receive, register
from services.intake.spool import Spool
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import InspectionRow, JobRow, JobState, SourceFileRow
from services.serving.bundle_store import BundleStore
from services.settings import Settings
from services.up import environment_of, prepare_home

RECIPE = Path(__file__).parents[1] / "pipelines" / "recipes" / "wafer.yaml"


def make_bundle(folder: Path, levels: tuple[int, ...], source: Path | None = None) -> BundleManifest:
    """A bundle that cuts these levels: a trained one with another tiling, or the wafer recipe with random weights."""
    if source is not None:
        bundle = load_bundle(source)
        recipe = bundle.manifest.recipe.model_copy(update={"tiling": TilingRecipe(tile=64, levels=levels)})
        return save_bundle(folder, replace(bundle.manifest, recipe=recipe), bundle.weights, bundle.reference)
    content = Recipe.load(RECIPE).model_dump(mode="json")
    content |= {"tiling": {"tile": 64, "levels": levels}, "open_set": {"scores": ["max_probability"]}}
    recipe = Recipe.parse(content, "benchmark")
    torch.manual_seed(0)
    network = build_network(recipe, classes=9).eval()
    labels = Labels(tuple(f"class {n}" for n in range(9)), normal="class 0")
    manifest = BundleManifest(BundleRef("wafer", "0", ""), recipe, labels, 1.0, Thresholds(0.0, float("inf")), "0" * 64)
    width = network.head.in_features
    reference = Reference(np.zeros((1, width), np.float32), np.zeros(1, np.int64), ("lot",), ("id",))
    return save_bundle(folder, manifest, weights_of(network), reference)


def wafers(folder: Path, defects: int) -> Iterator[bytes]:
    """KLARF files without end, each of another wafer: one simulated file with another lot name every time."""
    truth = simulate(folder, 2, patterns=("Ring", "GeoScratch", "Normal"), defects=(defects, defects + 1))
    texts = [path.read_bytes() for path in truth.files]
    lots = [text.split(b'LotID "', 1)[1].split(b'"', 1)[0] for text in texts]
    number = 0
    while True:
        for text, lot in zip(texts, lots, strict=True):
            number += 1
            yield text.replace(lot, b"%0*d" % (len(lot), number), 1)


@dataclass(frozen=True)
class Usage:
    """What processes used: CPU seconds so far, and resident bytes now."""

    cpu_s: float
    rss_bytes: int


@dataclass(frozen=True)
class Latency:
    """From a file being safe to its verdict being recorded, seconds."""

    count: int
    p50: float
    p95: float
    p99: float


class Rig:
    """A running service."""

    def __init__(self, settings: Settings, parts: tuple[str, ...]) -> None:
        self.settings = settings
        self.url = f"http://127.0.0.1:{settings.port}"
        self.database = Database(settings.database_url)
        self.spool = Spool(settings.spool_dir, settings.file_limit_bytes)
        environment = {**os.environ, **environment_of(settings), "OMP_NUM_THREADS": "1"}
        self._parts = {
            part: subprocess.Popen(
                [sys.executable, "-m", "services.cli", part],
                env=environment,
                stdout=(settings.home / f"{part}.log").open("wb"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            for part in parts
        }

    def wait_until_ready(self, seconds: float = 300) -> None:
        """Inspectors and API are up."""
        end = time.monotonic() + seconds
        while "serve" in self._parts and not self.settings.serving_mark.exists():
            assert time.monotonic() < end, (self.settings.home / "serve.log").read_text()[-2000:]
            time.sleep(0.5)
        while "api" in self._parts:
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < end
            time.sleep(0.5)

    def send(self, content: bytes) -> int:
        """A file by the back door, for tests that are not about uploads; returns its job."""
        return receive(
            self.database, self.spool, io.BytesIO(content), Arrival("command", "wafer.001", route="folder")
        ).job_id

    def send_together(self, contents: Iterable[bytes]) -> None:
        """Files whose jobs appear in the queue at one moment: sending takes about as long as inspecting."""
        spooled = [self.spool.store(io.BytesIO(content), "wafer.001") for content in contents]
        with self.database.write() as session:
            for one in spooled:
                register(session, one, Arrival("command", "wafer.001", route="folder"))

    def finished(self) -> int:
        """Jobs done so far."""
        with self.database.read() as session:
            done = select(func.count()).select_from(JobRow).where(JobRow.state == JobState.DONE)
            return session.scalar(done) or 0

    def drain(self, jobs: int, seconds: float) -> float:
        """Wait until so many jobs are done; returns when the last one was, on the monotonic clock."""
        end = time.monotonic() + seconds
        while self.finished() < jobs:
            assert time.monotonic() < end, f"{self.finished()} of {jobs} jobs after {seconds:.0f} s"
            time.sleep(0.05)
        return time.monotonic()

    def states(self) -> dict[JobState, int]:
        """Jobs by state."""
        with self.database.read() as session:
            return dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).tuples().all())

    def latency(self, since: datetime) -> Latency:
        """Of the files that came since a moment and are recorded."""
        with self.database.read() as session:
            rows = session.execute(
                select(SourceFileRow.received_at, InspectionRow.recorded_at)
                .join(JobRow, JobRow.sha256 == SourceFileRow.sha256)
                .join(InspectionRow, InspectionRow.job_id == JobRow.id)
                .where(SourceFileRow.received_at >= since)
            ).all()
        waits = np.array([(recorded - received).total_seconds() for received, recorded in rows])
        return Latency(len(waits), *(float(np.quantile(waits, q)) for q in (0.5, 0.95, 0.99)))

    def usage(self) -> Usage:
        """Of all processes of the service, Ray's own included."""
        cpu_s, rss = 0.0, 0
        for part in self._parts.values():
            root = psutil.Process(part.pid)
            for process in (root, *root.children(recursive=True)):
                try:
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
                    rss += process.memory_full_info().uss
                except psutil.NoSuchProcess:
                    continue
        return Usage(cpu_s, rss)

    def stop(self) -> None:
        """End all parts, the patient way first."""
        for part in self._parts.values():
            part.terminate()
        for part in self._parts.values():
            try:
                part.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(part.pid, 9)
                part.wait()
        self.database.close()


@contextmanager
def service(
    home: Path, bundle: Path, *, parts: tuple[str, ...] = ("api", "serve"), **settings: object
) -> Iterator[Rig]:
    """A service of these parts with this bundle, ready for work."""
    chosen = Settings(home=home, bundle=str(bundle), **settings)  # type: ignore[arg-type]
    prepare_home(chosen)
    database = Database(chosen.database_url)
    upgrade(database)
    database.close()
    store = BundleStore(chosen.bundle_dir)
    store.activate(chosen.route, store.install(bundle).ref.digest, "1")
    rig = Rig(chosen, parts)
    try:
        rig.wait_until_ready()
        yield rig
    finally:
        rig.stop()


def prepared(home: Path, bundle: Path) -> AbstractContextManager[Rig]:
    """Everything but the processes: database, spool and bundle, for whoever wants to work in this one."""
    return service(home, bundle, parts=())


def bare_rate(bundle: Path, patches: np.ndarray, seconds: float, threads: int = 1) -> tuple[float, float]:
    """The model alone: patches per second, and CPU seconds per patch."""
    torch.set_num_threads(threads)
    classifier = Classifier(load_bundle(bundle))
    tune(classifier)
    classifier.predict(patches)
    count, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        classifier.predict(patches)
        count += len(patches)
    return count / (time.perf_counter() - began), (time.process_time() - cpu) / count


def say(**figures: object) -> None:
    """One line of JSON for each measurement, as it comes."""
    print(json.dumps(figures, default=lambda value: getattr(value, "__dict__", str(value))), flush=True)
