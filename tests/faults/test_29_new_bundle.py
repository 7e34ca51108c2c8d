"""Row 29: the same bytes for a new bundle are a new job; what was raised under the old one is not raised again."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from models.domain.alert import AlertState
from services.alerting.handling import change_alert
from services.intake.watching import Watcher
from services.records import queries
from services.records.tables import JobState
from tests.faults import mutants
from tests.faults.plant import Machine, Plant, check_invariant
from tests.services.inspection.faking import FakeClassifier, manifest

pytestmark = pytest.mark.faults

OLD, NEW = "b" * 64, "c" * 64
TEXT = "1 2 99"


@pytest.fixture
def machine(plant: Plant) -> Iterator[Machine]:
    machine = Machine(plant)
    yield machine
    machine.close()


def take_in(machine: Machine, digest: str) -> None:
    """The file comes, and the bundle of this digest is the one of the day."""
    machine.plant.put("lot7.001", TEXT)
    watcher: Watcher = machine.watcher()
    watcher._route = lambda: digest
    for _ in range(2):
        watcher.look()
    machine.classifier = FakeClassifier(replace(manifest(digest, levels=(-1,))))
    machine.work()
    machine.relay()


@pytest.mark.parametrize("closed_meanwhile", [False, True])
def test_a_new_bundle_looks_again_and_repeats_nothing(machine: Machine, *, closed_meanwhile: bool) -> None:
    take_in(machine, OLD)
    take_in(machine, OLD)
    with machine.database.read() as session:
        before = queries.alerts(session).items
        assert len(queries.jobs(session, states=[JobState.DONE]).items) == 1
    assert {alert.pattern: alert.count for alert in before} == {"Scratch": 1, "Ring": 1, "novel": 1}
    if closed_meanwhile:
        with machine.database.write() as session:
            for alert in before:
                change_alert(session, alert.id, version=alert.version, to=AlertState.RESOLVED, actor="someone")
        machine.relay()
    sent = machine.plant.received.read_text()
    take_in(machine, NEW)
    with machine.database.read() as session:
        assert len(queries.jobs(session, states=[JobState.DONE]).items) == 2
        digests = {one.bundle.digest for one in queries.inspections(session).items}
        after = queries.alerts(session, states=list(AlertState)).items
    assert digests == {OLD, NEW}
    assert {alert.pattern: alert.count for alert in after} == {"Scratch": 1, "Ring": 1, "novel": 1}
    assert machine.plant.received.read_text() == sent
    if not closed_meanwhile:
        check_invariant(machine.plant, {TEXT}, bundles=2)


def test_counting_inspections_would_repeat_alerts(machine: Machine) -> None:
    with mutants.inspections_are_counted():
        for digest in (OLD, NEW):
            take_in(machine, digest)
    with pytest.raises(AssertionError, match="is not"):
        check_invariant(machine.plant, {TEXT}, bundles=2)
