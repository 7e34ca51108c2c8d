"""Row 23: receivers that answer 500, not at all, or lead to an internal address keep the good ones from nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select

from models.domain.alert import Alert, Fingerprint, Severity
from services.alerting.channels.posting import Poster
from services.alerting.channels.webhook import Webhook
from services.alerting.occurrences import raise_alerts
from services.alerting.relay import relay_once
from services.jobs import LeasePolicy
from services.records.session import Database, now
from services.records.tables import OutboxRow
from tests.services.making import sha

MESSAGES = 10
POLICY = LeasePolicy(lease_s=30, max_attempts=12, backoff_s=0.5, backoff_limit_s=60)


class Receiver(ThreadingHTTPServer):
    """Answers as it is told and counts."""

    daemon_threads = True

    def __init__(self, status: int, location: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.location, self.keys, self.free = status, location, list[str](), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        if not self.server.status:
            self.server.free.wait(60)
            return
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    yield receiver
    receiver.free.set()
    receiver.shutdown()
    receiver.server_close()


@pytest.mark.faults
@pytest.mark.parametrize("one_after_the_other", [False, True], ids=["threads", "planted mutant: one loop for all"])
def test_bad_receivers_keep_nobody_waiting(database: Database, *, one_after_the_other: bool) -> None:
    with ExitStack() as stack:
        inside, good = stack.enter_context(running(Receiver(200))), stack.enter_context(running(Receiver(200)))
        broken, silent = stack.enter_context(running(Receiver(500))), stack.enter_context(running(Receiver(0)))
        astray = stack.enter_context(running(Receiver(302, inside.url)))
        named = {"broken": broken, "silent": silent, "astray": astray, "good": good}
        hooks = {
            name: Webhook(name, Poster(one.url, private=True, timeout_s=2), "secret") for name, one in named.items()
        }
        for number in range(MESSAGES):
            fingerprint = Fingerprint("pattern", "Ring", tool=f"T{number}")
            alert = Alert(fingerprint, sha(f"{number}"), Severity.WARNING, "Ring", "Look.")
            with database.write() as session:
                raise_alerts(session, [alert], at=now(session), channels=list(named))
        stop, began = threading.Event(), time.monotonic()

        def relay(*names: str) -> None:
            while not stop.is_set():
                if not relay_once(database, [hooks[name] for name in names], POLICY):
                    stop.wait(0.1)

        groups = [tuple(named)] if one_after_the_other else [(name,) for name in named]
        threads = [threading.Thread(target=relay, args=group) for group in groups]
        for thread in threads:
            thread.start()
        while len(set(good.keys)) < MESSAGES and time.monotonic() - began < 60:
            time.sleep(0.05)
        waited = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        if one_after_the_other:
            assert waited > 2 * (MESSAGES - 1), "the mutant waits for the silent one at every message"
            return
        assert sorted(good.keys) == sorted(set(good.keys)), "each once"
        assert len(good.keys) == MESSAGES
        assert waited < 2 * (MESSAGES - 1), f"the silent receiver alone costs {2 * MESSAGES} s"
        assert inside.keys == [], "nobody is sent to an internal address"
    with database.read() as session:
        rows = session.scalars(select(OutboxRow)).all()
    by_channel = {name: [row for row in rows if row.channel == name] for name in named}
    assert all(row.sent_at is not None for row in by_channel["good"])
    assert all(row.sent_at is None for name in ("broken", "silent", "astray") for row in by_channel[name])
    refused = [row for row in by_channel["astray"] if row.attempts]
    assert refused
    assert all(row.failed_at is not None and "302" in (row.error or "") for row in refused)
    tried = [row for name in ("broken", "silent") for row in by_channel[name] if row.attempts]
    assert tried
    for row in tried:
        assert row.failed_at is None
        assert row.not_before >= row.created_at + timedelta(seconds=0.4), "tried again later, not at once"
