"""The child's side: set limits, then do one task after another until the parent closes the channel."""

# ruff: noqa: PLC0415 - a child that unpacks archives shall not load what decodes images

import math
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from models.domain.errors import InputError, UnsafeInputError, WaferwatchError
from pipelines.decoding.confinement import confine
from pipelines.decoding.wire import Reply, error_header, receive, send

Task = Callable[[int, Mapping[str, Any]], Iterator[Reply]]


def main(channel_number: int, settings: Mapping[str, Any]) -> None:
    """Serve requests until the parent closes the channel.

    Args:
        channel_number: file descriptor of the socket.
        settings: `memory_bytes`.
    """
    memory = int(settings["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # Not one byte may be written to any file, and no core dump of somebody's wafers is left behind.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    confined = confine()
    with socket.socket(fileno=channel_number) as channel:
        send(channel, {"ready": True, "confined": confined})
        while (request := _next(channel)) is not None:
            files, header = request
            try:
                _serve(channel, files[0], header)
            finally:
                for file in files:
                    os.close(file)


def _next(channel: socket.socket) -> tuple[list[int], dict[str, Any]] | None:
    """Open files and what to do with them; None when the parent is gone.

    The second one, if there is one, is memory for the answer; the task's arguments name it.
    """
    _, files, _, _ = socket.recv_fds(channel, 1, 2)
    frame = receive(channel) if files else None
    if frame is None:
        return None
    header, _ = frame
    if len(files) > 1:
        header["arguments"]["memory"] = files[1]
    return files, header


def _serve(channel: socket.socket, file: int, header: Mapping[str, Any]) -> None:
    try:
        _allow_seconds(float(header["seconds"]))
        for reply in _task(str(header["task"]))(file, header["arguments"]):
            send(channel, {"meta": dict(reply.meta)}, reply.arrays)
            _allow_seconds(float(header["seconds"]))
        answer: dict[str, Any] = {"last": True}
    except WaferwatchError as error:
        answer = error_header(error)
    except MemoryError:
        answer = error_header(
            UnsafeInputError(
                "decoding needs too much memory", remedy="raise the limit if the file is sound", code="decoder-memory"
            )
        )
    send(channel, answer)


def _allow_seconds(seconds: float) -> None:
    """So much more CPU time from now; the kernel ends the child after that."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(usage.ru_utime + usage.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _task(name: str) -> Task:  # noqa: PLR0911 - one line per task
    """The task of this name; each imports its decoder when it is first asked for."""
    match name:
        case "gunzip":
            from pipelines.decoding.archives import gunzip

            return gunzip
        case "unzip":
            from pipelines.decoding.archives import unzip

            return unzip
        case "npz":
            from pipelines.decoding.arrays import npz

            return npz
        case "parquet-schema":
            from pipelines.decoding.parquet import schema

            return schema
        case "parquet-rows":
            from pipelines.decoding.parquet import rows

            return rows
        case "pickle":
            from pipelines.decoding.pickles import frame

            return frame
        case "raster-open":
            from pipelines.decoding.raster import describe

            return describe
        case "raster-read":
            from pipelines.decoding.raster import read

            return read
    raise InputError("no such task", got=name)
