"""The Serve application: inspectors in front, classifiers behind; `build` is what `serve deploy` imports too.

Inspectors pull work from the database, so the application listens on no port at all: there is nothing to protect there,
and an overloaded or dead cluster delays inspections without refusing or losing one.
"""

from typing import Any

from ray import serve
from ray.serve import Application

from services.serving.classifier_replica import ClassifierReplica
from services.serving.inspector_replica import InspectorReplica
from services.settings import Settings

APP_NAME = "waferwatch"
HEALTH = {"health_check_period_s": 5.0, "health_check_timeout_s": 10.0}
"""Ray replaces a replica when three checks in a row fail: one that stands still is gone within 45 seconds."""
INSPECTORS_WANTED = "services.serving.scaling:inspectors_wanted"


def build(arguments: dict[str, str] | Settings | None = None) -> Application:
    """The application graph.

    What a Serve config file says of a deployment wins over what is said here.

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
        ray_actor_options={
            "num_cpus": settings.classifier_cpus,
            "num_gpus": settings.classifier_gpus,
            "runtime_env": _environment(settings),
        },
        max_ongoing_requests=256,
        max_queued_requests=1024,
        **HEALTH,
        graceful_shutdown_timeout_s=10,
        # one batch waits while one is computed: more than that is work for another replica
        **_replicas(settings.classifier_replicas, settings.classifier_replicas_most, target_ongoing_requests=4),
    ).bind(str(settings.bundle_dir), threads=settings.classifier_threads)
    inspector: Application = deployment(
        InspectorReplica,
        name="inspector",
        ray_actor_options={"num_cpus": settings.inspector_cpus, "runtime_env": _environment(settings)},
        **HEALTH,
        graceful_shutdown_timeout_s=30,
        **_replicas(
            settings.inspector_replicas, settings.inspector_replicas_most, policy={"policy_function": INSPECTORS_WANTED}
        ),
    ).bind(classifier, settings)
    return inspector


def _replicas(fewest: int, most: int | None, **how: Any) -> dict[str, Any]:
    """A fixed number, or bounds between which Serve chooses."""
    if most is None or most <= fewest:
        return {"num_replicas": fewest}
    bounds = {"min_replicas": fewest, "max_replicas": most, "upscale_delay_s": 5.0, "downscale_delay_s": 120.0}
    return {"autoscaling_config": bounds | how}


def _environment(settings: Settings) -> dict[str, dict[str, str]]:
    """Replicas share their metrics with the API of their machine; Ray's own processes must not write there."""
    if not settings.metrics_dir.is_dir():
        return {}
    return {"env_vars": {"PROMETHEUS_MULTIPROC_DIR": str(settings.metrics_dir)}}
