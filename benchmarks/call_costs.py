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
from ray import serve

from benchmarks.serving_rig import make_bundle, say, service, wafers
from models.domain.scenes import Patches, together
from models.domain.tiling import Tiling
from models.domain.verdict import Predictions
from pipelines.ingestion import cut, open_captures
from services.parts.serve import OBJECT_STORE_BYTES, RAY_SETTINGS

CALLS, WARM, IDLE_S, UPLOADS = 300, 20, 10.0, 60


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

    async def __call__(self, patches: Patches) -> Predictions:
        """The answer."""
        count = len(patches)
        return Predictions(
            np.zeros((count, 9), np.float32), np.zeros((count, 320), np.float32), np.zeros(count, np.float32)
        )

    async def pid(self) -> int:
        """Whose CPU seconds count."""
        return os.getpid()


def measure_calls(wafer: Path) -> tuple[float, float, float]:
    """`ask_s`, `answer_s` and `idle_share`; says as well what a wafer's windows of four levels cost in two ways."""
    os.environ.update(RAY_SETTINGS)
    ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=OBJECT_STORE_BYTES)
    try:
        serve.start(proxy_location="Disabled")
        deployed: Any = serve.deployment(Echo, ray_actor_options={"num_cpus": 0.5})
        handle = serve.run(deployed.bind(), name="echo", route_prefix=None)
        replica = psutil.Process(handle.pid.remote().result())
        ask_s, answer_s = _calls(handle, replica, [np.zeros((1, 64, 64, 2), np.uint8)])
        for way, messages in _ways(wafer).items():
            asked, answered = _calls(handle, replica, messages)
            say(what=f"a wafer's windows {way}", calls=len(messages), ask_ms=1000 * asked, answer_ms=1000 * answered)
        family = psutil.Process().children(recursive=True)
        before = time.process_time() + sum(map(_cpu_s, family))
        time.sleep(IDLE_S)
        idle = (time.process_time() + sum(map(_cpu_s, family)) - before) / IDLE_S
        serve.shutdown()
    finally:
        ray.shutdown()
    return ask_s, answer_s, idle


def _calls(handle: Any, replica: psutil.Process, messages: list[Patches]) -> tuple[float, float]:
    """CPU seconds of asking and of answering all messages, one after the other."""
    for message in messages * WARM:
        handle.remote(message).result()
    times = CALLS // len(messages)
    asking, answering = time.process_time(), _cpu_s(replica)
    for message in messages * times:
        handle.remote(message).result()
    return (time.process_time() - asking) / times, (_cpu_s(replica) - answering) / times


def _ways(wafer: Path) -> dict[str, list[Patches]]:
    """The windows of four levels of a wafer, as they travelled once and as they do."""
    (reader,) = open_captures(wafer)
    levels = [[one for one in cut(reader, Tiling(levels=(level,))) if one.inspected > 0] for level in range(4)]
    return {
        "as pixels, a call for each level": [np.stack([one.pixels for one in level]) for level in levels],
        "as scenes": [together([one for level in levels for one in level])],
    }


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
    wafer = folder / "wafer.001"
    wafer.write_bytes(next(wafers(folder / "simulated", 10_000)))
    return Around(*measure_calls(wafer), upload_s=measure_uploads(folder, bundle))


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
