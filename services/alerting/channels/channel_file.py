"""The channels of an installation: one YAML file that WAFERWATCH_CHANNELS names; `deploy/channels.yaml` is an example.

Secrets are not in it: it says which file or environment variable holds each.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from models.domain.errors import ConfigurationError
from services.alerting.channels.alertmanager import Alertmanager
from services.alerting.channels.channel import Channel
from services.alerting.channels.mail import Mail, MailServer
from services.alerting.channels.posting import Poster
from services.alerting.channels.syslog_lines import Syslog, Transport
from services.alerting.channels.webhook import Webhook
from services.alerting.rule_kinds import Part

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=120)]


class Secret(Part):
    """Where a secret is: a file (as container platforms mount it) or an environment variable."""

    file: Path | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError("name either a file or an env")
        return self

    def read(self) -> str:
        """The secret.

        Raises:
            ConfigurationError: it is not there; the message holds no secret.
        """
        if self.env is not None:
            found = os.environ.get(self.env, "")
        else:
            assert self.file is not None
            try:
                found = self.file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigurationError(
                    "cannot read a secret", where=str(self.file), got=type(error).__name__
                ) from error
        if not found:
            raise ConfigurationError("secret is empty", where=self.env or str(self.file))
        return found


class ChannelPart(Part):
    """What every channel says.

    Attributes:
        name: rules tell it by this name; it stands in the outbox.
        default: True = hears of every alert whose rule names no channels; False = only where it is named.
        timeout_s: how long one try may wait for the receiver, seconds.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    default: bool = True
    timeout_s: Seconds = 10.0


class WebhookPart(ChannelPart):
    """Signed HTTP; `private` allows receivers inside the plant."""

    kind: Literal["webhook"]
    url: str
    secret: Secret
    private: bool = False

    def open(self, base_url: str) -> Channel:  # noqa: ARG002 - receivers know where we are
        """Ready to send."""
        return Webhook(self.name, Poster(self.url, private=self.private, timeout_s=self.timeout_s), self.secret.read())


class MailPart(ChannelPart):
    """SMTP."""

    kind: Literal["mail"]
    host: str
    port: Port = 25
    tls: Literal["none", "starttls", "tls"] = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca_file: str | None = None
    sender: str
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    tell_closed: bool = False

    def open(self, base_url: str) -> Channel:
        """Ready to send."""
        password = None if self.password is None else self.password.read()
        server = MailServer(self.host, self.port, self.tls, self.user, password, self.ca_file, self.timeout_s)
        return Mail(self.name, server, sender=self.sender, to=self.to, tell_closed=self.tell_closed, base_url=base_url)


class SyslogPart(ChannelPart):
    """RFC 5424."""

    kind: Literal["syslog"]
    host: str
    port: Port = 514
    transport: Transport = "udp"
    facility: Annotated[int, Field(ge=0, le=23)] = 16
    ca_file: str | None = None

    def open(self, base_url: str) -> Channel:  # noqa: ARG002 - lines hold no links
        """Ready to send."""
        return Syslog(
            self.name,
            self.host,
            self.port,
            transport=self.transport,
            facility=self.facility,
            ca_file=self.ca_file,
            timeout_s=self.timeout_s,
        )


class AlertmanagerPart(ChannelPart):
    """Prometheus Alertmanager; `url` is its base, such as http://alertmanager:9093."""

    kind: Literal["alertmanager"]
    url: str
    private: bool = False

    def open(self, base_url: str) -> Channel:
        """Ready to send."""
        poster = Poster(f"{self.url.rstrip('/')}/api/v2/alerts", private=self.private, timeout_s=self.timeout_s)
        return Alertmanager(self.name, poster, base_url=base_url)


class MqttPart(ChannelPart):
    """MQTT broker."""

    kind: Literal["mqtt"]
    host: str
    port: Port = 1883
    tls: bool = False
    user: str | None = None
    password: Secret | None = None
    ca_file: str | None = None
    prefix: Annotated[str, Field(pattern=r"^[^#+\s]+$")] = "waferwatch"

    def open(self, base_url: str) -> Channel:  # noqa: ARG002 - payloads hold no links
        """Ready to send."""
        try:
            from services.alerting.channels.mqtt import Broker, Mqtt  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _extra_missing(self.name, "mqtt") from error
        password = None if self.password is None else self.password.read()
        broker = Broker(self.host, self.port, self.tls, self.user, password, self.ca_file, self.timeout_s)
        return Mqtt(self.name, broker, prefix=self.prefix)


class SecsPart(ChannelPart):
    """SECS/GEM host (HSMS)."""

    kind: Literal["secs"]
    mode: Literal["passive", "active"] = "passive"
    address: str = "127.0.0.1"
    port: Port = 5000
    session_id: Annotated[int, Field(ge=0, le=32767)] = 0
    event_id: Annotated[int, Field(ge=1)] = 5001

    def open(self, base_url: str) -> Channel:  # noqa: ARG002 - reports hold no links
        """Ready to send."""
        import importlib.util  # noqa: PLC0415

        from services.alerting.channels.secs import HostLink, Secs  # noqa: PLC0415

        if importlib.util.find_spec("secsgem") is None:
            raise _extra_missing(self.name, "secsgem")
        link = HostLink(self.mode, self.address, self.port, self.session_id, self.event_id, self.timeout_s)
        return Secs(self.name, link)


class ChannelFile(Part):
    """All channels."""

    version: Literal[1] = 1
    channels: tuple[
        Annotated[
            WebhookPart | MailPart | SyslogPart | AlertmanagerPart | MqttPart | SecsPart, Field(discriminator="kind")
        ],
        ...,
    ] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.channels]
        if len(set(names)) != len(names):
            raise ValueError("channels of the same name")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every channel."""
        return tuple(one.name for one in self.channels)

    @property
    def defaults(self) -> tuple[str, ...]:
        """Those that hear of everything."""
        return tuple(one.name for one in self.channels if one.default)

    def open(self, base_url: str = "") -> tuple[Channel, ...]:
        """Every channel, ready to send.

        Raises:
            ConfigurationError: a secret is missing, a URL is none, or an extra is not installed.
        """
        return tuple(one.open(base_url) for one in self.channels)

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read the file; without one there are no channels.

        Raises:
            ConfigurationError: no such file, not YAML, or not channels; says which key.
        """
        if path is None:
            return cls()
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError("cannot read channels", where=str(path), got=str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                "bad channels",
                where=f"{path}: {key}",
                expected=first["msg"],
                remedy="correct the file; deploy/channels.yaml is a working one",
            ) from error


def _extra_missing(name: str, extra: str) -> ConfigurationError:
    return ConfigurationError(
        "channel needs an extra that is not installed", where=name, remedy=f"install waferwatch[{extra}]"
    )
