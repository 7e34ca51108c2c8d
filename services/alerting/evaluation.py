"""Everything the rules raise of captures that are being recorded, in the transaction that records them."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import dropwhile

from sqlalchemy import func, select

from models.domain.alert import Alert
from models.domain.inspection import Inspection
from services.alerting.rule_file import Rules
from services.alerting.rule_kinds import StreamRule
from services.alerting.rules import covers, evaluate
from services.alerting.streams import asks_windows, counts_in, judge_stream, memory
from services.records.session import WriteSession
from services.records.sightings import Place, newest_of_stream


def alerts_of(session: WriteSession, new: Sequence[Inspection], rules: Rules, at: datetime) -> list[Alert]:
    """All alerts of inspections that this transaction has just added, recorded as of `at`."""
    own = [alert for one in new for alert in evaluate(one, rules)]
    return [*own, *_of_streams(session, new, rules, at)]


def _of_streams(session: WriteSession, new: Sequence[Inspection], rules: Rules, at: datetime) -> Iterator[Alert]:
    """Rules over several captures, of the new ones and of those behind them that were committed first.

    A stream's past is read only where one of these shows what a rule counts: most wafers are normal, and a chart reads
    hundreds of captures.
    """
    wanted = rules.of(StreamRule)
    if not wanted or not new:
        return
    ids = {one.id for one in new}
    origins = {one.capture.provenance for one in new}
    places = {Place(origin.product, origin.step, origin.tool) for origin in origins}
    _take_turns(session, places)
    for by_product in (True, False):
        chosen = [rule for rule in wanted if rule.by_product is by_product]
        streams = {place if by_product else Place(None, place.step, place.tool) for place in places}
        for place in sorted(streams, key=repr) if chosen else ():
            newest = newest_of_stream(session, place, by_product=by_product, since=at)
            judged = list(dropwhile(lambda seen: seen.inspection_id not in ids, newest))
            asking = [rule for rule in chosen if judged and covers(rule, judged[0]) and counts_in(rule, judged)]
            for windows in (True, False):
                some = [rule for rule in asking if asks_windows(rule) is windows]
                if not some:  # or captures that were inspected before
                    continue
                reach = max(map(memory, some)) + len(judged)
                series = newest_of_stream(session, place, by_product=by_product, limit=reach, windows=windows)
                for rule in some:
                    yield from judge_stream(rule, series, len(series) - len(judged))


def _take_turns(session: WriteSession, places: set[Place]) -> None:
    """Let transactions that add to the same streams evaluate one after the other, each seeing what the last one added.

    SQLite has one writer at a time anyway. The order is fixed, so that two cannot wait for each other.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    names = {f"{place.step!r} {place.tool!r}" for place in places}
    keys = {int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True) for name in names}
    for key in sorted(keys):
        session.execute(select(func.pg_advisory_xact_lock(key)))
