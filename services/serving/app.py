"""The Serve application: inspectors in front, classifiers behind; `build` is what `serve deploy` imports too.

Inspectors pull work from the database, so the application listens on no port at all: there is nothing to protect, and
an overloaded or dead cluster delays inspections without refusing or losing one.
"""

from typing import Any

from ray import serve
from ray.serve import Application

from services.serving.classifier_replica import ClassifierReplica
from services.serving.inspector_replica import InspectorReplica
from services.settings import Settings

APP_NAME = "waferwatch"


def build(arguments: dict[str, str] | Settings | None = None) -> Application:
    """The application graph.

    Args:
        arguments: the settings, or some that win over the environment, as Serve config files give them (`args:`).

    Raises:
        ConfigurationError: a setting is wrong.
    """
    settings = arguments if isinstance(arguments, Settings) else Settings.load(**(arguments or {}))
    deployment: Any = serve.deployment  # Ray's own annotation has no keyword arguments
    classifier = deployment(
        ClassifierReplica,
        name="classifier",
        num_replicas=settings.classifier_replicas,
        ray_actor_options={
            "num_cpus": settings.classifier_cpus,
            "num_gpus": settings.classifier_gpus,
            "runtime_env": _environment(settings),
        },
        max_ongoing_requests=256,
        max_queued_requests=1024,
        health_check_period_s=5,
        health_check_timeout_s=30,
        graceful_shutdown_timeout_s=10,
    ).bind(str(settings.bundle_dir), threads=settings.classifier_threads)
    inspector: Application = deployment(
        InspectorReplica,
        name="inspector",
        num_replicas=settings.inspector_replicas,
        ray_actor_options={"num_cpus": settings.inspector_cpus, "runtime_env": _environment(settings)},
        health_check_period_s=5,
        health_check_timeout_s=30,
        graceful_shutdown_timeout_s=30,
    ).bind(classifier, settings)
    return inspector


def _environment(settings: Settings) -> dict[str, dict[str, str]]:
    """Replicas share their metrics with the API of their machine; Ray's own processes must not write there."""
    if not settings.metrics_dir.is_dir():
        return {}
    return {"env_vars": {"PROMETHEUS_MULTIPROC_DIR": str(settings.metrics_dir)}}
