"""Which files lie in a folder and all below it: regular ones with wanted names; links are not followed."""

import fnmatch
import os
import pwd
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.domain.errors import ConfigurationError
from services.intake.spool import Signature


@dataclass(frozen=True, slots=True)
class Names:
    """Shell patterns of names; `exclude` outweighs `include` and counts for folders, too."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = (".*", "*.tmp", "*.part")

    def excludes(self, name: str) -> bool:
        """Whether a file or folder is left alone."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude)

    def includes(self, name: str) -> bool:
        """Whether a file is wanted, if it is not excluded."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.include)


def owners_of(names: Iterable[str]) -> frozenset[int] | None:
    """The numbers of users; None for no names: files may then be anybody's.

    Raises:
        ConfigurationError: there is no such user on this machine.
    """
    numbers = set()
    for name in names:
        try:
            numbers.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
        except KeyError as error:
            raise ConfigurationError(
                "no such user",
                where="WAFERWATCH_WATCH_OWNERS",
                got=name,
                expected="a user of this machine, or a number",
            ) from error
    return frozenset(numbers) or None


def files_below(
    folder: Path, names: Names, left_alone: Callable[[Path, str], None], owners: frozenset[int] | None = None
) -> Iterator[tuple[Path, Signature]]:
    """All wanted files with what tells their state.

    Args:
        folder: where to start.
        names: what is wanted.
        left_alone: told of what has a wanted name and cannot be taken, with the reason.
        owners: numbers of the users whose files are taken; None = anybody's.
    """
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return  # folders may go at any time
    except PermissionError:
        left_alone(folder, "folder may not be read")
        return
    for entry in entries:
        if names.excludes(entry.name):
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            left_alone(path, "symbolic links are not followed")
        elif entry.is_dir(follow_symlinks=False):
            yield from files_below(path, names, left_alone, owners)
        elif names.includes(entry.name):
            if not entry.is_file(follow_symlinks=False):
                left_alone(path, "not a regular file")
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            # Whoever changes its owner, or puts another file in its place, changes its signature as well.
            if owners is not None and status.st_uid not in owners:
                left_alone(path, f"it belongs to user {status.st_uid}, who is none of WAFERWATCH_WATCH_OWNERS")
                continue
            yield path, Signature.of(status)
