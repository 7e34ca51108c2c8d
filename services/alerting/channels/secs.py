"""Alerts to a factory host by SECS/GEM: S5F1 (alarm set or cleared) and S6F11 (event). Extra: `waferwatch[secsgem]`.

The protocol runs in a process of its own (`secs_process`): its library keeps threads and a listening port, and if it
hangs or dies the messages of this channel wait while everything else goes on.
"""

import contextlib
import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Literal

from models.domain.errors import InputError, RetryableError
from services.alerting.channels.channel import Message
from services.alerting.channels.secs_process import READY, serve
from services.alerting.channels.wording import headline

ALARM_CODES = {"critical": 6, "warning": 5, "info": 7}
"""SEMI E5, ALCD: 6 = irrecoverable error, 5 = attention flags, 7 = data integrity; bit 8 says that it is set."""
IS_SET = 0x80
START_S = 60.0
"""A new Python process on a busy machine."""


@dataclass(frozen=True, slots=True)
class HostLink:
    """How the host is reached (HSMS, SEMI E37).

    Attributes:
        mode: 'passive' waits for the host to connect, 'active' connects to it.
        address, port: to listen on, or to connect to.
        session_id: the device id that the host knows us by.
        event_id: CEID of the events.
        timeout_s: for the host to be there and to answer, seconds.
    """

    mode: Literal["passive", "active"]
    address: str
    port: int
    session_id: int = 0
    event_id: int = 5001
    timeout_s: float = 20.0


class Secs:
    """One factory host."""

    def __init__(self, name: str, link: HostLink) -> None:
        """Prepare; the process starts with the first message."""
        self.name = name
        self._link = link
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def send(self, message: Message) -> None:
        """Report to the host and wait for its acknowledgement.

        Raises:
            RetryableError: the host is not there or does not answer.
            InputError: the host refuses the report.
        """
        body = message.body
        is_set = body["event"] != "alert.closed"
        report = {
            "alarm_code": ALARM_CODES.get(body["severity"], 5) | (IS_SET if is_set else 0),
            "alarm_id": body["alert_id"],
            "text": headline(body).encode("ascii", "replace").decode()[:120],  # E5: 120 characters
            "values": [str(body[name] or "") for name in ("event", "rule", "pattern", "product", "step", "tool")],
        }
        try:
            pipe = self._started()
            pipe.send(report)
            answer = pipe.recv() if pipe.poll(self._link.timeout_s * 2) else "no answer from our own process"
        except (OSError, EOFError) as error:
            answer = type(error).__name__
        if answer == "accepted":
            return
        if answer == "refused":
            raise InputError("factory host refused the report", where=self._where, code="secs-refused")
        self.close()  # whatever hangs there starts anew with the next try
        raise RetryableError("factory host not reached", where=self._where, got=str(answer), code="secs-unreachable")

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._process = self._pipe = None

    def _started(self) -> Connection:
        if self._process is None or not self._process.is_alive() or self._pipe is None:
            with contextlib.suppress(OSError):
                self.close()
            context = multiprocessing.get_context("spawn")  # nothing of this process: no database, no secrets
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs, self._link), name="secs", daemon=True)
            self._process.start()
            theirs.close()
            if not self._pipe.poll(START_S) or self._pipe.recv() != READY:
                raise OSError("our own process did not start")
        return self._pipe

    @property
    def _where(self) -> str:
        return f"{self._link.address}:{self._link.port}"
