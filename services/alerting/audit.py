"""The audit trail as a file: every row of every chain, and its check without any database.

One JSON object per line: the chain's name, the row as it was hashed, the hash before it and its own. Whoever has the
file can recompute each hash with SHA-256 alone. What a chain cannot show by itself, rows missing at its end, an older
export does: it must be contained in the newer one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from models.domain.errors import InputError
from services.alerting.history import content_of
from services.records import journal
from services.records.access_tables import JournalRow
from services.records.alert_tables import AlertEventRow
from services.records.chain import START, link
from services.records.session import ReadSession

_OF_ALERT = ("alert_id", "number", "at", "actor", "before", "after", "note", "request")
_OF_JOURNAL = ("number", "at", "actor", "deed", "subject", "detail")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a whole file holds: rows, chains, and the last hash of each."""

    rows: int
    heads: Mapping[str, tuple[int, str]]


def export(session: ReadSession) -> Iterator[str]:
    """Every row of the histories of alerts and of the journal, a line each, chain by chain."""
    events = select(AlertEventRow).order_by(AlertEventRow.alert_id, AlertEventRow.number)
    for event in session.scalars(events.execution_options(yield_per=1000)):
        row = dict(zip(_OF_ALERT, content_of(event), strict=False))
        yield _line(f"alert {event.alert_id}", row, event.previous_hash, event.hash)
    entries = select(JournalRow).order_by(JournalRow.number)
    for entry in session.scalars(entries.execution_options(yield_per=1000)):
        row = dict(zip(_OF_JOURNAL, journal.content_of(entry), strict=True))
        yield _line("journal", row, entry.previous_hash, entry.hash)


def verify(lines: Iterable[str], where: str) -> Verified:
    """Recompute every hash.

    Raises:
        InputError: the first line that does not fit (`audit-broken`), or that is not one of an export (`bad-audit`).
    """
    heads: dict[str, tuple[int, str]] = {}
    rows = 0
    for rows, line in enumerate(lines, 1):
        chain, row, previous, own = _parsed(line, f"{where}, line {rows}")
        number, head = heads.get(chain, (-1, START))
        if row.get("number") != number + 1 or previous != head or own != link(previous, list(row.values())):
            raise InputError(
                "audit trail is broken",
                where=f"{where}, line {rows}: {chain}",
                expected=f"row {number + 1} behind hash {head[:12]}",
                got=f"row {row.get('number')} behind {str(previous)[:12]} with hash {str(own)[:12]}",
                remedy="something was changed or removed: compare with an older export",
                code="audit-broken",
            )
        heads[chain] = (number + 1, own)
    return Verified(rows, heads)


def check_contains(newer: Iterable[str], older: Verified, where: str) -> None:
    """Refuse an export in which rows of an older one are missing or different.

    Raises:
        InputError: names the chain (`audit-shortened`).
    """
    ends = {(chain, number): head for chain, (number, head) in older.heads.items()}
    for line in newer:
        chain, row, _, own = _parsed(line, where)
        if ends.get((chain, row.get("number", -1))) == own:
            del ends[chain, row["number"]]
    for chain, number in sorted(ends):
        raise InputError(
            "audit trail was shortened or rewritten",
            where=f"{where}: {chain}",
            expected=f"row {number} with the hash of the older export",
            got="none",
            code="audit-shortened",
        )


def _line(chain: str, row: Mapping[str, Any], previous: str, own: str) -> str:
    whole = {"chain": chain, "row": row, "previous_hash": previous, "hash": own}
    return json.dumps(whole, ensure_ascii=True) + "\n"


def _parsed(line: str, where: str) -> tuple[str, dict[str, Any], str, str]:
    try:
        whole = json.loads(line)
        return whole["chain"], dict(whole["row"]), whole["previous_hash"], whole["hash"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            "not a line of an audit export", where=where, expected="chain, row, previous_hash, hash", got=line[:80],
            code="bad-audit",
        ) from error  # fmt: skip
