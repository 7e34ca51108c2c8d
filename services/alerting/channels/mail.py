"""Alerts by mail (SMTP, RFC 5321), over TLS where the server can."""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from models.domain.errors import InputError, RetryableError
from services.alerting.channels.channel import Message
from services.alerting.channels.wording import headline, paragraphs


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out.

    Attributes:
        host, port: of the server.
        tls: 'none', 'starttls', or 'tls' from the first byte on.
        user, password: None = no login.
        ca_file: certificates to trust instead of the system's.
        timeout_s: of connecting and of each answer, seconds.
    """

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout_s: float = 10.0


class Mail:
    """One list of receivers."""

    def __init__(
        self,
        name: str,
        server: MailServer,
        *,
        sender: str,
        to: Sequence[str],
        tell_closed: bool = False,
        base_url: str = "",
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            name: of the channel.
            server: where mail goes out.
            sender: From address.
            to: receivers.
            tell_closed: whether people hear of the end as well.
            base_url: where the dashboard is, for the link.
        """
        self.name = name
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._tell_closed, self._base_url = tell_closed, base_url

    def send(self, message: Message) -> None:
        """Hand the mail to the server.

        Raises:
            RetryableError: unreachable, busy, or the login is refused now.
            InputError: the server refuses this mail for good.
        """
        if message.body["event"] == "alert.closed" and not self._tell_closed:
            return
        server = self._server
        try:
            with self._connect() as connection:
                if server.user is not None:
                    connection.login(server.user, server.password or "")
                connection.send_message(self._mail(message))
        except smtplib.SMTPRecipientsRefused as error:
            code = min(code for code, _ in error.recipients.values())
            raise self._refused(code, "receivers refused") from error
        except smtplib.SMTPResponseException as error:
            is_login = isinstance(error, smtplib.SMTPAuthenticationError)
            raise self._refused(400 if is_login else error.smtp_code, type(error).__name__) from error
        except (OSError, smtplib.SMTPException) as error:
            raise RetryableError(
                "mail server unreachable", where=server.host, got=type(error).__name__, code="mail-unreachable"
            ) from error

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context(cafile=server.ca_file)
        if server.tls == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
        connection = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        if server.tls == "starttls":
            try:
                connection.starttls(context=context)
            except (OSError, smtplib.SMTPException):
                connection.close()
                raise
        return connection

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = f"[{message.body['severity']}] {headline(message.body)}"
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._to)
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message.event_id[:40]}@waferwatch>"  # the same at every try: readers show it once
        mail["X-Waferwatch-Alert"] = str(message.body["alert_id"])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(paragraphs(message.body, self._base_url))
        return mail

    def _refused(self, code: int, what: str) -> InputError | RetryableError:
        kind = RetryableError if code < 500 else InputError
        return kind(f"mail: {what}", where=self._server.host, got=f"SMTP {code}", code="mail-refused")
