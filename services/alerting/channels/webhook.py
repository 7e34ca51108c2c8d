"""Alerts over HTTP, signed.

The receiver verifies `Waferwatch-Signature: t=<unix seconds>,v1=<hex>`: HMAC-SHA256 with the shared secret over
`<t>.<body>`; it refuses old `t` (replays) and drops an `Idempotency-Key` it has seen.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable

from services.alerting.channels.channel import Message
from services.alerting.channels.posting import Poster

SIGNATURE = "Waferwatch-Signature"


class Webhook:
    """One receiver."""

    def __init__(self, name: str, poster: Poster, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is sent yet.

        Args:
            name: of the channel.
            poster: to the receiver.
            secret: shared key of the signature.
            clock: for the signature, replaced in tests.
        """
        self.name = name
        self._poster, self._secret, self._clock = poster, secret.encode(), clock

    def send(self, message: Message) -> None:
        """POST the message.

        Raises:
            RetryableError: unreachable, too slow, or the receiver says later.
            InputError: the receiver refuses the message for good, or wants to send us elsewhere.
            ConfigurationError: it leads to an address that is not public.
        """
        body = json.dumps(message.body, sort_keys=True).encode()
        signature = sign(self._secret, int(self._clock()), body)
        self._poster.post(body, {"Idempotency-Key": message.event_id, SIGNATURE: signature})


def sign(secret: bytes, moment: int, body: bytes) -> str:
    """Value of the signature header."""
    digest = hmac.new(secret, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
