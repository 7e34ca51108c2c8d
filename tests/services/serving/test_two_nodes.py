"""A cluster of two Ray nodes: replicas on both, jobs done by both, nothing lost."""

from pathlib import Path

import psutil
import pytest

from pipelines.simulate import simulate
from tests.faults.service_invariant import check_service
from tests.services.conftest import MakeBundle
from tests.services.serving.service import Service, replica_pids, two_nodes_for_tests

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("ray"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(400),
]


def test_two_nodes_share_the_work(tmp_path: Path, make_bundle: MakeBundle) -> None:
    service = Service(
        tmp_path / "home",
        make_bundle,
        classifier_replicas=2,
        inspector_replicas=2,
        classifier_cpus=0.6,  # a second one does not fit the node of the first
        inspector_cpus=0.4,
    )
    service.release(1)
    files = simulate(tmp_path / "wafers", 12, patterns=("Ring",), defects=(50, 100)).files
    with two_nodes_for_tests(service.settings):
        for path in files:
            service.send(path)
        assert service.all_done(len(files), 180), service.states()
        for deployment in ("classifier", "inspector"):
            nodes = {psutil.Process(pid).ppid() for pid in replica_pids(deployment)}
            assert len(nodes) == 2, f"both replicas of {deployment} are on one node"
    check_service(service, files)
