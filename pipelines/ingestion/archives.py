"""What is inside gzip files and zip archives, as temporary files; unpacked by the child, counted on both sides."""

from collections.abc import Callable, Iterator

from models.domain.errors import InputError, UnsafeInputError
from pipelines.decoding.wire import Reply
from pipelines.ingestion.isolation import decode
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.sources import SourceFile, spooled


def gzip_content(source: SourceFile, limits: Limits) -> SourceFile:
    """The file inside a gzip file.

    Raises:
        UnsafeInputError: more comes out than the limits allow for a file of this size.
        RetryableError: truncated.
        InputError: broken.
    """
    limit = limits.expanded_bytes(source.size)
    replies = decode("gunzip", source.path, {"limit": limit}, where=source.name, limits=limits)
    name = source.name.removesuffix(".gz") if source.name.endswith(".gz") else source.name
    return spooled(name, (_content(reply) for reply in replies), _bounded(limit, source.name))


def zip_members(source: SourceFile, limits: Limits) -> Iterator[SourceFile]:
    """The files inside a zip archive, in its order; directories are passed over.

    Raises:
        UnsafeInputError: a name leads out of the archive, or more comes out than the limits allow.
        RetryableError: truncated.
        InputError: broken, encrypted or empty.
    """
    limit = limits.expanded_bytes(source.size)
    arguments = {"limit": limit, "members": limits.members}
    replies = decode("unzip", source.path, arguments, where=source.name, limits=limits)
    reply = next(replies, None)
    if reply is None:
        raise InputError("empty archive", where=source.name, expected="at least one file", code="empty-file")
    while reply is not None:
        member = str(reply.meta["member"])
        following: list[Reply] = []
        content = _until_next(replies, following)
        yield spooled(f"{source.name}/{member}", content, _bounded(limit, source.name))
        reply = following[0] if following else None


def _until_next(replies: Iterator[Reply], following: list[Reply]) -> Iterator[memoryview]:
    """Content of one member; the reply that begins the next one is left in `following`."""
    for reply in replies:
        if "member" in reply.meta:
            following.append(reply)
            return
        yield _content(reply)


def _content(reply: Reply) -> memoryview:
    return memoryview(reply.arrays["bytes"].data).cast("B")


def _bounded(limit: int, name: str) -> Callable[[int], None]:
    def check(size: int) -> None:
        if size > limit:
            raise UnsafeInputError(
                "decompression bomb", where=name, expected=f"at most {limit} bytes", code="decompression-bomb"
            )

    return check
