"""The real mosquitto broker: acknowledged means that subscribers get it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt")

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from models.domain.errors import RetryableError
from services.alerting.channels.mqtt import Broker, Mqtt
from tests.services.alerting.channels.sending import answers, free_port, message, wait_until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A broker that wants a login."""
    if MOSQUITTO is None:
        pytest.skip("no mosquitto (Debian package mosquitto)")
    port = free_port()
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "ww", "secret"], check=True)
    (tmp_path / "users").chmod(0o644)
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {tmp_path}/users\nuser root\n"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([MOSQUITTO, "-c", tmp_path / "mosquitto.conf"], stdout=log, stderr=log)
        wait_until(lambda: answers(port))
        yield port
        process.terminate()
        process.wait()


def test_subscribers_get_it(port: int) -> None:
    got: list[tuple[str, bytes]] = []
    subscriber = paho.Client(CallbackAPIVersion.VERSION2)
    subscriber.username_pw_set("ww", "secret")
    subscribed: list[bool] = []
    subscriber.on_message = lambda _client, _data, one: got.append((one.topic, one.payload))
    subscriber.on_subscribe = lambda *_: subscribed.append(True)
    subscriber.connect("127.0.0.1", port)
    subscriber.loop_start()
    subscriber.subscribe("fab1/#", qos=1)
    wait_until(lambda: subscribed)
    Mqtt("bus", Broker("127.0.0.1", port, user="ww", password="secret"), prefix="fab1/").send(message(rule="a/#"))
    wait_until(lambda: got)
    subscriber.disconnect()
    subscriber.loop_stop()
    ((topic, payload),) = got
    assert topic == "fab1/critical/a__"
    assert json.loads(payload)["event_id"] == "e" * 64


def test_a_refused_login_is_tried_again(port: int) -> None:
    with pytest.raises(RetryableError, match=r"(?i)not authori[sz]ed"):
        Mqtt("bus", Broker("127.0.0.1", port, user="ww", password="wrong", timeout_s=5)).send(message())


def test_nobody_there() -> None:
    with pytest.raises(RetryableError):
        Mqtt("bus", Broker("127.0.0.1", free_port(), timeout_s=2)).send(message())
