"""What the registry holds, for pages: asked in a thread of its own, so that a dead one costs a page seconds at most.

The last answer is kept, and shown with the complaint while the registry is away.
"""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from models.domain.errors import RetryableError, WaferwatchError
from pipelines import registry
from pipelines.registry import Opened, Version

FRESH_S = 2.0
"""An answer this old is as good as a new one."""
PATIENCE_S = 8.0
"""The first question loads MLflow, which takes seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the registry.

    Attributes:
        versions: the newest first; those of the last answer if it is away now.
        as_of: when that answer came; None = there was none yet.
        complaint: why there is no newer one, '' if there is nothing to complain.
    """

    versions: tuple[Version, ...]
    as_of: datetime | None
    complaint: str = ""

    def holder(self, alias: str) -> Version | None:
        """The version that holds an alias."""
        return next((one for one in self.versions if alias in one.aliases), None)


class Models(Protocol):
    """The versions of this installation's model.

    Attributes:
        name: registered model.
        alias: that this installation follows.
    """

    name: str
    alias: str

    def look(self) -> Look:
        """The versions, or the last known ones with what is wrong."""

    def open(self, number: str) -> Opened:
        """A version's manifest and card.

        Raises:
            RetryableError: the registry does not answer (in time).
        """

    def promote(self, number: str, seen: str | None) -> None:
        """Let this installation follow another version; see `pipelines.registry.promote`."""


class ModelShelf:
    """Models as MLflow has them."""

    def __init__(self, name: str, uri: str, alias: str) -> None:
        """Nothing is asked yet.

        Args:
            name: registered model.
            uri: of MLflow.
            alias: that this installation follows.
        """
        self.name, self.alias = name, alias
        self._uri = uri
        self._lock = threading.Lock()
        self._asking: Future[tuple[Version, ...]] | None = None
        self._thread = ThreadPoolExecutor(1, "registry")
        self._last, self._came = Look((), None), 0.0
        self._opened: dict[str, Opened] = {}

    def look(self) -> Look:
        """As the protocol says."""
        with self._lock:
            if self._last.as_of is not None and time.monotonic() - self._came < FRESH_S:
                return self._last
            if self._asking is None or self._asking.done():
                self._asking = self._thread.submit(registry.versions, self.name, self._uri)
            asking = self._asking
        try:
            found = asking.result(PATIENCE_S)
        except NotYet:
            return Look(self._last.versions, self._last.as_of, f"the registry did not answer within {PATIENCE_S:.0f} s")
        except WaferwatchError as error:
            return Look(self._last.versions, self._last.as_of, str(error))
        with self._lock:
            self._last, self._came = Look(found, datetime.now(UTC)), time.monotonic()
            return self._last

    def open(self, number: str) -> Opened:
        """As the protocol says; they never change, so each is fetched once."""
        if number not in self._opened:
            try:
                self._opened[number] = self._thread.submit(registry.opened, self.name, number, self._uri).result(
                    PATIENCE_S
                )
            except NotYet as error:
                raise RetryableError("the registry did not answer in time", where=f"version {number}") from error
        return self._opened[number]

    def promote(self, number: str, seen: str | None) -> None:
        """As the protocol says."""
        registry.promote(self.name, number, self._uri, alias=self.alias, seen=seen)
        with self._lock:
            self._came = 0.0
