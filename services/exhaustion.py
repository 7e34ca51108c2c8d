"""Running out of something this machine or the database has: temporary, nobody's fault, and counted."""

import errno
from enum import StrEnum

from models.domain.errors import RetryableError


class Resource(StrEnum):
    """What can run out."""

    DISK = "disk"
    FILES = "files"
    """Open files and sockets of a process, or of the machine."""
    MEMORY = "memory"
    CONNECTIONS = "connections"
    """Of the database: in the pool of this process, or on the server."""


_REMEDIES = {
    Resource.DISK: "free disk space",
    Resource.FILES: "raise the limit of open files (ulimit -n, LimitNOFILE)",
    Resource.MEMORY: "give the service more memory, or run fewer replicas here",
    Resource.CONNECTIONS: "raise max_connections, or run fewer processes",
}
_OF_NUMBER = {
    errno.ENOSPC: Resource.DISK,
    errno.EDQUOT: Resource.DISK,
    errno.EMFILE: Resource.FILES,
    errno.ENFILE: Resource.FILES,
    errno.ENOMEM: Resource.MEMORY,
}


class ExhaustedError(RetryableError):
    """Something ran out: what was wanted was not done, and can be wanted again."""

    @property
    def resource(self) -> Resource:
        """What ran out."""
        return Resource(self.code.removeprefix("out-of-"))


def out_of(resource: Resource, *, where: str = "", got: str = "") -> ExhaustedError:
    """The error for a resource that ran out."""
    return ExhaustedError(
        f"out of {resource.value}", where=where, got=got, remedy=_REMEDIES[resource], code=f"out-of-{resource.value}"
    )


def exhaustion_in(error: BaseException | None, where: str = "") -> ExhaustedError | None:
    """What an error of the system, or one that was raised from it, says ran out; None if it means something else."""
    if isinstance(error, ExhaustedError):
        return error
    if isinstance(error, MemoryError):
        return out_of(Resource.MEMORY, where=where)
    if isinstance(error, OSError) and error.errno in _OF_NUMBER:
        return out_of(_OF_NUMBER[error.errno], where=where, got=error.strerror or "")
    return None if error is None else exhaustion_in(error.__cause__, where)
