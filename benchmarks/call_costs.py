"""What a wafer costs around its inspection: Ray's part in a call of the classifier, Ray's own idling, and an upload.

    python -m benchmarks.call_costs

CPU seconds, measured on a deployment that answers at once, and on an API without inspectors. `benchmarks.queueing`
adds them to what the parts of an inspection cost.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import ray
from numpy.typing import NDArray
from ray import serve

from benchmarks.serving_rig import make_bundle, say, service, wafers
from services.parts.serve import OBJECT_STORE_BYTES

CALLS, IDLE_S, UPLOADS = 300, 10.0, 60


@dataclass(frozen=True)
class Around:
    """CPU seconds.

    Attributes:
        ask_s: of a call, where it is made.
        answer_s: of a call, in the replica.
        idle_share: cores that Ray uses while nothing happens.
        upload_s: of an upload, in the API and in the client.
    """

    ask_s: float
    answer_s: float
    idle_share: float
    upload_s: float


class Echo:
    """Answers at once with what a classifier would say of a patch."""

    def __init__(self) -> None:
        self._answer = (np.zeros((1, 9), np.float32), np.zeros((1, 320), np.float32), np.zeros(1, np.float32))

    async def __call__(self, _: NDArray[np.uint8]) -> Any:
        """The answer."""
        return self._answer

    async def pid(self) -> int:
        """Whose CPU seconds count."""
        return os.getpid()


def measure_calls() -> tuple[float, float, float]:
    """`ask_s`, `answer_s` and `idle_share`."""
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=OBJECT_STORE_BYTES)
    try:
        serve.start(proxy_location="Disabled")
        deployed: Any = serve.deployment(Echo, ray_actor_options={"num_cpus": 0.5})
        handle = serve.run(deployed.bind(), name="echo", route_prefix=None)
        replica = psutil.Process(handle.pid.remote().result())
        pixels = np.zeros((1, 64, 64, 2), np.uint8)
        for _ in range(CALLS // 10):
            handle.remote(pixels).result()
        asking, answering = time.process_time(), _cpu_s(replica)
        for _ in range(CALLS):
            handle.remote(pixels).result()
        asking, answering = time.process_time() - asking, _cpu_s(replica) - answering
        family = psutil.Process().children(recursive=True)
        before = time.process_time() + sum(map(_cpu_s, family))
        time.sleep(IDLE_S)
        idle = (time.process_time() + sum(map(_cpu_s, family)) - before) / IDLE_S
        serve.shutdown()
    finally:
        ray.shutdown()
    return asking / CALLS, answering / CALLS, idle


def measure_uploads(folder: Path, bundle: Path) -> float:
    """`upload_s`: files of 10,000 defects through an API that nobody inspects for."""
    contents = list(islice(wafers(folder / "uploads", 10_000), UPLOADS))
    with service(folder / "api", bundle, parts=("api",), port=18_081) as rig, httpx.Client(base_url=rig.url) as client:
        rig.wait_until_ready()
        before, own = rig.usage().cpu_s, time.process_time()
        for content in contents:
            client.post("/api/v1/captures", files={"file": ("wafer.001", content)}).raise_for_status()
        return (rig.usage().cpu_s - before + time.process_time() - own) / UPLOADS


def measure(folder: Path, bundle: Path) -> Around:
    """All of them."""
    return Around(*measure_calls(), upload_s=measure_uploads(folder, bundle))


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_bundle(folder / "bundle", (0,))
        say(what="around an inspection", **vars(measure(folder, folder / "bundle")))


if __name__ == "__main__":
    main()
