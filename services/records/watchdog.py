"""The client's own clock on PostgreSQL calls: a stopped server, or a network that swallows packets, would end none.

The server's `statement_timeout` ends statements that are slow; it cannot end the wait for a server that does not run.
"""

from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from sqlalchemy import Engine, event

Result = TypeVar("Result")
PING_SHARE = 1 / 3
"""Of the patience with a call: finding out that a pooled connection is dead leaves time to make a new one."""
_LOOK_S = 0.1


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that is cut when the server does not answer in time.

    Attributes:
        patience_s: with each statement, seconds; None waits for ever (migrations).
    """

    patience_s: float | None = None

    def wait(self, gen: PQGen[Result], interval: float = _LOOK_S, timeout: float | None = None) -> Result:
        """Wait for the server, as every statement does.

        Raises:
            psycopg.OperationalError: it did not answer in time; what became of the statement is unknown.
        """
        patience = self.patience_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, patience)
        except psycopg.errors._WaitTimeout as error:  # an OperationalError without a public name
            self.pgconn.finish()  # a later answer would be taken for the next statement's
            raise psycopg.OperationalError(f"no answer within {patience:g} s") from error


def watch(engine: Engine, patience_s: float) -> None:
    """Let all connections of an engine be watched ones; the ping at the door is less patient than what follows."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> WatchedConnection:
        connection = WatchedConnection.connect(*arguments, **named)
        connection.patience_s = patience_s
        return connection

    @event.listens_for(engine, "checkin")
    def _rest(connection: WatchedConnection | None, _record: Any) -> None:
        if connection is not None:
            connection.patience_s = patience_s * PING_SHARE

    @event.listens_for(engine, "checkout")
    def _work(connection: WatchedConnection, _record: Any, _fairy: Any) -> None:
        connection.patience_s = patience_s
