"""How many inspectors are wanted: as many as work off what waits in time, through Ray's own context."""

from typing import Any

import pytest

from services.serving.scaling import inspectors_wanted, wanted


@pytest.mark.parametrize(
    ("waiting", "running", "job_s", "expected"),
    [(0, 0, 0.2, 0), (0, 2, 0.2, 2), (100, 2, 0.2, 4), (1000, 2, 0.2, 22), (10, 1, 5.0, 6)],
)
def test_a_queue_is_worked_off_in_ten_seconds(waiting: int, running: int, job_s: float, expected: float) -> None:
    seen = {"waiting_jobs": waiting, "running_replicas": running, "job_seconds": job_s}
    assert wanted(seen) == pytest.approx(expected)


def context(metrics: dict[str, dict[str, float]]) -> Any:
    from ray.serve._private.common import DeploymentID
    from ray.serve.config import AutoscalingConfig, AutoscalingContext

    return AutoscalingContext(
        deployment_id=DeploymentID(name="inspector", app_name="waferwatch"),
        deployment_name="inspector",
        app_name="waferwatch",
        current_num_replicas=2,
        target_num_replicas=2,
        running_replicas=[],
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics=metrics,  # type: ignore[arg-type]
        raw_metrics={},
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=10,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=0.0,
        config=AutoscalingConfig(min_replicas=1, max_replicas=10),
    )


def test_what_all_replicas_see_counts_once() -> None:
    """Each reports the same queue: the largest view of it is taken, not the sum."""
    metrics = {
        "waiting_jobs": {"a": 100.0, "b": 90.0},
        "running_replicas": {"a": 2.0, "b": 2.0},
        "job_seconds": {"a": 0.2, "b": 0.1},
    }
    assert inspectors_wanted(context(metrics)) == (pytest.approx(4.0), {})


def test_before_anybody_looked_nothing_changes() -> None:
    assert inspectors_wanted(context({})) == (2, {})


def test_the_policy_is_where_the_configuration_says() -> None:
    from ray.serve.config import AutoscalingPolicy

    from services.serving.app import INSPECTORS_WANTED

    AutoscalingPolicy(policy_function=INSPECTORS_WANTED)
