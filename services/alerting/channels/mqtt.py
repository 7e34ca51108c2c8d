"""Alerts to an MQTT broker (3.1.1, quality of service 1: the broker has acknowledged each). Extra: `waferwatch[mqtt]`.

Topic: `<prefix>/<severity>/<rule>`. The payload is the message as JSON; its `event_id` is the same at every try.
"""

import json
import re
import threading
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from models.domain.errors import RetryableError
from services.alerting.channels.channel import Message


@dataclass(frozen=True, slots=True)
class Broker:
    """Where messages go.

    Attributes:
        host, port: of the broker.
        tls: whether the connection is encrypted.
        user, password: None = no login.
        ca_file: certificates to trust instead of the system's.
        timeout_s: of connecting and of the broker's acknowledgement, seconds.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout_s: float = 10.0


class Mqtt:
    """One broker and prefix."""

    def __init__(self, name: str, broker: Broker, *, prefix: str = "waferwatch") -> None:
        """Prepare; nothing is sent yet.

        Args:
            name: of the channel.
            broker: where messages go.
            prefix: first part of the topic.
        """
        self.name = name
        self._broker, self._prefix = broker, prefix.strip("/")

    def send(self, message: Message) -> None:
        """Publish, and wait for the broker's acknowledgement. A connection each: alerts are few.

        Raises:
            RetryableError: unreachable, refused, or not acknowledged.
        """
        broker = self._broker
        client = paho.Client(CallbackAPIVersion.VERSION2)
        refused: list[str] = []
        connected = threading.Event()

        def on_connect(_client: object, _data: object, _flags: object, reason: object, _properties: object) -> None:
            if str(reason) != "Success":
                refused.append(str(reason))
            connected.set()

        client.on_connect = on_connect
        if broker.tls:
            client.tls_set(ca_certs=broker.ca_file)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        payload = json.dumps({"event_id": message.event_id, **message.body}, sort_keys=True)
        try:
            client.connect(broker.host, broker.port, keepalive=30)
            client.loop_start()
            if not connected.wait(broker.timeout_s) or refused:
                raise self._trouble(refused[0] if refused else "no answer")
            sent = client.publish(self._topic(message), payload, qos=1)
            sent.wait_for_publish(broker.timeout_s)
            if not sent.is_published():
                raise self._trouble("no acknowledgement")
        except (OSError, ValueError, RuntimeError) as error:
            raise self._trouble(type(error).__name__) from error
        finally:
            client.disconnect()
            client.loop_stop()

    def _topic(self, message: Message) -> str:
        parts = (message.body["severity"], message.body["rule"])
        return "/".join([self._prefix, *(re.sub(r"[^\w-]", "_", str(part)) for part in parts)])

    def _trouble(self, got: str) -> RetryableError:
        where = f"{self._broker.host}:{self._broker.port}"
        return RetryableError("MQTT broker did not take the message", where=where, got=got, code="mqtt-unreachable")
