"""One POST over HTTP: to the address that was checked, without redirects, with the answer told as ours.

No proxy and no .netrc from the environment: they could lead elsewhere, or give credentials away.
"""

from collections.abc import Mapping

import httpx

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.alerting.channels.addresses import Lookup, look_up, safe_address

TRY_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 that do not mean the message is wrong."""


class Poster:
    """Posts to one URL."""

    def __init__(
        self,
        url: str,
        *,
        private: bool,
        timeout_s: float = 10.0,
        lookup: Lookup = look_up,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: http(s) address of the receiver.
            private: True allows receivers inside the plant.
            timeout_s: of connecting and of each read and write, seconds.
            lookup: name look-up, replaced in tests.
            transport: replaced in tests.

        Raises:
            ConfigurationError: not an http(s) URL with a host.
        """
        self._url = httpx.URL(url)
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise ConfigurationError(
                "bad URL of a channel", where="channels", expected="http(s)://host/path", got=self._url.scheme
            )
        self._private, self._lookup = private, lookup
        self._client = httpx.Client(
            timeout=timeout_s, follow_redirects=False, trust_env=False, transport=transport, max_redirects=0
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send JSON.

        Raises:
            RetryableError: unreachable, too slow, or the receiver says later.
            InputError: the receiver refuses the message for good, or wants to send us elsewhere.
            ConfigurationError: it leads to an address that is not public.
        """
        url = self._url
        port = url.port or (443 if url.scheme == "https" else 80)
        address = safe_address(url.host, port, private=self._private, lookup=self._lookup)
        request = self._client.build_request(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers={
                "Host": url.netloc.decode(),
                "Content-Type": "application/json",
                "User-Agent": "waferwatch",
                **headers,
            },
            extensions={"sni_hostname": url.host},  # the certificate must be the name's, not the address's
        )
        try:
            # Streamed: the answer's body is not read, however long a hostile receiver makes it.
            answer = self._client.send(request, stream=True)
        except httpx.TransportError as error:
            raise RetryableError(
                "webhook unreachable", where=url.host, got=type(error).__name__, code="webhook-unreachable"
            ) from error
        answer.close()
        _judge(answer.status_code, url.host)

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def _judge(status: int, host: str) -> None:
    if 200 <= status < 300:
        return
    if status >= 500 or status in TRY_AGAIN:
        raise RetryableError("webhook says later", where=host, got=f"HTTP {status}", code="webhook-busy")
    remedy = "set the final address" if 300 <= status < 400 else "look at the receiver's log"
    raise InputError(
        "webhook refused", where=host, expected="HTTP 2xx", got=f"HTTP {status}", remedy=remedy, code="webhook-refused"
    )
