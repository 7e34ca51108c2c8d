"""The housekeeper: messages, hopeless jobs, model and intake, unanswered alerts, releases, groups, trials, backups.

One is enough; several do no harm.
"""

import logging
import threading
from collections.abc import Callable
from functools import lru_cache, partial

from models.bundle import load_bundle
from models.domain.errors import ConfigurationError, RetryableError
from services.alerting.attention import escalate_overdue, tell_unsilenced
from services.alerting.channels.channel import Channel
from services.alerting.drift_rules import Calibrated, References
from services.alerting.health_rules import HealthWatch
from services.alerting.relay import relay_once
from services.alerting.silencing import renew_maintenance
from services.clustering import Clustering
from services.jobs import LeasePolicy, bury_silent
from services.parts.shared import alert_policy, lay_foundation, open_channels, stop_on_signals
from services.parts.upkeep import Upkeep
from services.routing.history import CurrentRouting, plain_routing
from services.routing.rollback import take_back
from services.serving.bundle_store import BundleStore
from services.serving.release_follower import ReleaseFollower
from services.settings import Settings
from services.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

PAUSE_S = 1.0
GUARD_PAUSE_S = 5.0
"""Between two looks at bundles on trial: each counts a day's captures."""

UPKEEP_PAUSE_S = 600.0


def run_housekeep(settings: Settings) -> None:
    """Keep house until SIGTERM."""
    foundation = lay_foundation(settings)
    stop = stop_on_signals()
    alerting = alert_policy(settings)
    channels = open_channels(settings)
    store, metrics = BundleStore(settings.bundle_dir), Metrics()
    health = HealthWatch(foundation.database, alerting, references_of(store), metrics.drifted)
    follower = ReleaseFollower(settings, store)
    policy = LeasePolicy(lease_s=settings.lease_s, max_attempts=settings.max_attempts)

    def relay(channel: Channel) -> None:
        while not stop.is_set() and relay_once(foundation.database, [channel], told=metrics.notified):
            pass

    def bury() -> None:
        with foundation.database.write() as session:
            bury_silent(session, policy, alerting)

    def attend() -> None:
        with foundation.database.write() as session:
            renew_maintenance(session)
            tell_unsilenced(session)
            escalate_overdue(session)

    clustering = Clustering(foundation.database)
    routing = CurrentRouting(foundation.database, settings)
    upkeep = Upkeep(settings, foundation.database, metrics)

    def follow() -> None:
        follower.follow(routing().routes)

    def guard() -> None:
        taken = take_back(foundation.database, store.stint, alerting.channels, plain_routing(settings))
        if taken is not None:
            metrics.rolled_back(taken.rule, taken.why.trouble.value)

    for what, chore, pause_s in (
        ("registry", follow, PAUSE_S),
        ("clusters", clustering.refresh, PAUSE_S),
        ("trials", guard, GUARD_PAUSE_S),
        ("room", upkeep.make_room, UPKEEP_PAUSE_S),
        ("backup", upkeep.back_up, UPKEEP_PAUSE_S),
        *((f"channel {channel.name}", partial(relay, channel), PAUSE_S) for channel in channels),
    ):
        # each may take its time; messages must not wait for it
        named = {"pause_s": pause_s}
        threading.Thread(target=_again, args=(stop, what, chore), kwargs=named, name=what, daemon=True).start()
    _again(stop, "house", bury, attend, health.look)
    foundation.database.close()


def references_of(store: BundleStore) -> References:
    """What installed bundles were calibrated on; the last few stay in memory."""

    @lru_cache(maxsize=4)
    def reference_of(digest: str) -> Calibrated | None:
        try:
            bundle = load_bundle(store.folder_of(digest))
        except ConfigurationError as error:
            _log.warning("drift of bundle %s is not measured: %s", digest[:12], error)
            return None
        return Calibrated(bundle.manifest.labels, bundle.reference)

    return reference_of


def _again(stop: threading.Event, what: str, *chores: Callable[[], object], pause_s: float = PAUSE_S) -> None:
    """Do the chores again and again; what fails is said once and tried again, and does not keep the others waiting."""
    said = dict.fromkeys(range(len(chores)), "")
    while not stop.is_set():
        for number, chore in enumerate(chores):
            try:
                chore()
                said[number] = ""
            except (RetryableError, ConfigurationError) as error:
                if said[number] != str(error):
                    _log.warning("%s: %s", what, error)
                said[number] = str(error)
        stop.wait(pause_s)
