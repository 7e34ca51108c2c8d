"""A network that misbehaves: a small TCP proxy in front of PostgreSQL that loses, delays, swallows or resets."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, make_url


class Proxy:
    """Between a client and a server.

    Attributes:
        delay_s: each piece waits this long, both ways.
        is_black: what is sent is swallowed; connections are accepted and nobody answers.
        lose_commit: number of the COMMIT, counted from 0, whose acknowledgement is lost; None = none.
        commits: how many passed.
    """

    def __init__(self, target: URL) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0
        self.is_black = False
        self.lose_commit: int | None = None
        self.commits = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.start_server(self._meet, "127.0.0.1", 0)  # there: a browser test's loop may own this thread
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(10)

    @property
    def url(self) -> str:
        """The database, seen through the proxy."""
        port = self._server.sockets[0].getsockname()[1]
        through = self._target.difference_update_query(["host"]).set(host="127.0.0.1", port=port)
        return through.render_as_string(hide_password=False)

    def reset(self, after_s: float = 0.0) -> None:
        """Cut every connection there is then."""
        self._loop.call_soon_threadsafe(self._loop.call_later, after_s, self._cut)

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            self._cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            behind_reader, behind = await self._connect()
            self._writers.add(behind)
            is_lost = asyncio.Event()
            await asyncio.gather(
                self._pump(reader, behind, is_lost, to_server=True),
                self._pump(behind_reader, writer, is_lost, to_server=False),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        folder = self._target.query.get("host")
        if folder is not None:
            return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._target.host, self._target.port or 5432)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: asyncio.Event, *, to_server: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.is_black:
                    continue
                if to_server and b"COMMIT\0" in piece:
                    if self.commits == self.lose_commit:
                        is_lost.set()
                    self.commits += 1
                elif not to_server and is_lost.is_set():
                    break  # the server did it and says so: nobody hears it
                writer.write(piece)
                await writer.drain()
        for one in (writer, *self._writers) if is_lost.is_set() else (writer,):
            one.transport.abort()


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """The proxy in front of a PostgreSQL database."""
    proxy = Proxy(make_url(url))
    try:
        yield proxy
    finally:
        proxy.close()
