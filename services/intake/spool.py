"""The spool: accepted bytes under their hash, on disk for good before anybody is told that we have them.

    copy to spool/tmp.<uuid> while hashing → fsync(file) → rename to spool/<sha256> → fsync(spool)

A rename makes the file appear whole or not at all; the second fsync makes the rename itself survive a power cut.
"""

import contextlib
import errno
import hashlib
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.domain.errors import ConfigurationError, InputError, RetryableError, UnsafeInputError
from services.exhaustion import exhaustion_in

CHUNK = 1 << 20
_TEMPORARY = "tmp."
_OUTLIVED_S = 3600.0
"""A temporary file nobody wrote to for this long belongs to a process that died."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells one state of a file from another without reading it.

    `ctime_ns` cannot be set by programs: without it a file sent again with its old time preserved, and given the inode
    that the first one left, would pass for the one that was taken already.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Signature":
        """From a stat."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class Spooled:
    """Bytes in the spool. `signature` is of the file they were copied from, None for a stream."""

    sha256: str
    size: int
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder of files named by their hashes. All its users must be on file systems that see the same folder.

    Attributes:
        folder: made when first used; not on a network file system without durable renames.
        limit_bytes: largest file.
    """

    folder: Path
    limit_bytes: int

    def path(self, sha256: str) -> Path:
        """Where the bytes with this hash are.

        Raises:
            InputError: that is not a hash.
        """
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise InputError("not a SHA-256", got=sha256[:80], expected="64 hex digits")
        return self.folder / sha256

    def copy(self, source: Path) -> Spooled:
        """Take in a file that lies somewhere else; it is not changed.

        Raises:
            FileNotFoundError: it is gone.
            InputError: it is not a regular file (symbolic links are not followed).
            UnsafeInputError: it is too big.
            RetryableError: it changed while it was read, or the disk or something else ran out.
            ConfigurationError: it may not be read.
        """
        with _opened(source) as stream:
            before = Signature.of(os.fstat(stream.fileno()))
            self._check_size(before.size, str(source))
            spooled = self.store(stream, str(source))
            # Of the open file and of the name: it may have been written to, or replaced by another.
            if {Signature.of(os.fstat(stream.fileno())), _signature_of_name(source)} != {before}:
                raise RetryableError("file changed while it was read", where=str(source), code="file-changing")
        return Spooled(spooled.sha256, spooled.size, before)

    def store(self, stream: BinaryIO, name: str) -> Spooled:
        """Take in a stream, such as an upload, to its end.

        Args:
            stream: read from where it stands.
            name: for messages.

        Raises:
            UnsafeInputError: it is too big.
            ExhaustedError: the disk is full, or something else ran out.
        """
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(self.folder.parent)
        temporary = self.folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            digest, size = self._write(stream, temporary, name)
            temporary.rename(self.folder / digest)
        except OSError as error:
            if exhausted := exhaustion_in(error, str(self.folder)):
                raise exhausted from error
            raise
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self.folder)
        return Spooled(digest, size)

    def sweep(self) -> int:
        """Remove what processes left behind that died while copying; returns how many files. Call it at start."""
        if not self.folder.is_dir():
            return 0
        removed = 0
        for entry in self.folder.glob(f"{_TEMPORARY}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > _OUTLIVED_S:
                    entry.unlink()
                    removed += 1
        return removed

    def _write(self, stream: BinaryIO, temporary: Path, name: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with temporary.open("xb", buffering=0) as target:
            temporary.chmod(0o600)
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                self._check_size(size, name)
                digest.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[target.write(view) :]
            os.fsync(target.fileno())
        return digest.hexdigest(), size

    def _check_size(self, size: int, name: str) -> None:
        if size > self.limit_bytes:
            raise UnsafeInputError(
                "file is too big",
                where=name,
                expected=f"at most {self.limit_bytes} bytes",
                got=f"{size} or more",
                remedy="raise WAFERWATCH_FILE_LIMIT_BYTES if such files are meant",
                code="too-big",
            )


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    """A regular file, opened without following a link and without waiting at a pipe."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise ConfigurationError(
            "file may not be read", where=str(source), remedy="give the service's user read access", code="no-access"
        ) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError("symbolic links are not followed", where=str(source), code="not-a-file") from error
        if error.errno == errno.ENXIO:
            raise InputError("not a regular file", where=str(source), code="not-a-file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError("not a regular file", where=str(source), code="not-a-file")
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as stream:
            yield stream
    finally:
        os.close(handle)


def _signature_of_name(source: Path) -> Signature | None:
    try:
        return Signature.of(os.lstat(source))
    except FileNotFoundError:
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
