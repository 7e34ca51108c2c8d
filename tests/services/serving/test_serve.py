"""The Serve application on a real Ray: jobs become inspections, a release interrupts nobody, replicas come back."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipelines.simulate import simulate
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records import queries
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.shadows import shadow_looks
from services.records.tables import JobState
from services.routing.history import apply
from services.routing.routing import Routing
from services.serving.bundle_store import BundleStore
from services.settings import Settings
from tests.services.conftest import MakeBundle

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]


class Service:
    """A running application and the doors a test needs."""

    def __init__(self, home: Path, make_bundle: MakeBundle) -> None:
        self.settings = Settings(home=home, lease_s=6)
        self.settings.make_folders()
        self.database = Database(self.settings.database_url)
        upgrade(self.database)
        self.spool = Spool(self.settings.spool_dir, self.settings.file_limit_bytes)
        self.store = BundleStore(self.settings.bundle_dir)
        self._make_bundle = make_bundle
        self._home = home

    def release(self, seed: int) -> str:
        """Install a bundle and put the route on it; returns its digest."""
        digest = self.install(seed)
        self.store.activate("champion", digest, str(seed))
        return digest

    def install(self, seed: int) -> str:
        folder = self._home / f"made-{seed}"
        self._make_bundle(folder, seed)
        return self.store.install(folder).ref.digest

    def send(self, path: Path) -> int:
        with path.open("rb") as stream:
            return receive(self.database, self.spool, stream, Arrival("command", path.name)).job_id

    def finished(self, job_id: int, seconds: float = 60) -> tuple[JobState, tuple[str, ...]]:
        def done() -> bool:
            with self.database.read() as session:
                job = queries.job(session, job_id)
                return job is not None and job.finished_at is not None

        assert eventually(done, seconds)
        with self.database.read() as session:
            job = queries.job(session, job_id)
            assert job is not None
            return job.state, job.inspection_ids

    def bundle_of(self, inspection_id: str) -> str:
        with self.database.read() as session:
            detail = queries.inspection(session, inspection_id)
            assert detail is not None
            return detail.summary.bundle.digest


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, make_bundle: MakeBundle) -> Iterator[Service]:
    import ray
    from ray import serve

    from services.serving.app import APP_NAME, build

    made = Service(tmp_path_factory.mktemp("service"), make_bundle)
    made.release(1)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000)
    serve.start(proxy_location="Disabled")
    serve.run(build(made.settings), name=APP_NAME, route_prefix=None)
    yield made
    serve.shutdown()
    ray.shutdown()


@pytest.fixture(scope="module")
def wafers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    truth = simulate(tmp_path_factory.mktemp("wafers"), 4, patterns=("Ring", "Normal"), defects=(100, 500))
    return list(truth.files)


def test_jobs_become_inspections_and_a_release_turns_the_route(service: Service, wafers: list[Path]) -> None:
    old = service.store.resolve("champion").manifest.ref.digest
    state, inspections = service.finished(service.send(wafers[0]), 120)
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [old]
    new = service.release(2)
    assert new != old
    state, inspections = service.finished(service.send(wafers[1]))
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [new]


def test_a_broken_file_is_quarantined_and_the_next_one_inspected(
    service: Service, wafers: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "noise.klarf").write_bytes(bytes(range(256)) * 8)
    broken, sound = service.send(tmp_path / "noise.klarf"), service.send(wafers[2])
    assert service.finished(broken)[0] is JobState.QUARANTINED
    assert service.finished(sound)[0] is JobState.DONE


def test_a_rule_sends_and_a_challenger_looks_on(service: Service, wafers: list[Path], tmp_path: Path) -> None:
    """A canary of everything judges with its bundle; the champion, as challenger, looks at the same patches."""
    candidate = service.install(3)
    service.store.activate("candidate", candidate, "3")
    routing = Routing.parse(
        {
            "routes": {"champion": {"alias": "champion"}, "candidate": {"alias": "challenger"}},
            "rules": [
                {
                    "name": "all",
                    "route": "champion",
                    "canary": {"route": "candidate", "share": 1.0},
                    "shadow": {"route": "champion"},
                }
            ],
        },
        "test",
    )
    with service.database.write() as session:
        apply(session, routing, actor="test", note="")
    extra = simulate(tmp_path / "extra", 1, patterns=("Ring",), defects=(60, 90), seed=99)
    state, inspections = service.finished(service.send(extra.files[0]))
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [candidate]

    def looked() -> bool:
        with service.database.read() as session:
            looks = shadow_looks(session, outcome=None).items
        return len(looks) == 1 and looks[0].challenger is not None and looks[0].windows == 1

    assert eventually(looked, 30)
    with service.database.write() as session:
        apply(session, routing.without_canary("all"), actor="test", note="")


@pytest.mark.faults
@pytest.mark.parametrize("deployment", ["classifier", "inspector"])
def test_a_killed_replica_loses_no_wafer(service: Service, wafers: list[Path], deployment: str) -> None:
    """Rows 12 and 13 of the fault matrix: SIGKILL a replica with jobs in flight; capacity is back by itself."""
    jobs = [service.send(path) for path in wafers[3:]]
    os.kill(replica_pid(deployment), signal.SIGKILL)
    assert [service.finished(job, 90)[0] for job in jobs] == [JobState.DONE] * len(jobs)


def replica_pid(deployment: str) -> int:
    """Process of a replica of this test's own Ray; Ray names its processes after what they run."""
    title = f"ray::ServeReplica:waferwatch:{deployment}"
    return next(p.pid for p in psutil.Process().children(recursive=True) if " ".join(p.cmdline()).startswith(title))
