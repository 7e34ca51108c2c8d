"""Tasks of the child: what is inside gzip files and zip archives, counted while it comes out."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from models.domain.errors import InputError, RetryableError, UnsafeInputError
from pipelines.decoding.wire import Reply

_CHUNK = 4 << 20
_GZIP = 31
"""zlib's number for "expect a gzip header"."""


def gunzip(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """Content of a gzip file in chunks.

    Args:
        file: open file descriptor.
        arguments: `limit`, bytes that may come out.

    Raises:
        RetryableError: the file ends too early.
        UnsafeInputError: more than the limit comes out.
        InputError: the stream is broken.
    """
    limit, total = int(arguments["limit"]), 0
    with os.fdopen(os.dup(file), "rb") as stream:
        inflater, pending = zlib.decompressobj(_GZIP), stream.read(_CHUNK)
        while True:
            try:
                chunk = inflater.decompress(pending, _CHUNK)
            except zlib.error as error:
                raise InputError("broken gzip file", got=str(error), code="broken-archive") from error
            total += len(chunk)
            if total > limit:
                raise _bomb(limit)
            if chunk:
                yield _chunk(chunk)
            pending = inflater.unconsumed_tail
            if inflater.eof:
                # Several gzip streams may follow each other, and tapes pad with zeros.
                pending = inflater.unused_data.lstrip(b"\0")
                while not pending and (more := stream.read(_CHUNK)):
                    pending = more.lstrip(b"\0")
                if not pending:
                    return
                inflater = zlib.decompressobj(_GZIP)
            elif not pending:
                pending = stream.read(_CHUNK)
                if not pending and not chunk:
                    raise RetryableError(
                        "gzip file ends too early", remedy="wait until it is written", code="truncated"
                    )


def unzip(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """Members of a zip archive: for each a reply with `member`, its name, then its content in chunks.

    Args:
        file: open file descriptor.
        arguments: `limit`, bytes that may come out of all members together; `members`, how many there may be.

    Raises:
        RetryableError: the directory at the end is missing.
        UnsafeInputError: too many members, too many bytes, or a member whose name leads out of the archive.
        InputError: encrypted or broken.
    """
    limit, total = int(arguments["limit"]), 0
    with os.fdopen(os.dup(file), "rb") as stream:
        for archive, member in _members(stream, limit, int(arguments["members"])):
            yield Reply({"member": member.filename})
            try:
                with archive.open(member) as content:
                    while chunk := content.read(_CHUNK):
                        total += len(chunk)
                        if total > limit:
                            raise _bomb(limit)
                        yield _chunk(chunk)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
                raise InputError(
                    "broken zip member",
                    expected="a sound member",
                    got=f"{member.filename[:100]}: {error}",
                    code="broken-archive",
                ) from error


def open_zip(stream: IO[bytes], members: int) -> zipfile.ZipFile:
    """The directory of an archive, with a bound on its length.

    Raises:
        RetryableError: there is none: the file is truncated.
        UnsafeInputError: too many members.
    """
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise RetryableError(
            "zip archive without its directory", got=str(error), remedy="wait until it is written", code="truncated"
        ) from error
    if len(archive.infolist()) > members:
        raise UnsafeInputError(
            "archive with too many members", expected=f"at most {members}", got=str(len(archive.infolist()))
        )
    return archive


def check_member(member: zipfile.ZipInfo) -> None:
    """Refuse what we would not unpack.

    Raises:
        UnsafeInputError: the name leads out of the archive.
        InputError: encrypted, or compressed in a way we do not read.
    """
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in member.filename:
        raise UnsafeInputError(
            "archive member leads out of the archive", got=repr(member.filename[:200]), code="path-traversal"
        )
    if member.flag_bits & 1:
        raise InputError("archive is encrypted", got=member.filename[:200], remedy="send it without a password")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("unusual compression", expected="stored or deflated", got=f"method {member.compress_type}")


def _members(stream: IO[bytes], limit: int, members: int) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipInfo]]:
    with open_zip(stream, members) as archive:
        # macOS adds a second, empty-looking member for each file; it says nothing about wafers.
        for member in archive.infolist():
            check_member(member)
        wanted = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if sum(member.file_size for member in wanted) > limit:
            raise _bomb(limit)
        for member in wanted:
            yield archive, member


def _bomb(limit: int) -> UnsafeInputError:
    return UnsafeInputError(
        "decompression bomb",
        expected=f"at most {limit} bytes inside",
        got="more",
        remedy="raise the limit if the file is sound",
        code="decompression-bomb",
    )


def _chunk(content: bytes) -> Reply:
    return Reply(arrays={"bytes": np.frombuffer(content, np.uint8)})
