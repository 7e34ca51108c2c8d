"""The Serve application on this machine's own Ray, or on the cluster that RAY_ADDRESS names."""

import logging
import os

import ray
from ray import serve

from models.domain.errors import RetryableError
from services.parts.shared import lay_foundation, stop_on_signals
from services.serving.app import APP_NAME, build
from services.settings import Settings

_log = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 256 << 20
"""Patches travel inline or live for one call; Ray would otherwise claim a third of the memory."""
CHECK_S = 5.0
RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray runs its workers at niceness 15, behind everything else on the machine: here they are the service.
    "RAY_worker_niceness": "0",
    # Ray looks after a few replicas ten times a second and reads the memory maps of every process for a dashboard that
    # nobody opens. A dead replica is seen a second later.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "1",
    "REPORTER_UPDATE_INTERVAL_MS": "60000",
    "RAY_memory_monitor_refresh_ms": "1000",
}
"""How Ray runs on this machine, where the environment says nothing else."""


def run_serve(settings: Settings) -> None:
    """Serve until SIGTERM; then let replicas finish what they hold.

    Raises:
        RetryableError: Ray or the application died; the supervisor starts this part again.
    """
    lay_foundation(settings).database.close()  # replicas open their own; tables must exist before they do
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    address = os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address, log_to_driver=False)
    else:
        # "local": never join a cluster that happens to run on this machine.
        ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=OBJECT_STORE_BYTES)
    try:
        serve.start(proxy_location="Disabled")
        serve.run(build(settings), name=APP_NAME, route_prefix=None)
        stop = stop_on_signals()  # only now: Ray sets handlers of its own
        settings.serving_mark.touch()
        _log.info("inspectors and classifiers are up")
        while not stop.wait(CHECK_S):
            _check()
        serve.shutdown()  # type: ignore[no-untyped-call]
    finally:
        settings.serving_mark.unlink(missing_ok=True)
        ray.shutdown()


def _check() -> None:
    """Serve replaces replicas by itself; only if the application is gone must this part start over."""
    application = serve.status().applications.get(APP_NAME)
    if application is None or application.status in ("DEPLOY_FAILED", "NOT_STARTED"):
        raise RetryableError(
            "Serve application is gone", where=APP_NAME, got=str(application and application.message), code="serve-down"
        )
