"""Rates per interval, from the rows: what came, what was judged, how long it took."""

from datetime import timedelta

import pytest

from services.records.quality import Span
from services.records.rates import rates
from services.records.session import Database, now
from services.records.tables import ReceiptRow
from tests.services.making import capture, inspection, record, sha


def test_what_happened_is_counted_in_its_interval(database: Database) -> None:
    record(database, inspection(capture("a")), content="a")
    record(database, inspection(capture("b")), content="b")
    with database.write() as session:
        moment = now(session)
        session.add(
            ReceiptRow(arrival_key=sha("x"), sha256=sha("a"), job_id=1, origin="watch", sender="", path="a",
                       received_at=moment - timedelta(minutes=12))
        )  # fmt: skip
    over = Span(moment - timedelta(minutes=14), moment + timedelta(minutes=1))
    with database.read() as session:
        first, second, third = rates(session, over, timedelta(minutes=5))
    assert (first.arrived, second.arrived, third.arrived) == (1, 0, 0)
    assert (first.judged, third.judged) == (0, 2)
    assert first.latency_s is None
    assert third.latency_s == pytest.approx(0, abs=5)
    assert (third.alerts, third.failed) == (0, 0)
