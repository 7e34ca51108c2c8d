"""The inspector deployment: a thread that leases jobs and works them through, asking the classifier replicas."""

import logging
import os
import socket
import threading
from typing import Any

from ray.serve.handle import DeploymentHandle

from models.domain.errors import WaferwatchError
from services.inspection import PatchClassifier, Workplace, work
from services.intake.spool import Spool
from services.jobs import LeasePolicy
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


class InspectorReplica:
    """Works until it is told to stop; a job under way is then given back with what was done of it."""

    def __init__(self, classifier: DeploymentHandle[Any], settings: Settings) -> None:
        """Open the database and start working.

        Args:
            classifier: handle of the classifier deployment.
            settings: where things are.
        """
        configure_logging()
        self._database = Database(settings.database_url, timeout_s=settings.database_timeout_s)
        store = BundleStore(settings.bundle_dir)

        def classifiers(route: str) -> PatchClassifier:
            return RemoteClassifier(classifier, store.resolve(route).manifest, settings.classify_timeout_s)

        place = Workplace(
            database=self._database,
            spool=Spool(settings.spool_dir, settings.file_limit_bytes),
            owner=f"{socket.gethostname()}/{os.getpid()}",
            policy=LeasePolicy(lease_s=settings.lease_s, max_attempts=settings.max_attempts),
            alerting=alert_policy(settings),
            observer=Metrics(),
            options=options_of(settings),
            routing=CurrentRouting(self._database, settings),
        )
        self._stop = threading.Event()
        self._worker = threading.Thread(
            target=work, args=(place, classifiers, self._stop), name="inspector", daemon=True
        )
        self._worker.start()

    async def check_health(self) -> None:
        """Ray's hook: a replica whose worker died is replaced.

        Raises:
            WaferwatchError: it did.
        """
        if not self._worker.is_alive():
            raise WaferwatchError("inspector stopped working", remedy="it is replaced; see its log")

    def __del__(self) -> None:
        """Ray's hook for a graceful end."""
        self._stop.set()
        self._worker.join(DRAIN_S)
        self._database.close()
