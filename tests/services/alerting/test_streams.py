"""Rules over several captures: what they count, how long a signal lasts, and that nothing fires twice or not at all."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from models.domain.alert import Alert, AlertState
from models.domain.inspection import BundleRef
from models.domain.verdict import Reason
from services.alerting.evaluation import alerts_of
from services.alerting.occurrences import raise_alerts
from services.alerting.rule_file import Rules
from services.alerting.rule_kinds import RateRule, RepeatRule, StreamRule
from services.alerting.streams import judge_stream
from services.jobs import claim, complete
from services.records import queries
from services.records.alert_tables import AlertOccurrenceRow
from services.records.session import Database, now
from services.records.sightings import Place, Sighting
from services.records.store import add_inspection
from services.records.tables import InspectionRow
from tests.services.alerting.test_rules import rules
from tests.services.making import NOON, POLICY, add_job, capture, inspection, verdict

HERE = Place("P1", "ETCH", "T9")
CUSUM = {"kind": "cusum", "shift": 3, "false_alarm_every": 2000}


def only(chosen: Rules) -> StreamRule:
    (rule,) = chosen.of(StreamRule)
    return rule


def seen(number: int, label: str | None) -> Sighting:
    reason = Reason.CONFIDENT if label else Reason.NOVEL
    shown = {label: 0.9} if label and label != "Normal" else {}
    refused = frozenset() if label else frozenset({Reason.NOVEL})
    at = NOON + timedelta(minutes=number)
    return Sighting(f"i{number}", f"c{number}", at, HERE, "Normal", label, reason, shown, refused)


def stream(labels: Sequence[str | None]) -> list[Sighting]:
    return [seen(number, label) for number, label in enumerate(labels)]


def fired(rule: StreamRule, labels: Sequence[str | None], first: int = 0) -> list[tuple[str, int]]:
    alerts = judge_stream(rule, stream(labels), first)
    return [(alert.fingerprint.pattern, int(alert.subject[1:])) for alert in alerts]


N, R, S = "Normal", "Ring", "Scratch"


def test_n_of_the_last_m_wafers() -> None:
    rule = only(rules({"kind": "repeat", "n": 3, "m": 5, "clear": 2}))
    assert fired(rule, [R, N, R, N, R, N, N, R]) == [("Ring", 4)], "at wafer 7 only two of the last five show it"
    assert fired(rule, [R, S, R, S, R, S, N, N]) == [("Ring", 4), ("Scratch", 5)]
    assert fired(rule, [R, R, N, N, N, R, N, N, N, R]) == []


def test_a_repeat_on_the_edge_goes_on_until_it_is_over() -> None:
    lasting = only(rules({"kind": "repeat", "n": 3, "m": 5, "clear": 1}))
    labels = [R, R, R, N, N, R, N, N, N, N, R, R]
    assert fired(lasting, labels) == [("Ring", 2), ("Ring", 5)], "two of five still count, one of five ended it"


@pytest.mark.parametrize(("of", "expected"), [("unknown", 2), ("failing", 4), (["Ring"], 1), ("each class", 1)])
def test_what_is_counted(of: object, expected: int) -> None:
    rule = only(rules({"kind": "repeat", "n": 2, "m": 9, "of": of}))
    assert len(fired(rule, [None, R, None, R, None])) == expected


def test_the_rate_of_one_stream_against_its_own_past() -> None:
    rng = random.Random(3)
    calm = [R if rng.random() < 0.04 else N for _ in range(500)]
    worse = [R if rng.random() < 0.4 else N for _ in range(60)]
    rule = only(rules({"kind": "rate", "of": "failing", "chart": CUSUM}))
    assert fired(rule, calm) == []
    found = fired(rule, calm + worse)
    assert found
    assert min(number for _, number in found) < 530, "ten times as many are seen within 30 wafers"
    (alert, *_) = judge_stream(rule, stream(calm + worse))
    assert "of the last 200, usually" in alert.title


def test_with_too_little_past_nothing_is_said() -> None:
    rule = only(rules({"kind": "rate", "chart": CUSUM, "min_baseline": 100}))
    assert fired(rule, [R] * 100) == []


@pytest.mark.parametrize(
    "chart",
    [
        {"kind": "ewma", "weight": 0.05, "sigmas": 6},
        {"kind": "p", "interval_min": 60, "smallest": 20, "false_alarm_every": 1000},
    ],
)
def test_the_other_charts(chart: dict[str, object]) -> None:
    rule = only(rules({"kind": "rate", "of": "failing", "chart": chart}))
    rng = random.Random(4)
    calm = [R if rng.random() < 0.04 else N for _ in range(500)]
    assert fired(rule, calm) == []
    assert fired(rule, calm + [R, N] * 30) != []


@pytest.mark.parametrize("kind", ["repeat", "rate"])
def test_replayed_piece_by_piece_it_is_the_same(kind: str) -> None:
    """What is judged as captures arrive, some of them together, is what replaying the whole history says."""
    rng = random.Random(5)
    labels = [R if rng.random() < (0.05 if n < 300 else 0.3) else N for n in range(400)]
    parts: dict[str, object] = {"n": 3, "m": 8, "clear": 1} if kind == "repeat" else {"chart": CUSUM}
    rule = only(rules({"kind": kind, **parts}))
    pieces, done = [], 0
    while done < len(labels):
        first, done = done, min(len(labels), done + rng.randint(1, 25))
        pieces += fired(rule, labels[:done], first)
    assert pieces == fired(rule, labels) != []


def add(database: Database, numbers: Sequence[int], chosen: Rules, bundle: BundleRef | None = None) -> None:
    """One job with these wafers, all with a ring."""
    content = f"lot {numbers} {bundle}"
    job_id = add_job(database, content)
    with database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        moment = now(session)
        parts = {} if bundle is None else {"bundle": bundle}
        found = [inspection(capture(f"wafer {number}"), verdict("Ring"), **parts) for number in numbers]  # type: ignore[arg-type]
        for one in found:
            add_inspection(session, one, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)
        raise_alerts(session, alerts_of(session, found, chosen, moment), at=moment)
        complete(session, lease)
    assert job_id


def counted(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {one.rule: one.count for one in queries.alerts(session, states=list(AlertState)).items}


REPEAT = rules({"name": "three-of-five", "kind": "repeat", "n": 3, "m": 5})


def test_captures_of_one_transaction_see_each_other(database: Database) -> None:
    add(database, [1, 2, 3, 4], REPEAT)
    assert counted(database) == {"three-of-five": 2}


def test_a_second_look_with_another_bundle_is_no_second_wafer(database: Database) -> None:
    add(database, [1, 2], REPEAT)
    add(database, [1, 2], REPEAT, BundleRef("wafer", "4", "c" * 64))
    assert counted(database) == {}
    with database.read() as session:
        assert sorted(session.scalars(select(InspectionRow.is_first))) == [False, False, True, True]
    add(database, [3], REPEAT)
    assert counted(database) == {"three-of-five": 1}


def test_other_tools_are_other_streams(database: Database) -> None:
    def one(number: int, tool: str) -> list[Alert]:
        found = inspection(capture(f"wafer {number}", tool=tool), verdict("Ring"))
        add_job(database, f"file {number}")
        with database.write() as session:
            lease = claim(session, "worker", POLICY)
            assert lease is not None
            moment = now(session)
            add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)
            complete(session, lease)
            return alerts_of(session, [found], REPEAT, moment)

    assert [len(one(number, f"T{number % 2}")) for number in range(6)] == [0, 0, 0, 0, 1, 1]


@pytest.mark.slow
def test_of_wafers_recorded_at_the_same_moment_none_is_overlooked(database: Database) -> None:
    """Workers in parallel: whoever comes last must see the others, and nobody counts twice."""
    for number in range(30):
        add_job(database, f"file {number}")

    def work(worker: int) -> None:
        for number in range(worker, 30, 3):
            found = inspection(capture(f"wafer {number}"), verdict("Ring"))
            with database.write() as session:
                lease = claim(session, f"worker {worker}", POLICY)
                assert lease is not None
                moment = now(session)
                add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)
                raise_alerts(session, alerts_of(session, [found], REPEAT, moment), at=moment)
                complete(session, lease)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    with database.read() as session:
        subjects = list(session.scalars(select(AlertOccurrenceRow.subject)))
    assert len(set(subjects)) == len(subjects) == 28, "all but the first two"
    assert counted(database) == {"three-of-five": 28}


def test_rules_are_of_their_kind() -> None:
    assert isinstance(only(REPEAT), RepeatRule)
    assert isinstance(only(rules({"kind": "rate", "chart": CUSUM})), RateRule)
