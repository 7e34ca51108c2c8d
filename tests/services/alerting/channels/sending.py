"""A message as the outbox holds it, and a free port."""

import socket
import time
from collections.abc import Callable
from typing import Any

from services.alerting.channels.channel import Message


def message(event: str = "alert.opened", **parts: Any) -> Message:
    body: dict[str, Any] = {
        "event": event,
        "alert_id": 7,
        "fingerprint": "f" * 64,
        "inspection_id": "i" * 64,
        "job_id": None,
        "rule": "pattern",
        "pattern": "Ring",
        "product": "P1",
        "step": "ETCH",
        "tool": 'T"9]',
        "severity": "critical",
        "state": "open",
        "disposition": None,
        "title": "Ring · P1 · ETCH\r\nBcc: eve@example.org",
        "action": "Stop the tool.",
        "count": 12,
        "first_seen": "2026-03-01T12:00:00+00:00",
        "last_seen": "2026-03-01T12:30:00+00:00",
        "raised_at": "2026-03-01T12:30:00+00:00",
    }
    return Message("e" * 64, body | parts)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
