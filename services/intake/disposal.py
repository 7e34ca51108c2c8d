"""What happens to a source file once its bytes and its row are safe: it stays, moves, or goes."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from services.intake.spool import Signature
from services.settings import Afterwards


@dataclass(frozen=True, slots=True)
class Disposal:
    """The setting, and where `MOVE` puts files: under the same path below `done_dir`."""

    afterwards: Afterwards = Afterwards.KEEP
    done_dir: Path | None = None

    def dispose(self, path: Path, signature: Signature, root: Path) -> None:
        """Do it; call it only after the transaction that recorded the file is committed.

        A file that is no longer the one taken in stays: it is a new arrival. (Between the check and the removal a tool
        could still write to it; no call closes that gap of microseconds for files that are written in place.)

        Args:
            path: the source.
            signature: of the state that was taken in.
            root: the watch folder.

        Raises:
            OSError: it could not be removed.
        """
        if self.afterwards is Afterwards.KEEP:
            return
        try:
            if Signature.of(os.lstat(path)) != signature:
                return
            if self.afterwards is Afterwards.DELETE or self.done_dir is None:
                path.unlink()
            else:
                self._move(path, self.done_dir / path.relative_to(root))
        except FileNotFoundError:
            return  # another watcher was quicker

    @staticmethod
    def _move(path: Path, target: Path) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if target.exists():
            mark = hashlib.sha256(os.fsencode(path) + str(path.stat().st_mtime_ns).encode()).hexdigest()[:8]
            target = target.with_name(f"{target.stem}.{mark}{target.suffix}")
        shutil.move(path, target)
