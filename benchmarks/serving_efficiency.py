"""How much of the model's speed reaches the line: patches per second through the whole service over the bare model's.

    python -m benchmarks.serving_efficiency [--bundle DIR] [--wafers 40] [--two-nodes]

Wafers of 10,000 defects are cut at four levels, 85 patches each, as where small patterns are looked for. The bare
model judges the same patches in the same batch size with one thread; the service runs one classifier replica, then
two, or one on each of two nodes of a Ray cluster on this machine. Ratios are given by the clock and by CPU seconds:
all that the service's processes used, Ray's own included, against what the model used (of two nodes by the clock alone:
the cluster's processes are not the service's).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.serving_rig import bare_rate, make_bundle, say, service, wafers
from models.recipe import Recipe
from pipelines.ingestion import cut, open_captures

LEVELS = (0, 1, 2, 3)
LEAST_EFFICIENCY, LEAST_GAIN = 0.85, 1.7


def patches_of(content: bytes, folder: Path, recipe: Recipe) -> np.ndarray:
    path = folder / "one.001"
    path.write_bytes(content)
    (reader,) = open_captures(path)
    return np.stack([patch.pixels for patch in cut(reader, recipe.domain_tiling) if patch.inspected > 0])


@contextmanager
def two_nodes() -> Iterator[None]:
    """A Ray of two nodes of one CPU each, which services that start join."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - seconds to import, and seldom needed

    from services.parts.serve import RAY_SETTINGS  # noqa: PLC0415 - likewise

    os.environ.update(RAY_SETTINGS)
    node = {"num_cpus": 1, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        os.environ["RAY_ADDRESS"] = cluster.address
        yield
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        cluster.shutdown()


def through_the_service(
    home: Path, bundle: Path, contents: list[bytes], replicas: int, patches: int
) -> tuple[float, float]:
    """Patches per second by the clock, and CPU seconds per patch of all the service's processes."""
    # four files under way for each replica: one is judged, one waits, and two are read and recorded meanwhile
    chosen = {
        "classifier_cpus": 0.6 if "RAY_ADDRESS" in os.environ else 0.5,
        "inspector_cpus": 0.1,
        "inspector_threads": 4 * replicas,
    }
    with service(home, bundle, parts=("serve",), classifier_replicas=replicas, **chosen) as rig:
        for content in contents[:4]:  # warms caches and connections
            rig.send(content)
        rig.drain(4, 300)
        before, began = rig.usage(), time.monotonic()
        for content in contents[4:]:
            rig.send(content)
        ended = rig.drain(len(contents), 600)
        after = rig.usage()
    judged = (len(contents) - 4) * patches
    return judged / (ended - began), (after.cpu_s - before.cpu_s) / judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--wafers", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=20, help="of the bare model")
    parser.add_argument("--two-nodes", action="store_true", help="the two replicas on a cluster of two nodes")
    parser.add_argument("--only-report", action="store_true", help="do not fail where a ratio is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        manifest = make_bundle(folder / "bundle", LEVELS, arguments.bundle)
        contents = list(islice(wafers(folder / "wafers", 10_000), arguments.wafers))
        patches = patches_of(contents[0], folder, manifest.recipe)
        bare, bare_cpu_s = bare_rate(folder / "bundle", patches, arguments.seconds)
        say(what="bare model", patches_per_s=bare, cpu_ms_per_patch=1000 * bare_cpu_s, patches_per_wafer=len(patches))
        rates = {}
        for replicas in (1, 2):
            with two_nodes() if arguments.two_nodes and replicas == 2 else nullcontext():
                rates[replicas], cpu_s = through_the_service(
                    folder / f"home-{replicas}", folder / "bundle", contents, replicas, len(patches)
                )
            by_cpu = {} if arguments.two_nodes and replicas == 2 else {
                "cpu_ms_per_patch": 1000 * cpu_s, "cpu_efficiency": bare_cpu_s / cpu_s
            }  # fmt: skip
            say(what=f"{replicas} replicas", patches_per_s=rates[replicas],
                efficiency=rates[replicas] / (replicas * bare), **by_cpu)  # fmt: skip
        again, _ = bare_rate(folder / "bundle", patches, arguments.seconds)
        say(what="bare model again", patches_per_s=again)
        say(what="ratios", efficiency=rates[1] / ((bare + again) / 2), two_over_one=rates[2] / rates[1])
        if not arguments.only_report:
            assert rates[1] / ((bare + again) / 2) >= LEAST_EFFICIENCY
            assert rates[2] / rates[1] >= LEAST_GAIN


if __name__ == "__main__":
    main()
