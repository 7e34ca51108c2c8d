"""Taking a new bundle back by ourselves: the routing without it, why, and a critical alert, in one transaction."""

import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.domain.alert import Alert, Fingerprint, Severity
from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.alerting.occurrences import SERVICE, raise_alerts
from services.records.session import Database, ReadSession, WriteSession, now
from services.routing.guarding import Jump, jump
from services.routing.history import RoutingChange, apply, history
from services.routing.routing import Routing, Rule
from services.routing.trials import Stint, canary_trials, release_trial

_log = logging.getLogger(__name__)

Means = Callable[[str], Stint]
"""The bundle a route means now; raises one of our errors if there is none."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What was taken back.

    Attributes:
        rule: whose captures it judged.
        bundle: that was on trial.
        why: the rate that jumped.
    """

    rule: str
    bundle: Stint
    why: Jump


@dataclass(frozen=True, slots=True)
class _Found:
    rolled_back: RolledBack
    routing: Routing
    what: str


def take_back(database: Database, means: Means, channels: Collection[str], fallback: Routing) -> RolledBack | None:
    """Look at every bundle on trial once; safe in several processes, as often as one likes.

    Args:
        database: with the history of routings and the inspections.
        means: what routes mean now.
        channels: who is told.
        fallback: the routing where nobody applied one.

    Returns:
        What was taken back, if anything was.

    Raises:
        RetryableError: the database is away.
    """
    with database.read() as session:
        past = history(session)
        current = past[0].routing if past else fallback
        found = next(_worse(session, past, current, means), None)
    if found is None:
        return None
    with database.write() as session:
        try:
            _write(session, past[0].number if past else 0, found, channels)
        except InputError:  # the routing was changed meanwhile: look again at what holds now
            return None
    _log.error("%s: %s", found.what, found.rolled_back.why)
    return found.rolled_back


def _worse(session: ReadSession, past: Sequence[RoutingChange], current: Routing, means: Means) -> Iterator[_Found]:
    """Bundles on trial that do worse, one after the other: what takes one back changes the trial of the next."""
    for rule in current.rules:
        try:
            if rule.canary is not None:
                yield from _canary(session, past, current, rule, means)
            if current.guard.watch_releases:
                yield from _release(session, current, rule, means)
        except (RetryableError, ConfigurationError) as error:
            if error.code == "database-unavailable":
                raise
            _log.debug("rule %s has no bundle to judge by: %s", rule.name, error)


def _canary(
    session: ReadSession, past: Sequence[RoutingChange], current: Routing, rule: Rule, means: Means
) -> Iterator[_Found]:
    assert rule.canary is not None
    canary = means(rule.canary.route)
    trials = list(canary_trials(session, rule, _since(past, rule), canary))
    if found := jump(trials, current.guard.false_rollback):
        what = f"canary {canary.route} of rule {rule.name} was taken back"
        yield _Found(RolledBack(rule.name, canary, found), current.without_canary(rule.name), what)


def _release(session: ReadSession, current: Routing, rule: Rule, means: Means) -> Iterator[_Found]:
    if current.routes[rule.route].digest is not None:
        return  # somebody chose this very bundle
    champion = means(rule.route)
    found = release_trial(session, rule, champion)
    if found is None:
        return
    trial, before = found
    if worse := jump([trial], current.guard.false_rollback):
        what = f"route {rule.route} went back from version {champion.version} to {before.version}"
        pinned = current.pinned(rule.route, before.digest, before.version)
        yield _Found(RolledBack(rule.name, champion, worse), pinned, what)


def _since(past: Sequence[RoutingChange], rule: Rule) -> datetime:
    """Since when a rule has the canary it has, whatever else was changed."""
    since = past[0].at
    for change in past:
        same = next((one for one in change.routing.rules if one.name == rule.name), None)
        if same is None or same.canary != rule.canary:
            break
        since = change.at
    return since


def _write(session: WriteSession, number: int, found: _Found, channels: Collection[str]) -> None:
    moment, bundle = now(session), found.rolled_back.bundle
    note = f"{found.what}: {found.rolled_back.why}"
    apply(session, found.routing, actor=SERVICE, note=note, after=number)
    subject = hashlib.sha256(f"{found.rolled_back.rule}:{bundle.digest}:{number}".encode()).hexdigest()
    alert = Alert(
        subject=subject,
        fingerprint=Fingerprint(rule="rollback", pattern=found.rolled_back.why.trouble.value),
        severity=Severity.CRITICAL,
        title=f"{found.what[0].upper()}{found.what[1:]}: {found.rolled_back.why}",
        action=f"Look at what bundle {bundle.digest[:12]} said since it came; inspect those captures again if need be.",
    )
    raise_alerts(session, [alert], at=moment, channels=channels)
