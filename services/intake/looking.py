"""Which files lie in a folder and all below it: regular ones with wanted names; links are not followed."""

import fnmatch
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

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


def files_below(
    folder: Path, names: Names, left_alone: Callable[[Path, str], None]
) -> Iterator[tuple[Path, Signature]]:
    """All wanted files with what tells their state.

    Args:
        folder: where to start.
        names: what is wanted.
        left_alone: told of what has a wanted name and cannot be taken, with the reason.
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
            yield from files_below(path, names, left_alone)
        elif names.includes(entry.name):
            if not entry.is_file(follow_symlinks=False):
                left_alone(path, "not a regular file")
                continue
            try:
                yield path, Signature.of(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue
