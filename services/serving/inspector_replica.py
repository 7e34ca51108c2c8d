"""The inspector deployment: threads that lease jobs and work them through, asking the classifier replicas."""

import asyncio
import logging
import os
import socket
import threading
import time
from typing import Any

from ray.serve.handle import DeploymentHandle

from models.domain.errors import WaferwatchError
from pipelines.ingestion import Limits
from services.inspection import PatchClassifier, Workplace, work
from services.intake.spool import Spool
from services.jobs import LeasePolicy, queue_depth
from services.parts.shared import alert_policy, options_of
from services.records.session import Database
from services.routing.history import CurrentRouting
from services.serving.bundle_store import BundleStore
from services.serving.remote_classifier import RemoteClassifier
from services.settings import Settings
from services.telemetry.logs import configure_logging
from services.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

DRAIN_S = 20.0
FIRST_GUESS_S = 0.2
"""What a job costs, until some were worked on."""


class InspectorReplica:
    """Works until it is told to stop; jobs under way are then given back with what was done of them.

    Several threads, because one that waits for the classifier or the database leaves the device idle: together they
    also give the classifier batches of several wafers.
    """

    def __init__(self, classifier: DeploymentHandle[Any], settings: Settings) -> None:
        """Open the database and start working.

        Args:
            classifier: handle of the classifier deployment.
            settings: where things are.
        """
        configure_logging(settings.log_level, as_json=settings.log_json)
        self._database = Database(settings.database_url, timeout_s=settings.database_timeout_s)
        store = BundleStore(settings.bundle_dir)

        def classifiers(route: str, *, is_shadow: bool = False) -> PatchClassifier:
            manifest = store.resolve(route).manifest
            return RemoteClassifier(classifier, manifest, settings.classify_timeout_s, is_shadow=is_shadow)

        self._stop = threading.Event()
        self._job_s = FIRST_GUESS_S
        metrics = Metrics()
        self._workers = []
        for number in range(settings.inspector_threads):
            place = Workplace(
                database=self._database,
                spool=Spool(settings.spool_dir, settings.file_limit_bytes),
                owner=f"{socket.gethostname()}/{os.getpid()}/{number}",
                policy=LeasePolicy(lease_s=settings.lease_s, max_attempts=settings.max_attempts),
                alerting=alert_policy(settings),
                observer=metrics,
                limits=Limits(file_bytes=settings.file_limit_bytes),
                options=options_of(settings),
                routing=CurrentRouting(self._database, settings),
            )
            worker = threading.Thread(
                target=work,
                args=(place, classifiers, self._stop),
                kwargs={"on_job": self._note},
                name=f"inspector-{number}",
                daemon=True,
            )
            worker.start()
            self._workers.append(worker)

    def _note(self, seconds: float) -> None:
        self._job_s += 0.1 * (seconds - self._job_s)

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Ray's hook: what `scaling.inspectors_wanted` goes by."""
        depth = await asyncio.to_thread(self._depth)
        return {
            "waiting_jobs": float(depth[0]),
            "running_replicas": depth[1] / len(self._workers),
            "job_seconds": self._job_s / len(self._workers),
        }

    def _depth(self) -> tuple[int, int]:
        with self._database.read() as session:
            return queue_depth(session)

    async def check_health(self) -> None:
        """Ray's hook: a replica whose workers died is replaced.

        Raises:
            WaferwatchError: one did.
        """
        if dead := [worker.name for worker in self._workers if not worker.is_alive()]:
            raise WaferwatchError("inspector stopped working", where=", ".join(dead), remedy="it is replaced")

    def __del__(self) -> None:
        """Ray's hook for a graceful end."""
        self._stop.set()
        end = time.monotonic() + DRAIN_S
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
        self._database.close()
