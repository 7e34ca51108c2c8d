"""The parent's side of the decoding child: start it, ask it, time it out, kill it, use it again.

The child is a fresh interpreter (not a fork: torch and Ray have threads) with a clean environment. It is handed open
files, never names, and answers with plain arrays. If it crashes, burns its time or runs out of memory, the input is
refused with code `decoder-crashed`; nothing of that reaches this process. What is not the file's fault is not blamed
on it: a child that does not start is a broken installation, one that gets no processor is to be tried again.
"""

import atexit
import contextlib
import functools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.domain.errors import ConfigurationError, InputError, RetryableError, WaferwatchError
from pipelines.decoding.wire import Reply, raise_error, receive, send
from pipelines.ingestion.limits import Limits

_ROOT = Path(__file__).resolve().parents[2]
_BOOT = """
import sys, json
sys.path[:0] = json.loads(sys.argv[1])
from pipelines.decoding.child import main
main(int(sys.argv[2]), json.loads(sys.argv[3]))
"""
_ENVIRONMENT = {
    # No secrets, no proxies, no locale surprises; one thread each, so that the address space stays small.
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
_log = logging.getLogger(__name__)
_KEEP_WARM = 2
_START_SECONDS = 120.0
"""A busy machine may take long to start an interpreter."""
_REQUESTS_PER_CHILD = 2000
"""After that many requests a child is replaced: leaks of decoders stay small."""


class Decoder:
    """One child process."""

    def __init__(self, limits: Limits) -> None:
        """Start the child; it takes about 0.2 s until it is ready, and this does not wait for it."""
        self.memory_bytes = limits.decoder_memory_bytes
        self.requests = 0
        self._waiting = False
        self._ready = False
        self._used = 0.0
        self._pid = os.getpid()
        self._channel, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _BOOT,
                    json.dumps([str(_ROOT), *(path for path in sys.path if path)]),
                    str(number),
                    json.dumps({"memory_bytes": limits.decoder_memory_bytes}),
                ],
                pass_fds=(number,),
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def usable(self) -> bool:
        """True if it can be asked again from this process."""
        alive = self._pid == os.getpid() and self._process.poll() is None
        return alive and not self._waiting and self.requests < _REQUESTS_PER_CHILD

    def ask(
        self,
        task: str,
        file: Path,
        arguments: Mapping[str, Any],
        *,
        where: str,
        seconds: float,
        memory: int | None = None,
    ) -> Iterator[Reply]:
        """Send a request at once, and give its replies as they come; one request at a time.

        The child is killed if it does not answer in time, if it talks nonsense, and if the caller stops early.

        Args:
            task: one of the tasks of `pipelines.decoding.child`.
            file: what to decode.
            arguments: of the task, plain JSON values.
            where: name of the file for messages.
            seconds: for each reply, by the clock.
            memory: descriptor of shared memory for the answer, if the task wants it.

        Raises:
            InputError: the file cannot be decoded; code `decoder-crashed` if that broke the child.
            UnsafeInputError: it asks for more than the limits allow.
        """
        self.requests += 1
        try:
            stream = file.open("rb")
        except OSError as error:
            raise InputError("file is gone", where=where, got=str(error), code="no-such-file") from error
        self._waiting = True
        with stream:
            self._await_start()
            self._used = self._processor_seconds()
            try:
                self._channel.settimeout(seconds)
                files = [stream.fileno()] if memory is None else [stream.fileno(), memory]
                socket.send_fds(self._channel, [b"F"], files)
                send(self._channel, {"task": task, "arguments": dict(arguments), "seconds": seconds})
            except OSError as error:
                crash = self._crash(where)
                self.close()
                raise crash from error
        return self._replies(where, seconds)

    def _replies(self, where: str, seconds: float) -> Iterator[Reply]:
        try:
            while True:
                frame = receive(self._channel)
                if frame is None:
                    raise self._crash(where)
                header, arrays = frame
                if "error" in header or header.get("last"):
                    self._waiting = False
                if "error" in header:
                    raise_error(header["error"], where)
                if header.get("last"):
                    return
                yield Reply(header.get("meta", {}), arrays)
        except TimeoutError as error:
            raise self._late(where, seconds) from error
        except (ConnectionError, BrokenPipeError, ValueError, KeyError, TypeError) as error:
            raise self._crash(where) from error
        finally:
            if self._waiting:
                self.close()

    def _await_start(self) -> None:
        """Wait for the child's first word.

        Raises:
            ConfigurationError: it ended before that.
            RetryableError: it did not come to it.
        """
        if self._ready:
            return
        self._channel.settimeout(_START_SECONDS)
        try:
            word = receive(self._channel)
            self._ready = word is not None
            if word is not None and not word[0].get("confined"):
                _say_unconfined()
        except TimeoutError as error:
            self.close()
            raise RetryableError(
                "decoder did not start", expected=f"a word within {_START_SECONDS:g} s", code="decoder-starved"
            ) from error
        except OSError:
            self._ready = False
        if not self._ready:
            self.close()
            raise ConfigurationError(
                "decoder does not start",
                where=sys.executable,
                got=f"exit status {self._process.returncode}",
                remedy="run `python -c 'import pipelines.decoding.child'` to see why",
            )

    def _late(self, where: str, seconds: float) -> WaferwatchError:
        """The complaint that no answer came: about the file if the child was busy with it, else about the machine."""
        worked = self._processor_seconds() - self._used
        if worked < seconds / 2:
            return RetryableError(
                "decoder got no processor",
                where=where,
                expected=f"an answer within {seconds:g} s",
                got=f"{worked:.1f} s of work",
                remedy="the machine is too busy; try again",
                code="decoder-starved",
            )
        return InputError(
            "decoder did not answer",
            where=where,
            expected=f"an answer within {seconds:g} s",
            remedy="the file is broken or made to exhaust the service",
            code="decoder-crashed",
        )

    def _processor_seconds(self) -> float:
        """Used by the child so far; by the clock where the system does not say, so that the file is to blame."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _crash(self, where: str) -> InputError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.poll()
        names = {-s.value: f"signal {s.name}" for s in signal.Signals}
        return InputError(
            "decoder crashed",
            where=where,
            got="an answer that is not ours" if code is None else names.get(code, f"exit status {code}"),
            remedy="the file is broken or made to break decoders",
            code="decoder-crashed",
        )

    def close(self) -> None:
        """End the child."""
        self._channel.close()
        if self._pid == os.getpid():
            self._process.kill()
            self._process.wait()


@functools.cache
def _say_unconfined() -> None:
    """Once for each process."""
    _log.warning("decoders could reach the network: this system does not filter system calls (seccomp)")


_idle: list[Decoder] = []
_lock = threading.Lock()


@contextlib.contextmanager
def decoder(limits: Limits) -> Iterator[Decoder]:
    """A warm child where there is one, else a new one; afterwards it is kept warm for the next."""
    chosen = None
    with _lock:
        for candidate in list(_idle):
            if candidate.memory_bytes == limits.decoder_memory_bytes:
                _idle.remove(candidate)
                chosen = candidate
                break
    if chosen is None or not chosen.usable:
        if chosen is not None:
            chosen.close()
        chosen = Decoder(limits)
    try:
        yield chosen
    finally:
        with _lock:
            keep = chosen.usable and len(_idle) < _KEEP_WARM
            if keep:
                _idle.append(chosen)
        if not keep:
            chosen.close()


def decode(task: str, file: Path, arguments: Mapping[str, Any], *, where: str, limits: Limits) -> Iterator[Reply]:
    """Ask a warm child (see `Decoder.ask`)."""
    with decoder(limits) as child:
        yield from child.ask(task, file, arguments, where=where, seconds=limits.decoder_seconds)


def close_all() -> None:
    """End the children kept warm; they end by themselves when this process does."""
    with _lock:
        idle, _idle[:] = list(_idle), []
    for child in idle:
        child.close()


atexit.register(close_all)
