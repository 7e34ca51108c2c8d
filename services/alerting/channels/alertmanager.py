"""Alerts to a Prometheus Alertmanager (API v2), for plants that route everything through one.

One alert there is one alert here, closed when it is closed here. Alertmanager forgets what is not sent again, so an
open alert carries an end far ahead; what is open longer appears again with its next repeat.
"""

import json
from datetime import datetime, timedelta

from services.alerting.channels.channel import Message
from services.alerting.channels.posting import Poster
from services.alerting.channels.wording import headline

REMEMBERED = timedelta(days=30)
_LABELS = ("rule", "pattern", "product", "step", "tool", "severity")


class Alertmanager:
    """One Alertmanager."""

    def __init__(self, name: str, poster: Poster, *, base_url: str = "") -> None:
        """Prepare; nothing is sent yet.

        Args:
            name: of the channel.
            poster: to `…/api/v2/alerts`.
            base_url: where the dashboard is, for the link back.
        """
        self.name = name
        self._poster, self._base_url = poster, base_url.rstrip("/")

    def send(self, message: Message) -> None:
        """Say that an alert is firing, or that it is over.

        Raises:
            RetryableError: unreachable or busy.
            InputError: refused.
            ConfigurationError: it leads to an address that is not public.
        """
        body = message.body
        at = datetime.fromisoformat(body["raised_at"])
        labels = {name: str(body[name]) for name in _LABELS if body[name] is not None}
        alert = {
            "labels": {"alertname": "waferwatch", "alert": str(body["alert_id"]), **labels},
            "annotations": {
                "summary": headline(body),
                "description": body["action"],
                "count": str(body["count"]),
                "event": body["event"],
            },
            "startsAt": body["first_seen"],
            "endsAt": (at if body["event"] == "alert.closed" else at + REMEMBERED).isoformat(),
            "generatorURL": f"{self._base_url}/alerts/{body['alert_id']}" if self._base_url else "",
        }
        self._poster.post(json.dumps([alert]).encode(), {})
