"""Clients that connect and say nothing, say it too slowly, or do not take the answer: uvicorn would wait for ever.

Bodies that stall are ended by `services.api.guards.BodyGuard`; connections that rest between requests by uvicorn's own
keep-alive timeout.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_log = logging.getLogger(__name__)


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 with an end to waiting: 408 to a head half said, hanging up on silence and on answers left lying.

    Attributes:
        head_s: how long a request's head may take, from the connection or the answer before it on, seconds.
        taking_s: how often is looked whether the client takes what it asked for, seconds.
        slowest_bytes_s: how fast it must do that, bytes per second.
    """

    head_s = 10.0
    taking_s = 30.0
    slowest_bytes_s = 4096.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there: their request must follow."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a head or a body."""
        self._heard = True
        super().data_received(data)
        self._await_head()

    def on_response_complete(self) -> None:
        """An answer was written: the next head may come."""
        self._heard = False
        super().on_response_complete()
        self._await_head()

    def pause_writing(self) -> None:
        """More is written than the client takes at once."""
        super().pause_writing()
        left = self.transport.get_write_buffer_size()
        self._taking = self.loop.call_later(self.taking_s, self._look_whether_it_takes, left)

    def resume_writing(self) -> None:
        """It took nearly all of it."""
        _cancel(self._taking)
        self._taking = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        _cancel(self._head)
        _cancel(self._taking)
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Have an alarm set while no request is under way, and none while one is."""
        if self.cycle is not None and not self.cycle.response_complete:
            _cancel(self._head)
            self._head = None
        elif self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self.head_s, self._hang_up)

    def _hang_up(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            if self._heard:
                self.transport.write(_LATE)
            self.transport.close()

    def _look_whether_it_takes(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if before - left >= self.slowest_bytes_s * self.taking_s:
            self._taking = self.loop.call_later(self.taking_s, self._look_whether_it_takes, left)
            return
        _log.warning("a client does not take its answer; %d bytes of it are dropped", left)
        self.transport.abort()  # closing would wait until it took the rest


def _cancel(alarm: asyncio.TimerHandle | None) -> None:
    if alarm is not None:
        alarm.cancel()
