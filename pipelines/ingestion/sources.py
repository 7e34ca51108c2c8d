"""Where files come from: local paths and object stores, all as local files with a size and a hash.

Remote files are copied to a temporary file first: decoders get an open local file and never a network.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from models.domain.errors import ConfigurationError, InputError, RetryableError, UnsafeInputError
from pipelines.ingestion.limits import MIB, Limits

SCHEMES = ("file", "s3", "gs", "az")
"""Of URIs we follow. No http: a file that makes the service fetch addresses is an attack."""
_EXTRA = {"s3": "s3", "gs": "gcs", "az": "azure"}


class Spool:
    """A temporary file that is removed when nobody refers to it any more."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="waferwatch-")
        os.close(handle)
        self.path = Path(name)
        self._finalizer = weakref.finalize(self, _remove, self.path)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular local file.

    Attributes:
        name: what people call it: the URI given, `archive.zip/member` for a member of an archive.
        path: where its bytes are.
        size: in bytes.
        sha256: of its content, hex; for compressed files of what is inside, so that a wafer sent plain and sent
            compressed is the same wafer.
        spool: keeps a temporary copy alive.
    """

    name: str
    path: Path
    size: int
    sha256: str
    spool: Spool | None = field(default=None, repr=False)

    @property
    def short_name(self) -> str:
        """The last part of the name; with the archive where it is a member of one."""
        return Path(self.name).name


def fetch(
    uri: str | Path, limits: Limits, storage: Mapping[str, Any] | None = None, sha256: str | None = None
) -> SourceFile:
    """Make a file local.

    Args:
        uri: local path, `file://`, `s3://`, `gs://` or `az://`.
        limits: `file_bytes` counts.
        storage: options for fsspec, such as `endpoint_url`; credentials come from the environment.
        sha256: of a local file's content, if it is known; None = hash it.

    Raises:
        InputError: there is no such file, or it is a directory or device.
        UnsafeInputError: too big, or a scheme we do not follow.
        RetryableError: the object store does not answer.
        ConfigurationError: the optional package for this store is not installed, or access is denied.
    """
    text = str(uri)
    scheme, separator, rest = text.partition("://")
    if not separator or isinstance(uri, Path):
        return local_file(Path(text), limits, sha256)
    if "::" in text or scheme not in SCHEMES:
        raise UnsafeInputError(
            "cannot read from there", where=text, expected=" | ".join(f"{known}://" for known in SCHEMES), got=scheme
        )
    if scheme == "file":
        return local_file(Path("/" + rest.lstrip("/")), limits, sha256)
    return _download(text, scheme, limits, storage or {})


def local_file(path: Path, limits: Limits, sha256: str | None = None) -> SourceFile:
    """A local file, checked, and hashed if its hash is not known.

    Raises:
        InputError: no such regular file.
        UnsafeInputError: bigger than `limits.file_bytes`.
        ConfigurationError: it may not be read.
    """
    try:
        # Without blocking, or opening a pipe somebody put into the watch folder would wait for its writer for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError("no such file", where=str(path), remedy="check the path", code="no-such-file") from error
    except PermissionError as error:
        raise ConfigurationError("file may not be read", where=str(path), remedy="grant read access") from error
    except OSError as error:
        raise InputError("cannot open file", where=str(path), got=str(error), code="no-such-file") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise InputError("not a file", where=str(path), expected="a regular file", code="no-such-file")
    with os.fdopen(handle, "rb") as stream:
        _check_size(status.st_size, limits.file_bytes, str(path))
        digest = sha256 or hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(str(path), path, status.st_size, digest)


def spooled(name: str, chunks: Iterable[bytes | memoryview], check: Callable[[int], None]) -> SourceFile:
    """Keep a stream of bytes as a temporary file.

    Args:
        name: what people call it.
        chunks: the content.
        check: is given the bytes so far before they are written; raises to refuse more.
    """
    spool, digest, size = Spool(), hashlib.sha256(), 0
    with spool.path.open("wb") as target:
        for chunk in chunks:
            size += len(chunk)
            check(size)
            digest.update(chunk)
            target.write(chunk)
    return SourceFile(name, spool.path, size, digest.hexdigest(), spool)


def _check_size(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise UnsafeInputError(
            "file is too big",
            where=name,
            expected=f"at most {limit} bytes",
            got=f"{size}",
            remedy="raise the limit if this is meant",
            code="too-big",
        )


def _download(uri: str, scheme: str, limits: Limits, storage: Mapping[str, Any]) -> SourceFile:
    def chunks() -> Iterable[bytes]:
        try:
            with fsspec.open(uri, "rb", **storage) as remote:
                while chunk := remote.read(4 * MIB):
                    yield chunk
        except FileNotFoundError as error:
            raise InputError("no such file", where=uri, remedy="check the URI", code="no-such-file") from error
        except PermissionError as error:
            raise ConfigurationError(
                "object store denies access", where=uri, remedy="check the credentials in the environment"
            ) from error
        except (ImportError, ValueError) as error:
            raise ConfigurationError(
                "cannot speak to this object store",
                where=uri,
                got=str(error),
                remedy=f"pip install 'waferwatch[{_EXTRA[scheme]}]'",
            ) from error
        except Exception as error:
            if "Credentials" in type(error).__name__:
                raise ConfigurationError(
                    "no credentials for this object store",
                    where=uri,
                    got=str(error),
                    remedy="set them in the environment",
                ) from error
            raise RetryableError("object store does not answer", where=uri, got=str(error)) from error

    return spooled(uri, chunks(), lambda size: _check_size(size, limits.file_bytes, uri))
