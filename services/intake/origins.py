"""Who brought a file and how urgent it is, told from where it lies in the watch folder.

Each folder directly below it is a source of its own (a tool writes to its own folder); patterns of paths say which
files are urgent, and which can wait.
"""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.intake.names import printable
from services.priority import Priority


@dataclass(frozen=True, slots=True)
class Origins:
    """How paths are read.

    Attributes:
        sender: who is named for files that lie in the watch folder itself.
        priorities: shell patterns of paths below the watch folder; the first that fits counts, none is normal.
    """

    sender: str = "watch folder"
    priorities: Mapping[str, Priority] = field(default_factory=dict)

    def sender_of(self, path: Path, root: Path) -> str:
        """The source's name: quotas count by it."""
        folder, *inside = path.relative_to(root).parts
        return f"{self.sender}/{printable(folder)}" if inside else self.sender

    def priority_of(self, path: Path, root: Path) -> Priority:
        """How urgent the file is."""
        place = path.relative_to(root).as_posix()
        fitting = (priority for pattern, priority in self.priorities.items() if fnmatch.fnmatchcase(place, pattern))
        return next(fitting, Priority.NORMAL)
