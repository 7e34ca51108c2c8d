"""Drawings of captures, made once from the spooled file and kept on disk: the second look costs no parsing.

The cache may be deleted at any time. Several processes may share it: files appear whole or not at all, and are named by
content, so none is ever out of date.
"""

import contextlib
import logging
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from models.domain.errors import RetryableError
from pipelines.ingestion import CaptureReader
from services.api.drawing import FORMAT, Drawing, draw


class Opener(Protocol):
    """`pipelines.ingestion.open_captures` with the installation's options."""

    def __call__(self, path: Path, /, *, sha256: str | None = None) -> Iterator[CaptureReader]:
        """Readers of all captures of a file, which is not hashed again if its hash is known."""


_KEPT_IN_MEMORY = 8
_READERS_KEPT = 2
_PRUNE_EVERY = 64
_NEIGHBOURS = 64
"""A cassette's wafers are looked at together: they are drawn while their file is open anyway."""
_log = logging.getLogger(__name__)


class DrawingStore:
    """Gives the drawing of any recorded capture."""

    def __init__(self, spool: Path, cache: Path, opener: Opener, *, limit_bytes: int = 2 << 30) -> None:
        """Use the spool's files; nothing is read yet.

        Args:
            spool: folder of accepted files, named by their hash.
            cache: folder of drawings, made if need be.
            opener: opens all captures of a file.
            limit_bytes: the oldest drawings are removed beyond this.
        """
        self._spool, self._cache, self._opener = spool, cache, opener
        self._limit_bytes = limit_bytes
        self._memory: OrderedDict[str, Drawing] = OrderedDict()
        self._readers: OrderedDict[str, CaptureReader] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._made = 0

    def get(self, capture_id: str, sha256: str) -> Drawing:
        """The drawing of one capture of a file; whoever asks while it is made waits for it.

        Raises:
            RetryableError: the file is not on this machine (yet).
        """
        with self._lock:
            if capture_id in self._memory:
                self._memory.move_to_end(capture_id)
                return self._memory[capture_id]
            making = self._making.setdefault(sha256, threading.Lock())
        try:
            with making:
                drawing = self._cached(capture_id) or self._make(capture_id, sha256)
        finally:
            with self._lock:
                self._making.pop(sha256, None)
        self._remember(capture_id, drawing)
        return drawing

    def reader(self, capture_id: str, sha256: str) -> CaptureReader:
        """The capture, opened anew: for parts of images, which are read at their place only.

        Raises:
            RetryableError: the file is not on this machine (yet).
        """
        for reader in self._opener(self.source(sha256), sha256=sha256):
            if reader.capture.id == capture_id:
                return reader
        raise RetryableError("the file does not hold this capture", where=sha256, expected=capture_id)

    def wafer(self, capture_id: str, sha256: str) -> CaptureReader:
        """The same for wafers, whose last few are kept: a person asks for one defect after the other.

        Raises:
            RetryableError: the file is not on this machine (yet).
        """
        with self._lock:
            known = self._readers.get(capture_id)
        reader = known or self.reader(capture_id, sha256)
        with self._lock:
            self._readers[capture_id] = reader
            self._readers.move_to_end(capture_id)
            while len(self._readers) > _READERS_KEPT:
                self._readers.popitem(last=False)
        return reader

    def open(self, path: Path) -> Iterator[CaptureReader]:
        """Readers of the captures of any file, with this installation's limits."""
        return self._opener(path)

    def capture_ids(self, sha256: str) -> list[str]:
        """Ids of all captures of a file, in its order.

        Raises:
            RetryableError: the file is not on this machine (yet).
        """
        return [reader.capture.id for reader in self._opener(self.source(sha256), sha256=sha256)]

    def source(self, sha256: str) -> Path:
        """The file itself.

        Raises:
            RetryableError: it is not on this machine (yet).
        """
        source = self._spool / sha256
        if not source.is_file():
            raise RetryableError(
                "the file of this capture is not here",
                where=sha256,
                expected=f"a file in {self._spool}",
                remedy="mount the spool that the inspectors use, or restore it",
                code="no-source-file",
            )
        return source

    def _remember(self, capture_id: str, drawing: Drawing) -> None:
        with self._lock:
            self._memory[capture_id] = drawing
            self._memory.move_to_end(capture_id)
            while len(self._memory) > _KEPT_IN_MEMORY:
                self._memory.popitem(last=False)

    def _path(self, capture_id: str) -> Path:
        return self._cache / f"{capture_id}.v{FORMAT}.npz"

    def _cached(self, capture_id: str) -> Drawing | None:
        try:
            return Drawing.load(self._path(capture_id).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:  # damaged, or of another time: made anew
            return None

    def _make(self, capture_id: str, sha256: str) -> Drawing:
        source = self.source(sha256)
        found = None
        for ordinal, reader in enumerate(self._opener(source, sha256=sha256)):
            wanted = reader.capture.id == capture_id
            if not wanted and ordinal >= _NEIGHBOURS:
                if found is not None:
                    break
                continue
            drawing = draw(reader)
            self._keep(reader.capture.id, drawing)
            found = drawing if wanted else found
        if found is None:
            raise RetryableError("the file does not hold this capture", where=sha256, expected=capture_id)
        return found

    def _keep(self, capture_id: str, drawing: Drawing) -> None:
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=self._cache)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(drawing.dump())
            Path(partial).rename(self._path(capture_id))
        except OSError as error:  # a full disk costs speed, not the page
            Path(partial).unlink(missing_ok=True)
            _log.warning("drawing of %s is not kept: %s", capture_id, error)
            return
        self._made += 1
        if self._made % _PRUNE_EVERY == 1:
            self._prune()

    def _prune(self) -> None:
        files = []
        for path in self._cache.glob("*.npz"):
            with contextlib.suppress(FileNotFoundError):  # another process prunes too
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size
