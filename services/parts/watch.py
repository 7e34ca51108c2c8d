"""The folder watcher."""

from services.intake.disposal import Disposal
from services.intake.looking import Names, owners_of
from services.intake.origins import Origins
from services.intake.watching import Watcher, WatchPolicy
from services.parts.shared import alert_policy, lay_foundation, stop_on_signals
from services.settings import Settings
from services.telemetry.metrics import Metrics


def run_watch(settings: Settings) -> None:
    """Watch until SIGTERM."""
    foundation = lay_foundation(settings)
    policy = WatchPolicy(
        names=Names(settings.watch_include, settings.watch_exclude),
        owners=owners_of(settings.watch_owners),
        deadline_s=settings.watch_deadline_s,
        disposal=Disposal(settings.afterwards, settings.done_dir),
        origins=Origins(priorities=settings.watch_priorities),
        quota=settings.quota_files,
        alerting=alert_policy(settings),
    )
    watcher = Watcher(
        settings.watch_dir,
        foundation.database,
        foundation.spool,
        policy,
        route=lambda: settings.route,
        arrived=Metrics().arrived,
    )
    watcher.run(stop_on_signals(), settings.watch_every_s)
