"""A SECS/GEM host over loopback: it gets S5F1 and S6F11, and its acknowledgement is what counts."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

pytest.importorskip("secsgem")

import secsgem.common
import secsgem.gem
import secsgem.hsms

from models.domain.errors import RetryableError
from services.alerting.channels.secs import HostLink, Secs
from tests.services.alerting.channels.sending import free_port, message

pytestmark = pytest.mark.slow


class Host:
    """A factory host that keeps what it is told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.alarms: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        settings = secsgem.hsms.HsmsSettings(
            address="127.0.0.1",
            port=port,
            connect_mode=secsgem.hsms.HsmsConnectMode.ACTIVE,
            session_id=0,
            device_type=secsgem.common.DeviceType.HOST,
        )
        self.handler = secsgem.gem.GemHostHandler(settings)
        self.handler.register_stream_function(5, 1, self._alarm)
        self.handler.register_stream_function(6, 11, self._event)

    def arrive(self) -> None:
        """Connect as soon as somebody listens: the library forgets a socket with every try that fails."""

        def wait() -> None:
            while not any(
                one.status == psutil.CONN_LISTEN and one.laddr.port == self.port
                for one in psutil.net_connections("tcp4")
            ):
                time.sleep(0.05)
            self.handler.enable()

        self._arriving = threading.Thread(target=wait, daemon=True)
        self._arriving.start()

    def leave(self) -> None:
        """Hang up."""
        self._arriving.join(60)
        self.handler.disable()

    def _alarm(self, handler: Any, packet: Any) -> Any:
        self.alarms.append(handler.settings.streams_functions.decode(packet).get())
        return handler.stream_function(5, 2)(0)

    def _event(self, handler: Any, packet: Any) -> Any:
        self.events.append(handler.settings.streams_functions.decode(packet).get())
        return handler.stream_function(6, 12)(0)


@pytest.fixture
def pair() -> Iterator[tuple[Host, Secs]]:
    port = free_port()
    channel = Secs("host", HostLink("passive", "127.0.0.1", port, timeout_s=20))
    host = Host(port)
    host.arrive()
    yield host, channel
    host.leave()
    channel.close()


def test_set_and_cleared(pair: tuple[Host, Secs]) -> None:
    host, channel = pair
    channel.send(message())
    channel.send(message("alert.closed", state="resolved"))
    codes = [
        int.from_bytes(one["ALCD"], "big") if isinstance(one["ALCD"], bytes) else one["ALCD"] for one in host.alarms
    ]
    assert codes == [0x86, 0x06], "bit 8 says that it is set"
    assert {one["ALID"] for one in host.alarms} == {7}
    assert host.alarms[0]["ALTX"].startswith("Ring ? P1 ? ETCH")
    assert host.events[0]["CEID"] == 5001
    assert "Ring" in host.events[0]["RPT"][0]["V"]


def test_its_process_may_die(pair: tuple[Host, Secs]) -> None:
    host, channel = pair
    channel.send(message())
    assert channel._process is not None
    assert channel._process.pid is not None
    host.leave()
    os.kill(channel._process.pid, signal.SIGKILL)
    channel._process.join()
    host.arrive()
    channel.send(message("alert.repeated"))
    assert len(host.alarms) == 2


def test_nobody_there() -> None:
    channel = Secs("host", HostLink("passive", "127.0.0.1", free_port(), timeout_s=1))
    with pytest.raises(RetryableError, match="does not communicate"):
        channel.send(message())
    assert channel._process is None, "it starts anew with the next try"
