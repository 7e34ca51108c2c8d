"""Alerts as syslog lines: RFC 5424 over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

Syslog has no answer: a line that the network took counts as sent. Take TCP or TLS where a lost one matters.
"""

import os
import re
import socket
import ssl
from datetime import UTC, datetime
from typing import Literal

from models.domain.errors import RetryableError
from services.alerting.channels.channel import Message
from services.alerting.channels.wording import headline

Transport = Literal["udp", "tcp", "tls"]
SEVERITIES = {"critical": 2, "warning": 4, "info": 6}
"""RFC 5424, table 2: critical, warning, informational."""
_ID = "waferwatch@32473"
"""SD-ID; 32473 is the number IANA keeps for examples (RFC 5612): we have none of our own."""
_MOST_BYTES = 2048
"""Receivers should take so many (RFC 5426); longer lines are cut."""
_ESCAPED = re.compile(r'(["\\\]])')


class Syslog:
    """One receiver."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        transport: Transport = "udp",
        facility: int = 16,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            name: of the channel.
            host: of the receiver.
            port: 514 by custom, 6514 for TLS.
            transport: how.
            facility: 16 to 23 are local use 0 to 7.
            ca_file: certificates to trust instead of the system's.
            timeout_s: of connecting and writing, seconds.
        """
        self.name = name
        self._address, self._transport, self._facility = (host, port), transport, facility
        self._ca_file, self._timeout_s = ca_file, timeout_s

    def send(self, message: Message) -> None:
        """Write one line.

        Raises:
            RetryableError: unreachable.
        """
        line = self.line(message)
        try:
            if self._transport == "udp":
                family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
                with socket.socket(family, kind, protocol) as connection:
                    connection.sendto(line, address)
                return
            with socket.create_connection(self._address, timeout=self._timeout_s) as plain:
                if self._transport == "tcp":
                    plain.sendall(b"%d %s" % (len(line), line))
                    return
                context = ssl.create_default_context(cafile=self._ca_file)
                with context.wrap_socket(plain, server_hostname=self._address[0]) as secure:
                    secure.sendall(b"%d %s" % (len(line), line))
        except OSError as error:
            where = f"{self._address[0]}:{self._address[1]}"
            raise RetryableError(
                "syslog unreachable", where=where, got=type(error).__name__, code="syslog-unreachable"
            ) from error

    def line(self, message: Message) -> bytes:
        """The line of a message, UTF-8 with BOM before the text as RFC 5424 wants it."""
        body = message.body
        priority = self._facility * 8 + SEVERITIES.get(body["severity"], 5)
        named = {
            "event": body["event"],
            "id": message.event_id[:32],
            "alert": body["alert_id"],
            "rule": body["rule"],
            "pattern": body["pattern"],
            "product": body["product"],
            "step": body["step"],
            "tool": body["tool"],
            "count": body["count"],
        }
        data = " ".join(f'{name}="{_escaped(value)}"' for name, value in named.items() if value is not None)
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"<{priority}>1 {moment} {_host()} waferwatch {os.getpid()} {body['event']} [{_ID} {data}] "
        return (head.encode() + b"\xef\xbb\xbf" + headline(body).encode())[:_MOST_BYTES]


def _escaped(value: object) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in str(value))[:200]
    return _ESCAPED.sub(r"\\\1", printable)


def _host() -> str:
    name = re.sub(r"[^\x21-\x7e]", "", socket.gethostname())
    return name[:255] or "-"
