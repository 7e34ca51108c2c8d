"""A service for tests: its database, spool and bundles, whoever runs the inspectors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import func, select

from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records import queries
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import JobRow, JobState
from services.serving.bundle_store import BundleStore
from services.settings import Settings
from tests.services.conftest import MakeBundle
from tests.waiting import eventually


class Service:
    """A running application and the doors a test needs."""

    def __init__(self, home: Path, make_bundle: MakeBundle, **settings: object) -> None:
        self.settings = Settings(home=home, **({"lease_s": 6, "inspector_threads": 2} | settings))  # type: ignore[arg-type]
        self.settings.make_folders()
        self.database = Database(self.settings.database_url)
        upgrade(self.database)
        self.spool = Spool(self.settings.spool_dir, self.settings.file_limit_bytes)
        self.store = BundleStore(self.settings.bundle_dir)
        self._make_bundle = make_bundle
        self._home = home

    def release(self, seed: int, levels: tuple[int, ...] = (0,)) -> str:
        """Install a bundle and put the route on it; returns its digest."""
        digest = self.install(seed, levels)
        self.store.activate("champion", digest, str(seed))
        return digest

    def install(self, seed: int, levels: tuple[int, ...] = (0,)) -> str:
        folder = self._home / f"made-{seed}"
        self._make_bundle(folder, seed, levels)
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

    def states(self) -> dict[JobState, int]:
        """Jobs by state."""
        with self.database.read() as session:
            return dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).tuples().all())

    def all_done(self, jobs: int, seconds: float) -> bool:
        """Whether so many jobs are done within the time."""
        return eventually(lambda: self.states() == {JobState.DONE: jobs}, seconds)

    def bundle_of(self, inspection_id: str) -> str:
        with self.database.read() as session:
            detail = queries.inspection(session, inspection_id)
            assert detail is not None
            return detail.summary.bundle.digest


@contextmanager
def ray_for_tests(settings: Settings, cpus: int = 2) -> Iterator[None]:
    """The Serve application on a Ray of this test's own; killed, not asked, where a fault left it in pieces."""
    import ray

    from services.parts.serve import RAY_SETTINGS

    os.environ.update(RAY_SETTINGS)
    ray.init(
        address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, object_store_memory=80_000_000
    )
    with _application(settings):
        yield


@contextmanager
def two_nodes_for_tests(settings: Settings) -> Iterator[None]:
    """The same on a cluster of two nodes of one CPU each, on this machine."""
    import ray
    from ray.cluster_utils import Cluster

    from services.parts.serve import RAY_SETTINGS

    os.environ.update(RAY_SETTINGS)
    node = {"num_cpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False)
        with _application(settings):
            yield
    finally:
        cluster.shutdown()


@contextmanager
def _application(settings: Settings) -> Iterator[None]:
    import ray
    from ray import serve

    from services.serving.app import APP_NAME, build

    try:
        serve.start(proxy_location="Disabled")
        serve.run(build(settings), name=APP_NAME, route_prefix=None)
        yield
        serve.shutdown()
    finally:
        ray.shutdown()


def replica_pids(deployment: str) -> list[int]:
    """Processes of the replicas of this test's own Ray; Ray names its processes after what they run."""
    return ray_pids(f"ray::ServeReplica:waferwatch:{deployment}")


def ray_pids(title: str) -> list[int]:
    """Processes of this test's own Ray whose title begins like this."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found
