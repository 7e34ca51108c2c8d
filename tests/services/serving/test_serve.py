"""The Serve application on a real Ray: jobs become inspections, a release interrupts nobody, replicas come back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.simulate import simulate
from services.records.shadows import shadow_looks
from services.records.tables import JobState
from services.routing.history import apply
from services.routing.routing import Routing
from tests.services.conftest import MakeBundle
from tests.services.serving.service import Service, ray_for_tests
from tests.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, make_bundle: MakeBundle) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("service"), make_bundle)
    made.release(1)
    with ray_for_tests(made.settings):
        yield made


def test_jobs_become_inspections_and_a_release_turns_the_route(service: Service, wafers: list[Path]) -> None:
    old = service.store.resolve("champion").manifest.ref.digest
    state, inspections = service.finished(service.send(wafers[0]), 120)
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [old]
    new = service.release(2)
    assert new != old
    state, inspections = service.finished(service.send(wafers[1]))
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [new]


def test_a_broken_file_is_quarantined_and_the_next_one_inspected(
    service: Service, wafers: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "noise.klarf").write_bytes(bytes(range(256)) * 8)
    broken, sound = service.send(tmp_path / "noise.klarf"), service.send(wafers[2])
    assert service.finished(broken)[0] is JobState.QUARANTINED
    assert service.finished(sound)[0] is JobState.DONE


def test_a_rule_sends_and_a_challenger_looks_on(service: Service, wafers: list[Path], tmp_path: Path) -> None:
    """A canary of everything judges with its bundle; the champion, as challenger, looks at the same patches."""
    candidate = service.install(3)
    service.store.activate("candidate", candidate, "3")
    routing = Routing.parse(
        {
            "routes": {"champion": {"alias": "champion"}, "candidate": {"alias": "challenger"}},
            "rules": [
                {
                    "name": "all",
                    "route": "champion",
                    "canary": {"route": "candidate", "share": 1.0},
                    "shadow": {"route": "champion"},
                }
            ],
        },
        "test",
    )
    with service.database.write() as session:
        apply(session, routing, actor="test", note="")
    extra = simulate(tmp_path / "extra", 1, patterns=("Ring",), defects=(60, 90), seed=99)
    state, inspections = service.finished(service.send(extra.files[0]))
    assert state is JobState.DONE
    assert [service.bundle_of(one) for one in inspections] == [candidate]

    def looked() -> bool:
        with service.database.read() as session:
            looks = shadow_looks(session, outcome=None).items
        return len(looks) == 1 and looks[0].challenger is not None and looks[0].windows == 1

    assert eventually(looked, 30)
    with service.database.write() as session:
        apply(session, routing.without_canary("all"), actor="test", note="")
