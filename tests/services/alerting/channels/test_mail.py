"""Mail against a real SMTP server (aiosmtpd) on loopback."""

import email
import email.policy
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from models.domain.errors import InputError, RetryableError
from services.alerting.channels.mail import Mail, MailServer
from tests.services.alerting.channels.sending import free_port, message


class Receiver:
    """Keeps mails; answers what it is told to answer."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, int]]:
    handler = Receiver()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, controller.port
    controller.stop()


def mail(port: int, **options: Any) -> Mail:
    server = MailServer("127.0.0.1", port, "none", timeout_s=5)
    return Mail("mail", server, sender="ww@fab.example", to=["a@fab.example", "b@fab.example"], **options)


def test_people_read_what_happened_and_what_to_do(receiver: tuple[Receiver, int]) -> None:
    handler, port = receiver
    mail(port, base_url="https://ww.fab.example/").send(message())
    (got,) = handler.mails
    assert got["Subject"] == "[critical] Ring · P1 · ETCH  Bcc: eve@example.org", "a title cannot add a header"
    assert got["Bcc"] is None
    assert got["To"] == "a@fab.example, b@fab.example"
    assert got["Message-ID"] == f"<{'e' * 40}@waferwatch>"
    text = got.get_content()
    assert "Stop the tool." in text
    assert "https://ww.fab.example/alerts/7" in text


def test_the_end_is_told_where_somebody_wants_it(receiver: tuple[Receiver, int]) -> None:
    handler, port = receiver
    closed = message("alert.closed", state="resolved", disposition="tool fixed")
    mail(port).send(closed)
    assert handler.mails == []
    mail(port, tell_closed=True).send(closed)
    assert handler.mails[0]["Subject"].startswith("[critical] Closed: ")


@pytest.mark.parametrize(
    ("answer", "error"), [("451 later", RetryableError), ("550 never", InputError), ("552 too big", InputError)]
)
def test_later_is_not_never(receiver: tuple[Receiver, int], answer: str, error: type[Exception]) -> None:
    handler, port = receiver
    handler.answer = answer
    with pytest.raises(error, match=answer[:3]):
        mail(port).send(message())


def test_nobody_there() -> None:
    with pytest.raises(RetryableError, match="unreachable"):
        mail(free_port()).send(message())


def test_what_must_be_encrypted_is_not_sent_in_the_clear(receiver: tuple[Receiver, int]) -> None:
    handler, port = receiver
    server = MailServer("127.0.0.1", port, "starttls", timeout_s=5)
    with pytest.raises((RetryableError, InputError)):
        Mail("mail", server, sender="ww@fab.example", to=["a@fab.example"]).send(message())
    assert handler.mails == []
