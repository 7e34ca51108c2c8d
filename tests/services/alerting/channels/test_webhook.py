"""The webhook against a real server on this machine."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.alerting.channels.channel import Message
from services.alerting.channels.posting import Poster
from services.alerting.channels.webhook import SIGNATURE, Webhook

MESSAGE = Message("e" * 64, {"title": "Scratch", "count": 1})


class Receiver(ThreadingHTTPServer):
    """Answers as told and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 204
        self.headers: dict[str, str] = {}
        self.answer: Callable[[], None] = lambda: None
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.server.answer()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def webhook(receiver: Receiver) -> Iterator[Webhook]:
    poster = Poster(receiver.url, private=True, timeout_s=0.5)
    hook = Webhook("webhook", poster, "secret", clock=lambda: 1_770_000_000.9)
    yield hook
    poster.close()


def test_the_receiver_can_tell_it_is_us_and_what_it_knows(webhook: Webhook, receiver: Receiver) -> None:
    webhook.send(MESSAGE)
    ((path, headers, body),) = receiver.got
    assert path == "/hook"
    assert json.loads(body) == MESSAGE.body
    assert headers["Idempotency-Key"] == MESSAGE.event_id
    expected = hmac.new(b"secret", b"1770000000." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"t=1770000000,v1={expected}"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_later_means_later(webhook: Webhook, receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(RetryableError, match=str(status)):
        webhook.send(MESSAGE)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_no_means_no(webhook: Webhook, receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(InputError, match=str(status)):
        webhook.send(MESSAGE)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(webhook: Webhook, receiver: Receiver, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.server_port}/inside"}
    with pytest.raises(InputError, match="webhook refused"):
        webhook.send(MESSAGE)
    assert len(receiver.got) == 1


def test_a_receiver_that_does_not_answer_is_left(webhook: Webhook, receiver: Receiver) -> None:
    free = threading.Event()
    receiver.answer = lambda: free.wait(10) and None
    with pytest.raises(RetryableError, match="ReadTimeout"):
        webhook.send(MESSAGE)
    free.set()


def test_nobody_there(webhook: Webhook, receiver: Receiver) -> None:
    receiver.shutdown()
    receiver.server_close()
    with pytest.raises(RetryableError, match="ConnectError"):
        webhook.send(MESSAGE)
    receiver.__init__()  # type: ignore[misc]  # for the fixture's end


def test_this_machine_is_refused_unless_allowed(receiver: Receiver) -> None:
    poster = Poster(receiver.url, private=False)
    hook = Webhook("webhook", poster, "secret")
    with pytest.raises(ConfigurationError, match="not public"):
        hook.send(MESSAGE)
    assert receiver.got == []
    poster.close()


def test_the_address_that_was_checked_is_the_one_connected_to(receiver: Receiver) -> None:
    """The name resolves to a public address when checked and would resolve to this machine when asked again."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[object]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    poster = Poster(f"http://hook.example:{receiver.server_port}/x", private=True, lookup=rebinding)  # type: ignore[arg-type]
    hook = Webhook("webhook", poster, "secret")
    hook.send(MESSAGE)
    assert asked == ["hook.example"]
    ((_, headers, _),) = receiver.got
    assert headers["Host"] == f"hook.example:{receiver.server_port}"
    poster.close()


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///etc/passwd", "hook"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Poster(url, private=False)
