"""How many inspectors are wanted: by the length of the queue in the database, which Ray cannot see by itself.

Inspectors pull their work, so nothing is ever queued in Serve. Each reports what it sees (`record_autoscaling_stats`):
how many jobs wait and are worked on, and what a job costs it. Serve's controller asks this policy, which is arithmetic
and touches no database: a slow one must not stop the controller. Bounds and delays are those of `autoscaling_config`.
"""

from collections.abc import Mapping
from typing import Any

from ray.serve.config import AutoscalingContext

DRAIN_S = 10.0
"""Whoever waits in the queue shall have waited no longer than this: a wafer's verdict is due within ten seconds."""


def inspectors_wanted(context: AutoscalingContext) -> tuple[float, dict[str, Any]]:
    """Serve's custom policy; named in `autoscaling_config.policy.policy_function`."""
    seen = {name: list(values.values()) for name, values in (context.aggregated_metrics or {}).items()}
    if not seen.get("waiting_jobs"):
        return context.target_num_replicas, {}  # nobody has looked yet
    return wanted({name: max(values) for name, values in seen.items() if values}), {}


def wanted(seen: Mapping[str, float], drain_s: float = DRAIN_S) -> float:
    """Inspectors that work off what waits within `drain_s`, besides those that are at work.

    Args:
        seen: `waiting_jobs`; `running_replicas`, inspectors' worth of jobs under way; and `job_seconds`, what one job
            costs an inspector of several threads.
        drain_s: how long a job may wait.
    """
    return seen.get("running_replicas", 0.0) + seen["waiting_jobs"] * seen.get("job_seconds", 0.0) / drain_s
