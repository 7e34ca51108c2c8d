"""Drift is measured against what the bundle was calibrated on, and told once a period."""

from datetime import timedelta

import numpy as np
import pytest

from models.domain.inspection import Inspection, Looks
from models.domain.verdict import Labels, Reason
from models.reference import Calibration, Population, Reference
from services.alerting.drift_rules import Calibrated, Drift, drifts
from services.alerting.health_rules import HealthWatch
from services.alerting.policy import AlertPolicy
from services.alerting.rule_file import Rules, shipped_rules
from services.alerting.rule_kinds import DriftRule
from services.records import queries
from services.records.session import Database, now
from tests.services.making import BUNDLE, NOON, capture, record, verdict

LABELS = Labels(("Normal", "Ring"), normal="Normal")
RULE = next(rule for rule in shipped_rules().of(DriftRule)).model_copy(update={"smallest": 60})
RNG = np.random.default_rng(3)
HELD_OUT = np.repeat([0, 1], [400, 100])


def calibrated() -> Calibrated:
    confidence = np.where(HELD_OUT == 0, RNG.beta(30, 1, 500), RNG.beta(8, 2, 500)).astype(np.float32)
    calibration = Calibration(HELD_OUT, HELD_OUT, confidence, RNG.gamma(4, 1, 500).astype(np.float32))
    population = Population(RNG.normal(HELD_OUT[:, None], 1, (500, 6)).astype(np.float32), HELD_OUT)
    nothing = Reference(np.empty((0, 6), np.float32), np.empty(0, np.int64), (), ())
    return Calibrated(
        LABELS, Reference(nothing.embeddings, nothing.labels, (), (), calibration=calibration, population=population)
    )


def judge(database: Database, number: int, *, moved: float = 0.0, lots: int | None = None) -> None:
    """Inspections like the held-out ones, or with looks moved; half of them rings."""
    found = []
    for place in range(number):
        k = place % 2
        of = capture("wafer", place, number, lot=f"LOT{place % (lots or number)}", wafer=str(place))
        confidence = float(RNG.beta(8, 2) if k else RNG.beta(30, 1))
        said = verdict(
            LABELS.names[k], confidence=confidence, novelty=float(RNG.gamma(4, 1)), likeliest=LABELS.names[k]
        )
        looks = Looks(RNG.normal(k + moved, 1, 6).astype(np.float32), np.zeros(4, np.float32))
        found.append(Inspection(of, BUNDLE, (said,), "Normal", NOON, 0.1, looks=looks))
    record(database, *found)


def measured(database: Database, known: Calibrated | None) -> list[Drift]:
    with database.read() as session:
        return list(drifts(session, RULE, now(session) + timedelta(seconds=1), lambda _: known))


def test_without_drift_nothing_is_beyond(database: Database) -> None:
    judge(database, 120)
    (drift,) = measured(database, calibrated())
    assert drift.captures == 120
    assert set(drift.shifts) == {"confidence", "novelty", "looks of Normal", "looks of Ring"}
    assert drift.beyond(RULE) == {}


def test_other_looks_are_an_alert_once_a_period(database: Database) -> None:
    judge(database, 120, moved=1.0)
    told: list[Drift] = []
    rules = Rules(version=1, rules=(RULE,), budget=shipped_rules().budget)
    known = calibrated()
    for _ in range(2):
        HealthWatch(database, AlertPolicy(rules), lambda _: known, told.append).look()
    with database.read() as session:
        (alert,) = queries.alerts(session).items
    assert alert.rule == "drift"
    assert alert.count == 1
    assert alert.title.startswith("Looks of")
    assert set(told[0].beyond(RULE)) == {"looks of Normal", "looks of Ring"}


def test_wafers_of_one_lot_are_no_evidence(database: Database) -> None:
    judge(database, 120, moved=1.0, lots=10)
    assert measured(database, calibrated()) == [], "three of each of ten lots are too few to say anything"


@pytest.mark.parametrize(
    "known", [None, Calibrated(LABELS, Reference(np.empty((0, 6), np.float32), HELD_OUT[:0], (), ()))]
)
def test_without_a_reference_nothing_is_said(database: Database, known: Calibrated | None) -> None:
    judge(database, 80)
    assert measured(database, known) == []


def test_captures_nobody_inspected_do_not_count(database: Database) -> None:
    judge(database, 70)
    blind = Inspection(capture("blind"), BUNDLE, (verdict(None, reason=Reason.NOT_INSPECTED),), "Normal", NOON, 0.1)
    record(database, blind, content="blind")
    (drift,) = measured(database, calibrated())
    assert drift.captures == 70
