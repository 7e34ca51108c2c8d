"""Failed logins slow down who makes them, and nobody else.

Attempts are counted by bucket. A browser that its user logged in with before has a bucket of its own; all others share
one for each name and address, and one for each address. So whoever guesses from elsewhere, or without that browser,
cannot lock the user out of it (OWASP: device cookies). There is no bucket for a name alone: anybody could fill it.
Each attempt is counted before the password is looked at, so that many at once do not slip through together.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from sqlalchemy import delete, update

from services.records.access_tables import AttemptRow
from services.records.session import WriteSession, now
from services.records.upsert import insert_into

LONGEST_WAIT_S = 900
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where attempts are counted.

    Attributes:
        key: hash of what it is for.
        free: how many may fail before the next one must wait: 1 s, 2 s, 4 s, … up to `LONGEST_WAIT_S`.
    """

    key: str
    free: int


def buckets_for(name_key: str, address: str, known_device: str | None) -> Sequence[Bucket]:
    """The buckets an attempt falls into.

    Args:
        name_key: the name as it is compared.
        address: where the request comes from.
        known_device: hash of a browser this user logged in with before; None for any other.
    """
    if known_device is not None:
        return (Bucket(_key("device", name_key, known_device), 10),)
    place = network_of(address)
    return (Bucket(_key("name", name_key, place), 5), Bucket(_key("address", place), 30))


def network_of(address: str) -> str:
    """What one caller has: an IPv4 address, or an IPv6 network of 64 bits, of which they can take any address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))


def count_attempt(session: WriteSession, buckets: Sequence[Bucket]) -> int:
    """Count an attempt, unless it comes too early; returns how many seconds to wait, 0 if it may go on."""
    moment = now(session)
    session.execute(delete(AttemptRow).where(AttemptRow.last_at < moment - FORGOTTEN_AFTER))
    waits = []
    for one in buckets:
        row = session.get(AttemptRow, one.key, with_for_update=True)
        if row is not None:
            waits.append(wait_s(row.failures, one.free) - (moment - row.last_at).total_seconds())
    if (wait := max(waits, default=0.0)) > 0:
        return math.ceil(wait)
    for one in buckets:
        session.execute(
            insert_into(session, AttemptRow)
            .values(bucket=one.key, failures=1, last_at=moment)
            .on_conflict_do_update(
                index_elements=[AttemptRow.bucket], set_={"failures": AttemptRow.failures + 1, "last_at": moment}
            )
        )
    return 0


def forgive(session: WriteSession, buckets: Sequence[Bucket]) -> None:
    """The attempt was right: forget this user's failures; of the address's, only the one that was counted for it."""
    own, *shared = buckets
    session.execute(delete(AttemptRow).where(AttemptRow.bucket == own.key))
    for one in shared:
        counted = (AttemptRow.bucket == one.key, AttemptRow.failures > 0)
        session.execute(update(AttemptRow).where(*counted).values(failures=AttemptRow.failures - 1))


def wait_s(failures: int, free: int) -> float:
    """How long after the last of so many failures the next attempt must wait, seconds."""
    return 0.0 if failures < free else float(min(LONGEST_WAIT_S, 2 ** min(failures - free, 20)))


def _key(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
